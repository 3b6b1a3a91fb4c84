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
        "seed": {"choices": [0, 1]},
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
    write_space(project)
    table = project / "sweeps" / "tried" / "trials.csv"
    table.parent.mkdir()
    table.write_text(
        'trial,optimizer.learning_rate,network.units,seed\n0,0.5,"[30]",0\n1,1e-05,"[20, 10]",7\n'
    )
    apply = ("python", "-m", "commands.apply", "--space", "sweeps/tried.yaml", "--trial")
    assert run(project, *apply, "1").returncode == 0
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
    assert (
        "--trial: expected one of the 2 trials of sweeps/tried/trials.csv, found 2"
        in refused.stderr
    )


@pytest.fixture
def swept(project: Path) -> Path:
    """A project in which a sweep was run."""
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    write_space(project)
    sweep(project)
    return project


@pytest.mark.slow
def test_the_best_and_the_worst_trial_are_what_dvc_repro_gives(swept):
    ranked = sorted(lines(swept), key=lambda line: float(line["val_accuracy"]))
    states = [line["state"] for line in ranked]
    assert sorted(states) == ["finished"] * 2 + ["stopped"] * 6
    finished = [line for line in ranked if line["state"] == "finished"]
    for trial in {line["trial"]: line for line in (ranked[0], *finished)}.values():
        apply = ("--space", "sweeps/tried.yaml", "--trial", trial["trial"])
        assert run(swept, "python", "-m", "commands.apply", *apply).returncode == 0
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
    assert "8 trials of `mlp`" in report
    for picture in ("parameters", "parallel_coordinates", "cost"):
        assert (swept / "sweeps" / "tried" / f"{picture}.png").stat().st_size > 5000
        assert f"({picture}.png)" in report


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_ends_with_the_same_table(swept):
    expected = results(swept)
    shutil.rmtree(swept / "sweeps" / "tried")
    kills, before = 0, 0
    while True:
        process = start(swept, *COMMAND)
        seen = len(lines(swept))
        wait_for(lambda: process.poll() is not None or len(lines(swept)) > seen)  # noqa: B023
        if process.poll() is not None:
            assert process.returncode == 0, process.stdout.read()
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        wait_for(lambda: not processes_of(swept))
        ended = sum(line["state"] != "paused" for line in lines(swept))
        assert ended >= before
        before = ended
    assert kills >= 3
    assert results(swept) == expected
    assert not (swept / ".sweeps").exists() or not any((swept / ".sweeps").iterdir())
    again = sweep(swept)  # has nothing left to do
    assert "trial " not in again
    assert results(swept) == expected


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial_a_start_and_no_result(swept):
    expected = results(swept)
    shutil.rmtree(swept / "sweeps" / "tried")
    process = start(swept, *COMMAND)
    killed = 0
    while killed < 2:
        seen = len(lines(swept))
        wait_for(lambda: len(lines(swept)) > seen or process.poll() is not None)  # noqa: B023
        assert process.poll() is None, process.stdout.read()
        workers = [
            p for p in processes_of(swept) if "Worker" in p.name() or "ray::Worker" in name(p)
        ]
        assert workers
        workers[0].kill()
        killed += 1
    assert process.wait(PATIENCE) == 0, process.stdout.read()
    assert results(swept) == expected


def name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def processes_of(project: Path) -> list[psutil.Process]:
    """Return the processes of Ray that a sweep in a project has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PWD") == str(project) and "ray" in name(process):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def cluster() -> Iterator:
    """A cluster of two nodes on this machine, one core each."""
    pytest.importorskip("ray", reason="needs `make install-sweep`")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    started.other = started.add_node(num_cpus=1)
    yield started
    started.shutdown()


@pytest.mark.slow
def test_a_sweep_on_two_nodes_uses_both_and_outlives_one(swept, cluster):
    expected = results(swept)
    shutil.rmtree(swept / "sweeps" / "tried")
    process = start(swept, *COMMAND, "--address", cluster.address)
    wait_for(lambda: len({worker.ppid() for worker in training()}) == 2 or process.poll())
    assert process.poll() is None, process.stdout.read()
    wait_for(lambda: len(lines(swept)) > 1)
    cluster.remove_node(cluster.other, allow_graceful=False)
    assert process.wait(PATIENCE) == 0, process.stdout.read()
    assert "8 trials, 2 at once" in process.stdout.read()
    assert results(swept) == expected


def training() -> list[psutil.Process]:
    """Return the workers that are training."""
    return [p for p in psutil.process_iter() if name(p).startswith("ray::Worker.train")]


@pytest.mark.slow
def test_a_node_with_other_versions_is_refused_by_name(swept, cluster, tmp_path):
    expected = results(swept)
    shutil.rmtree(swept / "sweeps" / "tried")
    cluster.remove_node(cluster.other)
    metadata = tmp_path / "other" / "numpy-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    join = ("ray", "start", "--block", "--num-cpus", "1", "--address", cluster.address)
    node = start(tmp_path, *join, PYTHONPATH=str(tmp_path / "other"))
    try:
        wait_for(lambda: len(alive(cluster)) == 2 or node.poll())
        assert node.poll() is None, node.stdout.read()
        said = sweep(swept, "--address", cluster.address)
    finally:
        os.killpg(node.pid, signal.SIGKILL)
    refused = next(line for line in said.splitlines() if line.startswith("left out: "))
    assert "expected numpy 2.4.6 installed, found 1.0" in refused
    assert "8 trials, 1 at once" in said
    assert results(swept) == expected


def alive(cluster) -> list:
    import ray

    ray.init(address=cluster.address, logging_level="ERROR", ignore_reinit_error=True)
    try:
        return [node for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()
