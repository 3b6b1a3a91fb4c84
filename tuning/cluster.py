"""The machines that train trials, through Ray: this one, or a cluster that is given by its address.

Each worker is a process of its own, with as many cores as a recipe has threads. The prepared data
travel to a node once, through Ray's object store; the code is the run's own snapshot.
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

from fmnist.command import InputError
from fmnist.dataset import Images
from tuning import worker
from tuning.outcome import Lost, Outcome
from tuning.search import Job

# TensorFlow keeps what XLA has compiled, 11 MB for a job of mlp, as long as its process lives.
JOBS_OF_A_WORKER = 25
PATIENCE = 120  # seconds in which a worker has to be there; others may hold its cores
SNAPSHOT = ("fmnist", "tuning", "pyproject.toml")


class Cluster:
    """Workers on all nodes whose results would be those of the stage.

    Attributes:
        refused: nodes and workers that are left out, each with the reason.
    """

    def __init__(
        self,
        address: str | None,
        cores: int | None,
        threads: int,
        splits: tuple[Images, Images],
    ) -> None:
        """Start or join Ray, check the nodes, and start the workers.

        Args:
            address: of a running cluster, or None for this machine alone.
            cores: of this machine that are used; None for all. A cluster knows its own.
            threads: of a trial.

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
        self._running: dict[ray.ObjectRef, tuple[Job, _Place]] = {}
        self._free: list[_Place] = []
        self.refused: list[str] = []
        started: list[tuple[str, _Place]] = []
        for node in _nodes():
            if reason := self._refusal(node["NodeID"]):
                self.refused.append(f"{_name(node)}: {reason}")
                continue
            for _ in range(int(node["Resources"].get("CPU", 0)) // threads):
                started.append((_name(node), self._place(node["NodeID"])))
        self._take_in(started)
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

    def submit(self, job: Job, settings: dict[str, Any], seed: int, state: bytes | None) -> None:
        """Let an idle worker train a trial; see `tuning.trial.train`."""
        place = self._free.pop(0)
        place.jobs += 1
        future = place.worker.train.remote(settings, seed, job.until, *self._splits, state)
        self._running[future] = job, place

    def ended(self, patience: float) -> Iterator[tuple[Job, Outcome | Lost]]:
        """Yield trials that come to an end within some seconds.

        Raises:
            InputError: no node is left.
        """
        done, _ = ray.wait(list(self._running), timeout=patience)
        for future in done:
            job, place = self._running.pop(future)
            try:
                outcome = ray.get(future)
            except RayError as error:  # the worker is gone, or has raised what no trial should
                alive = {node["NodeID"] for node in _nodes()}
                self._free = [free for free in self._free if free.node in alive]
                outcome = Lost(_last_line(error), node_lives=place.node in alive)
            if isinstance(outcome, Outcome) and place.jobs < JOBS_OF_A_WORKER:
                self._free.append(place)
            elif isinstance(outcome, Outcome) or outcome.node_lives:
                ray.kill(place.worker)
                self._free.append(self._place(place.node))
            yield job, outcome
        if not self._free and not self._running:
            raise InputError(
                "the last node of the cluster is gone; finished trials are kept: run this again"
            )

    def _place(self, node: str) -> "_Place":
        return _Place(node, _worker(node, self._threads, self._code, self._threads))

    def _take_in(self, started: list[tuple[str, "_Place"]]) -> None:
        """Use the workers that are there soon; leave the others out."""
        futures = [place.worker.ready.remote() for _, place in started]
        ready, _ = (
            ray.wait(futures, num_returns=len(futures), timeout=PATIENCE) if futures else ([], [])
        )
        for future, (name, place) in zip(futures, started, strict=True):
            reason = f"no worker within {PATIENCE} s; are its cores in use?"
            if future in ready:
                try:
                    ray.get(future)
                except RayError as error:
                    reason = f"no worker starts: {_last_line(error)}"
                else:
                    self._free.append(place)
                    continue
            ray.kill(place.worker)
            self.refused.append(f"{name}: {reason}")

    def _refusal(self, node: str) -> str | None:
        probe = _worker(node, 0, self._code, None)
        try:
            return ray.get(probe.refusal.remote())
        except RayError as error:
            return f"no worker starts: {_last_line(error)}"
        finally:
            ray.kill(probe)


@dataclass
class _Place:
    """Cores of a node, the worker that has them, and how many jobs it was given."""

    node: str
    worker: Any
    jobs: int = 0


def snapshot() -> bytes:
    """Return a tar file of the code that trains."""

    def clean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in entry.name else entry

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in SNAPSHOT:
            tar.add(Path(name), filter=clean)
    return content.getvalue()


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def _last_line(error: RayError) -> str:
    """Return what an error ends on; before it Ray puts where it came from."""
    return str(error).strip().splitlines()[-1].strip()


def _worker(node: str, cores: int, code: ray.ObjectRef, threads: int | None) -> Any:
    """Start a worker on a node."""
    return (
        ray.remote(worker.Worker)
        .options(
            num_cpus=cores,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote(code, threads)
    )
