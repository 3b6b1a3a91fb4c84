"""The machines that train trials, through Ray: this one, or the nodes of a cluster.

Each worker is a process with as many cores as a recipe has threads. The prepared data are sent to a
node once, through Ray's object store, and so is the code: a snapshot taken when the run starts.
"""

import io
import os
import signal
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fmnist.dataset.images import Images
from fmnist.stage.command import InputError
from fmnist.sweeps import worker
from fmnist.sweeps.outcome import Lost, Outcome
from fmnist.sweeps.search import Job
from fmnist.sweeps.sweep import SeededRecipe

# TensorFlow keeps what XLA compiles, 11 MB for a job of mlp, for the life of its process.
JOBS_OF_A_WORKER = 25
PATIENCE = 120  # seconds in which a worker has to start; others may hold its cores
SNAPSHOT = ("fmnist", "pyproject.toml")


@dataclass
class _Slot:
    """Cores of a node, the worker that holds them, and how many jobs it was given."""

    node: str
    worker: Any
    jobs: int = 0


class Cluster:
    """Workers on all nodes whose results would equal the stage's.

    Attributes:
        size: how many trials can run at once.
        refused: nodes and workers that are left out, each with the reason.
    """

    def __init__(
        self, address: str | None, cores: int | None, threads: int, splits: tuple[Images, Images]
    ) -> None:
        """Start or join Ray, check the nodes, and start the workers.

        Args:
            address: of a running cluster, or None for this machine alone.
            cores: how many cores of this machine to use; None for all. A cluster knows its own.
            threads: of a trial.
            splits: for training and validation.

        Raises:
            InputError: there is no such cluster, or no node can be used.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        cloudpickle.register_pickle_by_value(worker)
        on_termination = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=address or "local",
                num_cpus=cores,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"--address: expected a Ray cluster of this version at {address}: {reason}"
            ) from None
        signal.signal(signal.SIGTERM, on_termination)  # which Ray has replaced
        self._threads = threads
        self._code = ray.put(snapshot())
        self._splits = [ray.put(split) for split in splits]
        self._running: dict[ray.ObjectRef, tuple[Job, _Slot]] = {}
        self._free: list[_Slot] = []
        self.refused: list[str] = []
        self._start_workers()
        if not self._free:
            raise InputError(
                f"expected a node with {threads} cores, the pinned packages and a processor of the"
                f" numeric contract, found none: {'; '.join(self.refused) or 'too few cores'}"
            )
        self.size = len(self._free)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        ray.shutdown()

    @property
    def has_room(self) -> bool:
        """Return whether a worker is idle."""
        return bool(self._free)

    @property
    def running(self) -> list[int]:
        """Return the numbers of the trials that are being trained."""
        return sorted(job.number for job, _ in self._running.values())

    def submit(self, job: Job, recipe: SeededRecipe, state: bytes | None) -> None:
        """Let an idle worker train a trial; see `fmnist.sweeps.trial.train`."""
        slot = self._free.pop(0)
        slot.jobs += 1
        future = slot.worker.train.remote(recipe, job.until, *self._splits, state)
        self._running[future] = job, slot

    def ended(self, patience: float) -> Iterator[tuple[Job, Outcome | Lost]]:
        """Yield trials that end within some seconds.

        Raises:
            InputError: no node is left.
        """
        done, _ = ray.wait(list(self._running), timeout=patience)
        for future in done:
            job, slot = self._running.pop(future)
            try:
                outcome = ray.get(future)
            except RayError as error:  # the worker is gone, or raised what no trial should raise
                alive = {node["NodeID"] for node in _nodes()}
                self._free = [free for free in self._free if free.node in alive]
                outcome = Lost(_last_line(error), node_lives=slot.node in alive)
            if isinstance(outcome, Outcome) and slot.jobs < JOBS_OF_A_WORKER:
                self._free.append(slot)
            elif isinstance(outcome, Outcome) or outcome.node_lives:
                ray.kill(slot.worker)
                self._free.append(self._slot(slot.node))
            yield job, outcome
        if not self._free and not self._running:
            raise InputError(
                "the last node of the cluster is gone; run the same command again to resume;"
                " finished trials are kept"
            )

    def _start_workers(self) -> None:
        """Start workers on nodes that qualify; leave out those that do not start in time."""
        started: list[tuple[str, _Slot]] = []
        for node in _nodes():
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            if reason := self._refusal(node["NodeID"]):
                self.refused.append(f"{name}: {reason}")
                continue
            slots = int(node["Resources"].get("CPU", 0)) // self._threads
            started += [(name, self._slot(node["NodeID"])) for _ in range(slots)]
        if not started:
            return
        futures = [slot.worker.ready.remote() for _, slot in started]
        ready, _ = ray.wait(futures, num_returns=len(futures), timeout=PATIENCE)
        for future, (name, slot) in zip(futures, started, strict=True):
            reason = f"no worker within {PATIENCE} s; are its cores in use?"
            if future in ready:
                try:
                    ray.get(future)
                except RayError as error:
                    reason = f"no worker starts: {_last_line(error)}"
                else:
                    self._free.append(slot)
                    continue
            ray.kill(slot.worker)
            self.refused.append(f"{name}: {reason}")

    def _slot(self, node: str) -> _Slot:
        start = ray.remote(worker.Worker).options(num_cpus=self._threads, **_only_on(node)).remote
        return _Slot(node, start(self._code, self._threads))

    def _refusal(self, node: str) -> str | None:
        # One call for each process, which then ends: no worker has loaded anything.
        check = ray.remote(max_calls=1)(worker.refusal).options(num_cpus=0, **_only_on(node)).remote
        try:
            return ray.get(check(self._code))
        except RayError as error:
            return f"no worker starts: {_last_line(error)}"


def snapshot() -> bytes:
    """Return a tar file of the code that trains."""

    def clean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in entry.name else entry

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in SNAPSHOT:
            tar.add(Path(name), filter=clean)
        # A namespace package would yield to any other `fmnist` on the node's path.
        tar.addfile(tarfile.TarInfo("fmnist/__init__.py"))
    return content.getvalue()


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _only_on(node: str) -> dict[str, Any]:
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def _last_line(error: RayError) -> str:
    """Return the error itself; the lines before it are Ray's traceback."""
    return str(error).strip().splitlines()[-1].strip()
