"""dvc.yaml tells the truth: code, data, parameters and outputs of each stage are those declared."""

import re
import shutil
import tomllib
from importlib import import_module
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import yaml
from conftest import GRAPH, ROOT, STAGES, copy_project, files_below, pin_groups, run, walk

from fmnist.command import InputError

OWN = (".git", ".dvc", ".downloads", "__pycache__")  # what no stage declares
# Where data come from cannot change them, so fetch reads these and the graph does not track them.
UNTRACKED = {
    "fetch": ["mirrors", "connect_timeout", "read_timeout", "retries", "size_limit"],
}


def import_closure(module: Path) -> set[str]:
    """Return all files of the project that a program imports, however deep or late."""
    finder = ModuleFinder(path=[str(ROOT)])
    finder.run_script(str(module))
    files = {Path(m.__file__) for m in finder.modules.values() if m.__file__}
    return {path.relative_to(ROOT).as_posix() for path in files}


def names(entries: list) -> set[str]:
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def outs(stage: str) -> set[str]:
    return set().union(
        *(names(GRAPH[stage].get(kind, [])) for kind in ("outs", "metrics", "plots"))
    )


def data_deps(stage: str) -> set[str]:
    return {dep for dep in GRAPH[stage]["deps"] if not dep.endswith(".py")}


def tracked(stage: str) -> set[str]:
    """Return the sections of params.yaml that a stage tracks."""
    keys = [entry for entry in GRAPH[stage]["params"] if isinstance(entry, str)]
    return {key.replace("${train.recipe}", "mlp") for key in keys}


def pick(values: dict, key: str) -> dict:
    first, _, rest = key.partition(".")
    return {first: pick(values[first], rest) if rest else values[first]}


def merge(a: dict, b: dict) -> dict:
    return a | {
        key: merge(a[key], value) if key in a and isinstance(value, dict) else value
        for key, value in b.items()
    }


def test_the_graph_has_the_five_stages_in_order():
    assert tuple(GRAPH) == STAGES
    assert all(GRAPH[stage]["cmd"] == f"python -m stages.{stage}" for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_the_import_closure(stage):
    declared = {dep for dep in GRAPH[stage]["deps"] if dep.endswith(".py")}
    assert declared == import_closure(ROOT / "stages" / f"{stage}.py")


def test_the_library_imports_no_stage_and_no_dvc():
    for path in (ROOT / "fmnist").rglob("*.py"):
        source = path.read_text()
        assert "import stages" not in source, path
        assert "from stages" not in source, path
    everything = [
        *ROOT.glob("stages/*.py"),
        *ROOT.glob("commands/*.py"),
        *ROOT.glob("versions/*.py"),
        *ROOT.rglob("fmnist/**/*.py"),
    ]
    for path in everything:
        assert not re.search(r"^\s*(import|from) dvc", path.read_text(), flags=re.MULTILINE), path
    for stage in STAGES:
        closure = import_closure(ROOT / "stages" / f"{stage}.py")
        assert [file for file in closure if file.startswith("stages/")] == [f"stages/{stage}.py"]


def only_declared(stage: str, reproduced: Path, folder: Path) -> Path:
    """Return a folder that holds what the graph says a stage reads, and nothing else."""
    for dep in GRAPH[stage]["deps"]:
        (folder / dep).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(reproduced / dep, folder / dep)
    values = yaml.safe_load((reproduced / "params.yaml").read_text())
    kept: dict = {}
    for key in tracked(stage) | {f"{stage}.{leaf}" for leaf in UNTRACKED.get(stage, [])}:
        kept = merge(kept, pick(values, key))
    (folder / "params.yaml").write_text(yaml.safe_dump(kept))
    pins = tomllib.loads((reproduced / "pyproject.toml").read_text())["dependency-groups"]
    lines = [f"{group} = {pins[group]}" for group in pin_groups(stage)]
    (folder / "pyproject.toml").write_text("\n".join(["[dependency-groups]", *lines]))
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_needs_only_what_it_declares_and_writes_only_what_it_declares(
    stage, reproduced, tmp_path
):
    folder = only_declared(stage, reproduced, tmp_path)
    before = files_below(folder, *OWN)
    result = run(folder, *GRAPH[stage]["cmd"].split())
    assert result.returncode == 0, result.stderr
    assert files_below(folder, *OWN) - before == outs(stage)
    for out in outs(stage):
        assert (folder / out).read_bytes() == (reproduced / out).read_bytes(), out


@pytest.mark.parametrize(
    ("stage", "dep"), [(stage, dep) for stage in STAGES for dep in sorted(data_deps(stage))]
)
def test_a_stage_reads_every_file_that_it_declares(stage, dep, project, monkeypatch):
    # In a process of its own a stage of TensorFlow takes seconds to start, so it runs in this one.
    monkeypatch.chdir(project)
    (project / dep).unlink()
    module = import_module(f"stages.{stage}")
    with pytest.raises((InputError, FileNotFoundError), match=re.escape(dep)):
        module.main()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_every_parameter_that_it_tracks(stage, project, monkeypatch):
    monkeypatch.chdir(project)
    module = import_module(f"stages.{stage}")
    values = yaml.safe_load((project / "params.yaml").read_text())
    for key in tracked(stage):
        parent, last = walk(values, key)
        section = parent[last]
        for leaf in list(section) if isinstance(section, dict) else [None]:
            kept = section.pop(leaf)
            (project / "params.yaml").write_text(yaml.safe_dump(values))
            with pytest.raises(InputError, match=re.escape(f"params.yaml: {key}.{leaf}: ")):
                module.main()
            section[leaf] = kept


@pytest.mark.parametrize("stage", ["preprocess", "train", "evaluate", "plot"])
def test_a_stage_refuses_other_versions_than_each_group_that_it_tracks(stage, project, monkeypatch):
    monkeypatch.chdir(project)
    module = import_module(f"stages.{stage}")
    right = pins = (project / "pyproject.toml").read_text()
    for group in tomllib.loads(pins)["dependency-groups"]:
        head, _, tail = pins.partition(f"\n{group} = [")
        wrong = f"{head}\n{group} = [{tail.replace('==', '==0.', 1)}"
        if group in pin_groups(stage):
            (project / "pyproject.toml").write_text(wrong)
            message = rf"dependency-groups.{group}: expected .*; `sh commands/install.sh` mends it"
            with pytest.raises(InputError, match=message):
                module.main()
        else:
            pins = wrong
    assert pins != right
    (project / "pyproject.toml").write_text(pins)
    module.main()


@pytest.mark.parametrize(
    ("stage", "loads"), [("fetch", False), ("preprocess", False), ("plot", False), ("train", True)]
)
def test_tensorflow_is_loaded_where_a_network_is_used_and_nowhere_else(stage, loads, project):
    program = (
        "import runpy, sys\n"
        f"try: runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    result = run(project, "python", "-c", program)
    assert result.stdout.splitlines()[-1] == str(loads), result.stderr


@pytest.mark.parametrize(
    "command", ["check", "emulate", "gate", "mend", "push", "seeds", "show", "verify"]
)
def test_no_command_loads_tensorflow(command):
    files = import_closure(ROOT / "commands" / f"{command}.py")
    closure = "\n".join((ROOT / file).read_text() for file in files)
    assert not re.search(r"(import|from) (tensorflow|keras)", closure)


def test_importing_a_stage_does_nothing(tmp_path):
    folder = copy_project(tmp_path)
    before = files_below(folder, *OWN)
    program = "import os; before = dict(os.environ)\n" + "".join(
        f"import stages.{stage}\n" for stage in STAGES
    )
    program += "import sys; assert before == dict(os.environ)\n"
    program += "assert not {'numpy', 'tensorflow', 'matplotlib', 'pandas'} & set(sys.modules)"
    result = run(folder, "python", "-B", "-c", program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert files_below(folder, *OWN) == before
