"""`make verify` confirms a promise that holds, and names what breaks one that does not."""

import json
import sys
from pathlib import Path

import fork_server
import pytest
import yaml
from programs import call, commit, dvc, git, run
from projects import set_value

from fmnist.stage import yaml_file

pytestmark = pytest.mark.slow

Result = tuple[int, list[list[str]], str]


@pytest.fixture
def committed(project) -> Path:
    """The reproduced project, committed."""
    commit(project)
    return project


@pytest.fixture
def _forked_stages(monkeypatch) -> None:
    """Stages that verify runs do not load TensorFlow again."""
    monkeypatch.setattr(sys, "executable", str(fork_server.programs() / "python"))


def verify(folder: Path, *arguments: str) -> Result:
    """Verify in this process; see `parsed`."""
    return parsed(call(folder, "commands.verify", *arguments))


def parsed(result) -> Result:
    """Return the exit code, the rows of the table as words, and the last line."""
    lines = result.stdout.splitlines()
    head = [number for number, line in enumerate(lines) if line.startswith("stage  ")]
    if not head:
        return result.returncode, [], result.stderr
    rows = [line.split() for line in lines[head[0] + 1 :]]
    return result.returncode, rows[: rows.index([])], lines[-1]


def state(folder: Path) -> list[object]:
    """Return all that a verification must leave as it is: files, cache, settings, Git's HEAD."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    own = {".dvc/tmp", ".git", "__pycache__"}
    kept = [path for path in files if not any(f"/{part}/" in str(path) for part in own)]
    return [
        [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in kept],
        (folder / ".git" / "HEAD").read_bytes(),
        run(folder, "git", "status", "--porcelain").stdout,
    ]


def row(rows: list[list[str]], stage: str, what: str) -> list[str]:
    """Return the row's recorded and found value and its verdict."""
    key = [stage, *what.split()]
    (found,) = [
        words[len(key) :]
        for words in rows
        if words[: len(key)] == key and not words[len(key)].startswith("(")
    ]
    return found


def test_what_was_reproduced_is_identical_and_nothing_of_the_user_changes(committed, tmp_path):
    lock = yaml_file.load(committed / "dvc.lock")["stages"]
    with (committed / "params.yaml").open("a") as file:
        file.write("# not committed\n")
    (committed / "metrics" / "test.json").unlink()
    before = state(committed)
    (tmp_path / "config").write_text("[cache]\n    dir = /dev/null\n")  # DVC's for all projects
    # In a process of its own, as are its stages: what a user runs.
    result = run(committed, "python", "-m", "commands.verify", DVC_GLOBAL_CONFIG_DIR=str(tmp_path))
    status, rows, verdict = parsed(result)
    assert (status, verdict) == (0, "identical")
    recorded = [out for stage in lock.values() for out in stage.get("outs", [])]
    assert [row[1:] for row in rows] == [
        [out["path"], out["md5"], out["md5"], "identical"] for out in recorded
    ]
    assert state(committed) == before
    for fact in ("commit", "processor", "instruction sets", "cores", "system", "C library"):
        assert f"\n{fact} " in f"\n{result.stdout}"
    assert "tensorflow==" in result.stdout
    assert "XLA_FLAGS='--xla_cpu_max_isa=AVX2" in result.stdout


@pytest.mark.usefixtures("_forked_stages")
def test_edited_hashes_metrics_stages_and_outputs_are_found(committed):
    lock = yaml_file.load(committed / "dvc.lock")
    stages = lock["stages"]
    out = next(o for o in stages["preprocess"]["outs"] if o["path"].endswith("train.npz"))
    right, out["md5"] = out["md5"], "0" * 32
    del stages["plot"]
    stages["evaluate"]["outs"] = stages["evaluate"]["outs"][:-1]
    stages["gone"] = {"cmd": "true", "outs": [{"path": "gone", "md5": "0" * 32}]}
    (committed / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    path = committed / "metrics" / "test.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": 0.999}))
    commit(committed)

    status, rows, verdict = verify(committed)
    assert status == 1
    assert row(rows, "preprocess", "data/prepared/train.npz") == ["0" * 32, right, "different"]
    assert row(rows, "train", "data/prepared/train.npz as input (committed)") == [
        right,
        "0" * 32,
        "different",
    ]
    assert row(rows, "train", "models/model.keras")[-1] == "identical"
    assert row(rows, "evaluate", "metrics/test.json (committed)")[-1] == "different"
    assert row(rows, "evaluate", "metrics/test.json")[-1] == "identical"
    assert row(rows, "evaluate", "plots/predictions.csv")[::2] == ["none", "different"]
    assert row(rows, "plot", "plots/loss.png")[::2] == ["none", "different"]
    assert row(rows, "gone", "dvc.yaml (committed)")[-1] == "different"
    assert verdict == "different: first in preprocess, though its inputs agree"

    status, _, verdict = verify(committed, "--stage", "evaluate")
    assert status == 1
    assert verdict.startswith("different: first in evaluate, not as recorded: metrics/test.json")


@pytest.mark.usefixtures("_forked_stages")
def test_a_seed_that_was_committed_without_a_rerun_is_found(committed):
    set_value(committed, "train.seed", 43)
    commit(committed)
    status, rows, verdict = verify(committed, "--stage", "train")
    assert status == 1
    assert row(rows, "train", "params.yaml: train.seed (committed)") == ["42", "43", "different"]
    assert row(rows, "train", "models/model.keras")[-1] == "different"
    assert verdict == (
        "different: first in train, not as recorded: params.yaml: train.seed (committed); the"
        " trainings differ from epoch 1 on"
    )


@pytest.mark.usefixtures("_forked_stages")
def test_another_pin_is_found(committed):
    path = committed / "pyproject.toml"
    path.write_text(path.read_text().replace('"scipy==', '"scipy==0.'))
    commit(committed)
    status, rows, verdict = verify(committed)
    assert status == 1
    what = "pyproject.toml: dependency-groups.evaluate (committed)"
    assert "scipy==0." in " ".join(row(rows, "evaluate", what))
    assert row(rows, "train", "models/model.keras")[-1] == "identical"
    assert row(rows, "evaluate", "metrics/test.json")[-2:] == ["not", "rebuilt"]
    assert verdict.startswith("different: first in evaluate, not as recorded: pyproject.toml: ")


@pytest.mark.usefixtures("_forked_stages")
def test_one_stage_of_a_revision_is_verified_from_its_recorded_inputs_even_in_a_hook_of_git(
    committed, tmp_path, monkeypatch
):
    committed = committed.rename(committed.with_name('C# ü "x" it\'s'))
    commit(committed)
    before = state(committed)
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(committed / ".git"))
        status, rows, verdict = verify(committed, "--rev", "HEAD~1", "--stage", "plot")
    assert (status, verdict) == (0, "identical")
    assert state(committed) == before
    assert {row[0] for row in rows} == {"plot"}
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(committed), str(elsewhere))
    status, _, message = verify(elsewhere, "--stage", "plot")
    assert status == 2
    assert (
        "error: plot: expected its recorded inputs in the cache or a remote, found not" in message
    )


def test_invalid_arguments_are_refused(committed):
    for arguments, message in (
        (["--rev", "nowhere"], "error: git rev-parse --verify nowhere^{commit}: "),
        (["--stage", "fitting"], "error: --stage: expected one of fetch, preprocess, train"),
        (["--stage", "train", "--record"], "error: --record: expected all stages to be verified"),
    ):
        status, _, printed = verify(committed, *arguments)
        assert status == 2
        assert message in printed


@pytest.mark.usefixtures("_forked_stages")
def test_a_run_that_fails_is_no_verdict(committed):
    set_value(committed, "download.mirrors", ["file:///nowhere"])  # which affects no result
    commit(committed)
    status, rows, verdict = verify(committed)
    assert status == 2
    assert {row[-1] for row in rows} == {"rebuilt"}
    assert verdict == "could not run: the messages above say why a stage failed"


def change(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_a_machine_outside_the_contract_is_within_tolerance_or_not(committed):
    # The results are recorded with another instruction set and in another colour, and the committed
    # code then asks for a set that no machine has: this one is outside the contract of that commit.
    file, isa = "fmnist/stage/contract.py", "--xla_cpu_max_isa=AVX2"
    change(committed, file, '("avx2", ', '("none_such", "avx2", ')
    change(committed, file, isa, "--xla_cpu_max_isa=AVX")
    change(committed, "fmnist/plot/canvas.py", "#0072B2", "#0000FF")
    result = run(committed, "dvc", "repro")
    assert result.returncode == 0, result.stderr
    change(committed, file, "--xla_cpu_max_isa=AVX", isa)
    change(committed, "fmnist/plot/canvas.py", "#0000FF", "#0072B2")
    dvc(committed, "commit", "--force")
    commit(committed)
    command = "python", "-m", "commands.verify"
    status, rows, verdict = parsed(run(committed, *command))
    assert status == 0
    assert verdict.startswith("within tolerance; not compared: ")  # plots that changed
    assert row(rows, "preprocess", "data/prepared/train.npz")[-1] == "identical"
    network = " ".join(row(rows, "train", "models/model.keras")[2:])
    assert network.startswith("within tolerance: largest distance of a layer ")
    assert "not compared" not in network

    change(committed, "metrics/train.json", '"val_loss": ', '"val_loss": 9')
    dvc(committed, "commit", "--force")
    commit(committed)
    cache = committed / ".dvc" / "cache" / "files" / "md5"
    lock = yaml_file.load(committed / "dvc.lock")["stages"]["train"]["outs"]
    md5 = next(out["md5"] for out in lock if out["path"] == "models/model.keras")
    (cache / md5[:2] / md5[2:]).unlink()
    status, rows, verdict = parsed(run(committed, *command, "--stage", "train"))
    expected = "different: first in train, though its inputs agree"
    assert (status, verdict) == (1, f"{expected}; the trainings differ from epoch 1 on")
    found = " ".join(row(rows, "train", "metrics/train.json")[2:])
    assert found.startswith("different: largest difference 9")
    assert found.endswith("at most 0.03")
    network = " ".join(row(rows, "train", "models/model.keras")[2:])
    assert network == "not compared: the recorded file is not available"
