"""Sweeps for real: on Ray, with kills, and with each trial made again by `dvc repro`."""

import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import dvc, run, start

PATIENCE = 120  # seconds after which a test has failed
SPACE = {
    "recipe": "mlp",
    "objective": "val_accuracy",
    "search": {"name": "grid"},
    "successive_halving": {"min_epochs": 1, "reduction_factor": 2},
    "fixed": {"threads": 1, "epochs": 4},
    "parameters": {
        "optimizer.learning_rate": {"choices": [0.001, 0.5]},
        "network.units": {"choices": [[30], [20, 10]]},
    },
}
WITHOUT_RAY = (
    "import importlib.util, runpy, sys; found = importlib.util.find_spec\n"
    "importlib.util.find_spec = lambda name: None if name in ('ray', 'optuna') else found(name)\n"
    "sys.argv[0] = 'sweep'; runpy.run_module('commands.sweep', run_name='__main__')"
)


def write_space(project: Path, **changes: object) -> str:
    """Write ``sweeps/tried.yaml`` and return its path in the project."""
    (project / "sweeps").mkdir(exist_ok=True)
    (project / "sweeps" / "tried.yaml").write_text(yaml.safe_dump(SPACE | changes, sort_keys=False))
    return "sweeps/tried.yaml"


def sweep(project: Path, *arguments: str, **environment: str) -> str:
    """Run a sweep, which must succeed; return what it prints."""
    result = run(project, *COMMAND, *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


COMMAND = ("python", "-m", "commands.sweep", "--space", "sweeps/tried.yaml")


def lines(project: Path, name: str = "trials.csv") -> list[dict[str, str]]:
    """Return the lines of a table of the sweep; none if it is not there yet."""
    path = project / "sweeps" / "tried" / name
    if not path.exists():
        return []
    return list(csv.DictReader(path.read_text().splitlines(keepends=True)))


def results(project: Path) -> list:
    """Return all that a sweep found, but for how long it took."""
    trials = [{key: line[key] for key in line if key != "seconds"} for line in lines(project)]
    return [trials, lines(project, "history.csv")]


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_without_its_packages_a_sweep_says_what_to_install(project):
    write_space(project)
    result = run(project, "python", "-c", WITHOUT_RAY, "--space", "sweeps/tried.yaml")
    assert result.returncode == 2
    assert result.stderr == (
        "error: expected ray and optuna installed, found none; `make install-sweep` does it\n"
    )


def test_a_bad_space_is_said_before_anything_starts(project):
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    write_space(project, objective="accuracy")
    result = run(project, *COMMAND)
    assert result.returncode == 2
    assert result.stderr.startswith("error: sweeps/tried.yaml: objective: expected to be 'val_acc")
    assert not (project / "sweeps" / "tried").exists()


def test_a_trial_is_put_into_params_yaml_and_nothing_else_changes(project):
    # The project's own file, with comments, which the small one has lost.
    shutil.copy(Path(__file__).parent.parent / "params.yaml", project)
    before = (project / "params.yaml").read_text().splitlines()
    write_space(project, parameters=SPACE["parameters"] | {"seed": {"choices": [0, 7]}})
    table = project / "sweeps" / "tried" / "trials.csv"
    table.parent.mkdir()
    table.write_text(
        "trial,state,optimizer.learning_rate,network.units,seed,key\n"
        '0,paused,0.5,"[30]",0,k\n1,paused,1,[],1,k\n1,stopped,1e-05,"[20, 10]",7,k\n1,stopped,0.'
    )
    apply = ("python", "-m", "commands.apply", "--space", "sweeps/tried.yaml", "--trial")
    applied = run(project, *apply, "1")
    assert applied.stdout == "params.yaml: trial 1, stopped; `dvc repro` trains it\n"
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
    assert run(project, "python", "-m", "commands.check").returncode == 0
    refused = run(project, *apply, "2")
    assert refused.returncode == 2
    assert "--trial: expected one of the 2 trials of sweeps/tried/trials.csv" in refused.stderr
    write_space(project, parameters=SPACE["parameters"] | {"batch_size": {"choices": [1]}})
    refused = run(project, *apply, "1")
    assert refused.returncode == 2
    assert "expected columns for all parameters of sweeps/tried.yaml, found none for batch" in (
        refused.stderr
    )


@pytest.fixture(scope="module")
def undisturbed(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a sweep was run. Not to be changed: use `swept` or `project`."""
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
    """A project with the same space, in which nothing was run."""
    write_space(project)
    return project


@pytest.mark.slow
def test_the_best_and_the_worst_trial_are_what_dvc_repro_gives(swept):
    ranked = sorted(lines(swept), key=lambda line: float(line["val_accuracy"]))
    states = [line["state"] for line in ranked]
    assert sorted(states) == ["finished"] + ["stopped"] * 3
    finished = [line for line in ranked if line["state"] == "finished"]
    for trial in {line["trial"]: line for line in (ranked[0], *finished)}.values():
        apply = ("--space", "sweeps/tried.yaml", "--trial", trial["trial"])
        applied = run(swept, "python", "-m", "commands.apply", *apply)
        assert (applied.returncode, applied.stderr) == (0, "")
        dvc(swept, "repro", "train")
        history = csv.DictReader((swept / "plots" / "history.csv").read_text().splitlines())
        rows = [dict(row, trial=trial["trial"]) for row in history]
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
    assert "trial " not in sweep(swept)  # params.yaml has another trial now; this space is the same


class Running:
    """A sweep that runs, to be disturbed."""

    def __init__(self, project: Path, *arguments: str) -> None:
        self.project = project
        self.process = start(project, *COMMAND, *arguments)

    def wait_for_more(self) -> None:
        """Wait until another line is in the table."""
        seen = len(lines(self.project))
        wait_for(lambda: len(lines(self.project)) > seen or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stdout.read()

    def kill(self) -> list[psutil.Process]:
        """Kill the driver; return what it had started, of which nothing trains any more."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.communicate()
        wait_for(lambda: not any(map(is_training, started)))
        return started

    def end(self) -> str:
        """Wait for its end, which must be a good one; return what it prints."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, said
        return said


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_ends_with_the_same_table(to_sweep, undisturbed):
    ended: set[str] = set()
    started: list[psutil.Process] = []
    for _ in range(3):
        running = Running(to_sweep)
        running.wait_for_more()
        started += running.kill()
        now = {line["trial"] for line in lines(to_sweep) if line["state"] != "paused"}
        assert ended <= now
        ended = now
    sweep(to_sweep)
    assert results(to_sweep) == results(undisturbed)
    assert not list((to_sweep / ".sweeps").iterdir())
    assert "trial " not in sweep(to_sweep)  # there is nothing left to do
    assert results(to_sweep) == results(undisturbed)
    _, alive = psutil.wait_procs(started, PATIENCE)
    assert not alive  # Ray's own processes take a minute to see that their driver is gone


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_second_run_is_refused_and_an_interrupted_one_says_how_to_go_on(to_sweep, ending):
    running = Running(to_sweep)
    running.wait_for_more()
    second = run(to_sweep, *COMMAND)
    assert second.returncode == 2
    assert "sweeps/tried.yaml: expected no other run of it in this folder, found" in second.stderr
    os.kill(running.process.pid, ending)
    said, _ = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 130
    assert said.endswith(
        "interrupted: run the same command again to go on; ended trials are kept\n"
    )


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_a_start_and_no_result(to_sweep, undisturbed):
    running = Running(to_sweep)
    for _ in range(2):
        running.wait_for_more()
        below = psutil.Process(running.process.pid).children(recursive=True)
        wait_for(lambda: any(map(is_training, below)))  # noqa: B023
        next(filter(is_training, below)).kill()
    running.end()
    assert results(to_sweep) == results(undisturbed)


@pytest.fixture
def cluster() -> Iterator:
    """A cluster of two nodes on this machine, one core each."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    started.other = started.add_node(num_cpus=1)
    yield started
    started.shutdown()


@pytest.mark.slow
def test_a_sweep_on_two_nodes_uses_both_and_outlives_one(to_sweep, undisturbed, cluster):
    running = Running(to_sweep, "--address", cluster.address)
    nodes: set[int] = set()

    def both_have_trained() -> bool:
        nodes.update(worker.ppid() for worker in psutil.process_iter() if is_training(worker))
        return len(nodes) == 2

    wait_for(both_have_trained)
    running.wait_for_more()
    cluster.remove_node(cluster.other, allow_graceful=False)
    assert "4 trials, 2 at once" in running.end()
    assert results(to_sweep) == results(undisturbed)


@pytest.mark.slow
def test_a_node_with_other_versions_is_refused_by_name(to_sweep, undisturbed, cluster, tmp_path):
    cluster.remove_node(cluster.other)
    metadata = tmp_path / "other" / "numpy-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    join = ("ray", "start", "--block", "--num-cpus", "1", "--address", cluster.address)
    node = start(tmp_path, *join, PYTHONPATH=str(tmp_path / "other"))
    try:
        cluster.wait_for_nodes()
        wait_for(lambda: len(nodes_of(cluster)) == 2)
        said = sweep(to_sweep, "--address", cluster.address)
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        node.communicate()
    refused = next(line for line in said.splitlines() if line.startswith("left out: "))
    assert "expected numpy 2.4.6 installed, found 1.0" in refused
    assert "4 trials, 1 at once" in said
    assert results(to_sweep) == results(undisturbed)


def nodes_of(cluster) -> list:
    """Return the living nodes of a cluster."""
    return [node for node in cluster.global_state.node_table() if node["Alive"]]


def is_training(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[:1] == ["ray::Worker.train"]
    except psutil.Error:
        return False
