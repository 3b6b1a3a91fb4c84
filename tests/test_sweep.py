"""Real sweeps: on Ray, with kills, and with trials that `dvc repro` repeats."""

import csv
import json
import os
import shutil
import signal
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from programs import call, dvc, run, start
from projects import ROOT

PATIENCE = 120  # seconds after which a test has failed
SPACE = {
    "recipe": "mlp",
    "objective": "val_accuracy",
    "search": {"name": "grid"},
    "successive_halving": {"min_epochs": 1, "reduction_factor": 2},
    "fixed": {"threads": 1, "epochs": 4},
    "parameters": {
        "optimizer.learning_rate": {"choices": [0.001, 0.5]},
        "network.units": {"choices": [[10], []]},
    },
}
SWEEP = ("python", "-m", "commands.sweep", "--space", "sweeps/tried.yaml")
APPLY = ("commands.apply", "--space", "sweeps/tried.yaml", "--trial")


def without(*packages: str) -> tuple[str, ...]:
    """Return the command `SWEEP` for a process in which packages cannot be imported."""
    program = (
        f"import runpy, sys; sys.modules |= dict.fromkeys({packages})\n"
        "runpy.run_module('commands.sweep', run_name='__main__')"
    )
    return ("python", "-c", program, "--space", "sweeps/tried.yaml")


def write_space(project: Path, **changes: object) -> None:
    """Write ``sweeps/tried.yaml``."""
    path = project / "sweeps" / "tried.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(SPACE | changes, sort_keys=False))


def sweep(project: Path, *arguments: str, **environment: str) -> str:
    """Run a sweep, which must succeed; return what it prints."""
    result = run(project, *SWEEP, *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def lines(project: Path, name: str = "trials.csv") -> list[dict[str, str]]:
    """Return the lines of a table of the sweep; none if there is no table yet."""
    path = project / "sweeps" / "tried" / name
    if not path.exists():
        return []
    return list(csv.DictReader(path.read_text().splitlines(keepends=True)))


def results(project: Path) -> list:
    """Return the findings of a sweep, except how long it took."""
    trials = [{key: line[key] for key in line if key != "seconds"} for line in lines(project)]
    return [trials, lines(project, "history.csv")]


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def training_below(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that a process has started, directly or not, and that are training."""
    return [found for found in process.children(recursive=True) if is_training(found)]


def is_training(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[:1] == ["ray::Worker.train"]
    except psutil.Error:
        return False


def test_without_its_packages_a_sweep_fails_with_how_to_install_them(project):
    write_space(project)
    result = run(project, *without("ray", "optuna"))
    assert result.returncode == 2
    assert result.stderr == (
        "error: expected ray and optuna installed, found none; run `make install-sweep`\n"
    )


def test_an_invalid_space_fails_before_anything_starts_and_without_tensorflow(project):
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    write_space(project, objective="accuracy")
    result = run(project, *without("tensorflow", "keras"))
    assert result.returncode == 2
    assert result.stderr.startswith("error: sweeps/tried.yaml: objective: expected to be 'val_acc")
    assert not (project / "sweeps" / "tried").exists()


def test_a_trial_is_written_into_params_yaml_and_nothing_else_changes(project):
    shutil.copy(ROOT / "params.yaml", project)  # with its comments
    before = (project / "params.yaml").read_text().splitlines()
    write_space(project, parameters=SPACE["parameters"] | {"seed": {"choices": [0, 7]}})
    table = project / "sweeps" / "tried" / "trials.csv"
    table.parent.mkdir()
    table.write_text(
        "trial,state,optimizer.learning_rate,network.units,seed,key\n"
        '0,paused,0.5,"[30]",0,k\n1,paused,1,[],1,k\n1,stopped,1e-05,"[20, 10]",7,k\n1,stopped,0.'
    )
    applied = call(project, *APPLY, "1")
    assert applied.stdout == "params.yaml has trial 1, stopped; `dvc repro` trains it\n"
    assert "warning: sweeps/tried/trials.csv may be of another space" in applied.stderr
    after = (project / "params.yaml").read_text().splitlines()
    changed = [
        new.split("#")[0].strip() for old, new in zip(before, after, strict=True) if old != new
    ]
    assert sorted(changed) == [
        "epochs: 4",
        "learning_rate: 1e-05",
        "seed: 7",
        "threads: 1",
        "units: [20, 10]",
    ]
    assert call(project, "commands.check").returncode == 0
    refused = call(project, *APPLY, "2")
    assert refused.returncode == 2
    assert "--trial: expected one of the 2 trials of sweeps/tried/trials.csv" in refused.stderr
    write_space(project, parameters=SPACE["parameters"] | {"batch_size": {"choices": [1]}})
    refused = call(project, *APPLY, "1")
    assert refused.returncode == 2
    assert "expected columns for all parameters of sweeps/tried.yaml, found none for batch" in (
        refused.stderr
    )


@pytest.fixture(scope="module")
def undisturbed(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a sweep. Do not change it: use `swept` or `to_sweep`."""
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    folder = Path(shutil.copytree(reproduced, tmp_path_factory.mktemp("swept") / "project"))
    write_space(folder)
    temporary = tmp_path_factory.mktemp("temporary")
    sweep(folder, TMPDIR=str(temporary), RAY_TMPDIR="/tmp")  # Ray's paths have to be short
    assert not list(temporary.iterdir())
    return folder


@pytest.fixture
def swept(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of `undisturbed` to work in."""
    return Path(shutil.copytree(undisturbed, tmp_path / "swept", symlinks=True))


@pytest.fixture
def to_sweep(project: Path, undisturbed: Path) -> Path:
    """A project with the same space, before a sweep."""
    write_space(project)
    return project


@pytest.fixture
def cluster() -> Iterator:
    """A cluster of two nodes on this machine, one core each."""
    from ray.cluster_utils import Cluster  # an optional package

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    started.other = started.add_node(num_cpus=1)
    yield started
    started.shutdown()


class Running:
    """A running sweep, to be disturbed."""

    def __init__(self, project: Path, *arguments: str) -> None:
        self.project = project
        self.process = start(project, *SWEEP, *arguments)

    def wait_for_more(self) -> None:
        """Wait until another line is in the table."""
        seen = len(lines(self.project))
        wait_for(lambda: len(lines(self.project)) > seen or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stdout.read()

    def end(self) -> str:
        """Wait until it ends, which must be a success; return what it prints."""
        printed, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, printed
        return printed


@pytest.mark.slow
def test_dvc_repro_repeats_the_best_and_the_worst_trial(swept, undisturbed):
    ranked = sorted(lines(swept), key=lambda line: float(line["val_accuracy"]))
    states = [line["state"] for line in ranked]
    assert sorted(states) == ["finished"] + ["stopped"] * 3
    finished = [line for line in ranked if line["state"] == "finished"]
    for trial in {line["trial"]: line for line in (ranked[0], *finished)}.values():
        applied = call(swept, *APPLY, trial["trial"])
        assert (applied.returncode, applied.stderr) == (0, "")
        dvc(swept, "repro", "train")
        history = csv.DictReader((swept / "plots" / "history.csv").read_text().splitlines())
        rows = [
            {name: row[name] for name in row if name != "weights"} | {"trial": trial["trial"]}
            for row in history
        ]
        ours = [row for row in lines(swept, "history.csv") if row["trial"] == trial["trial"]]
        assert [{k: float(v) for k, v in row.items()} for row in rows[: len(ours)]] == [
            {k: float(v) for k, v in row.items()} for row in ours
        ]
        metrics = json.loads((swept / "metrics" / "train.json").read_text())
        if trial["state"] == "finished":
            assert metrics["val_accuracy"] == float(trial["val_accuracy"])
            assert metrics["val_loss"] == float(trial["val_loss"])
    report = (swept / "sweeps" / "tried" / "report.md").read_text()
    assert "4 trials of `mlp`" in report
    for picture in ("parameters", "parallel_coordinates", "cost"):
        assert (swept / "sweeps" / "tried" / f"{picture}.png").stat().st_size > 5000
        assert f"({picture}.png)" in report
    # Another trial is in params.yaml now, but the space is the same: nothing is left to train.
    assert "trial " not in sweep(swept)
    assert results(swept) == results(undisturbed)


@pytest.mark.slow
def test_a_sweep_that_is_ended_repeatedly_resumes_and_ends_with_the_same_table(
    to_sweep, undisturbed
):
    ended: set[str] = set()
    started: list[psutil.Process] = []
    for ending in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        running = Running(to_sweep)
        running.wait_for_more()
        second = call(to_sweep, *SWEEP[2:])
        assert second.returncode == 2
        assert "sweeps/tried.yaml: expected no other run of it in this folder" in second.stderr
        started.extend(psutil.Process(running.process.pid).children(recursive=True))
        os.kill(running.process.pid, ending)
        printed, _ = running.process.communicate(timeout=PATIENCE)
        if ending != signal.SIGKILL:
            assert running.process.returncode == 130
            assert printed.endswith(
                "interrupted: run the same command again to resume; finished trials are kept\n"
            )
        wait_for(lambda: not any(map(is_training, started)))
        now = {line["trial"] for line in lines(to_sweep) if line["state"] != "paused"}
        assert ended <= now
        ended = now
    sweep(to_sweep)
    assert results(to_sweep) == results(undisturbed)
    assert not list((to_sweep / ".sweeps").iterdir())
    _, alive = psutil.wait_procs(started, PATIENCE)
    assert not alive  # Ray's own processes need a minute to notice that their driver is gone


@pytest.mark.slow
def test_a_killed_worker_costs_time_and_no_result(to_sweep, undisturbed):
    running = Running(to_sweep)
    driver = psutil.Process(running.process.pid)
    for _ in range(2):
        running.wait_for_more()
        wait_for(lambda: training_below(driver))
        training_below(driver)[0].kill()
    running.end()
    assert results(to_sweep) == results(undisturbed)


@pytest.mark.slow
def test_on_a_cluster_nodes_are_used_or_refused_by_name_and_one_can_be_lost(
    to_sweep, undisturbed, cluster, tmp_path
):
    join = ("-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1")
    node = start(tmp_path, python_with_another_numpy(tmp_path), *join, "--address", cluster.address)
    used: set[int] = set()

    def both_have_trained() -> bool:
        used.update(worker.ppid() for worker in training_below(psutil.Process()))
        return len(used) == 2

    try:
        wait_for(lambda: len(living_nodes(cluster)) == 3)
        running = Running(to_sweep, "--address", cluster.address)
        wait_for(both_have_trained)
        running.wait_for_more()
        cluster.remove_node(cluster.other, allow_graceful=False)
        printed = running.end()
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        node.communicate()
    refused = next(line for line in printed.splitlines() if line.startswith("left out: "))
    assert "expected numpy 2.4.6 installed, found 1.0" in refused
    assert "4 trials, 2 at once" in printed
    assert results(to_sweep) == results(undisturbed)


def python_with_another_numpy(folder: Path) -> str:
    """Make an environment with the packages of this one, in which NumPy claims to be older."""
    venv.create(folder / "other", symlinks=True)
    own, other = (
        Path(sysconfig.get_path("purelib", vars={"base": base}))
        for base in (sys.prefix, str(folder / "other"))
    )
    (other / "all.pth").write_text(f"{own}\n")
    metadata = other / "numpy-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    return str(folder / "other" / "bin" / "python")


def living_nodes(cluster) -> list:
    return [node for node in cluster.global_state.node_table() if node["Alive"]]
