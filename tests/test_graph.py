"""dvc.yaml tells the truth: code, data, parameters and outputs of each stage are those declared."""

import ast
import re
import shutil
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from programs import forking, run
from projects import GRAPH, ROOT, STAGES, copy_project, files_below, pin_groups

from fmnist.pipeline.graph import import_closure
from fmnist.stage import dotted
from fmnist.stage.command import InputError
from fmnist.train import decisive

OWN = (".git", ".dvc", ".downloads", "__pycache__")  # what no stage declares
# Where data come from cannot change them, so fetch reads this section and the graph does not.
UNTRACKED = {"fetch": ["download"]}


def names(entries: list) -> set[str]:
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def outs(stage: str) -> set[str]:
    return set().union(
        *(names(GRAPH[stage].get(kind, [])) for kind in ("outs", "metrics", "plots"))
    )


def data_deps(stage: str) -> set[str]:
    return {dep for dep in GRAPH[stage]["deps"] if not dep.startswith(("fmnist/", "stages/"))}


def declared_code(stage: str) -> set[str]:
    """Return the files of code that a stage declares, those in its folders included."""
    paths = [ROOT / dep for dep in GRAPH[stage]["deps"] if dep not in data_deps(stage)]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    return {file.relative_to(ROOT).as_posix() for file in files}


def closure(folder: str, name: str) -> set[str]:
    return import_closure(ROOT / folder / f"{name}.py", ROOT)


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


def test_the_graph_has_the_five_stages_in_order_after_a_check_of_all_parameters():
    assert tuple(GRAPH) == ("check", *STAGES)
    assert GRAPH["check"]["params"] == [{"params.yaml": None}]
    assert all(GRAPH[stage]["cmd"] == f"python -m stages.{stage}" for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_the_import_closure(stage):
    assert declared_code(stage) == closure("stages", stage)


@pytest.mark.parametrize("stage", STAGES)
def test_python_imports_what_the_import_closure_says(stage):
    before = dict(sys.modules)
    for name in [name for name in before if name.partition(".")[0] in ("fmnist", "stages")]:
        del sys.modules[name]
    try:
        import_module(f"stages.{stage}")
        files = [getattr(module, "__file__", None) for module in sys.modules.values()]
    finally:
        sys.modules.clear()
        sys.modules.update(before)
    own = [Path(file).relative_to(ROOT) for file in files if file and file.startswith(f"{ROOT}/")]
    imported = {path.as_posix() for path in own if path.parts[0] in ("fmnist", "stages")}
    assert imported == closure("stages", stage)


def test_the_key_of_a_training_covers_what_the_graph_tracks_for_train():
    assert set(decisive.DEPENDENCIES) == set(GRAPH["train"]["deps"])
    assert set(decisive.PINS) == pin_groups("train")


def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize(
    ("folder", "banned"),
    [
        ("fmnist", {"stages", "commands", "benchmarks", "dvc"}),
        ("stages", {"stages", "commands", "benchmarks", "dvc"}),
        ("commands", {"stages", "commands", "benchmarks", "dvc"}),
    ],
)
def test_the_library_imports_no_program_programs_none_of_each_other_and_nothing_dvc(folder, banned):
    for path in (ROOT / folder).rglob("*.py"):
        roots = {name.partition(".")[0] for name in imported_by(path)}
        assert not roots & banned, path


@pytest.mark.parametrize("folder", ["stages", "commands", "fmnist"])
def test_modules_import_at_the_top(folder):
    late = {
        "commands/sweep.py",  # which needs packages that `make install` does not install
        "fmnist/sweeps/worker.py",  # which Ray sends to nodes that have no code yet
    }
    for path in (ROOT / folder).rglob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        inside = [
            node
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not inside or path.relative_to(ROOT).as_posix() in late, path


def only_declared(stage: str, reproduced: Path, folder: Path) -> Path:
    """Return a folder that holds what the graph says a stage reads, and nothing else."""
    for dep in GRAPH[stage]["deps"]:
        (folder / dep).parent.mkdir(parents=True, exist_ok=True)
        if (reproduced / dep).is_dir():
            shutil.copytree(reproduced / dep, folder / dep)
        else:
            shutil.copy(reproduced / dep, folder / dep)
    values = yaml.safe_load((reproduced / "params.yaml").read_text())
    kept: dict = {}
    for key in tracked(stage) | set(UNTRACKED.get(stage, [])):
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
    result = run(folder, *GRAPH[stage]["cmd"].split(), **forking())
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
        section = dotted.find(values, key)
        for leaf in list(section):
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
            message = rf"dependency-groups.{group}: expected .*; run `sh commands/install.sh`"
            with pytest.raises(InputError, match=message):
                module.main()
        else:
            pins = wrong
    assert pins != right
    (project / "pyproject.toml").write_text(pins)
    module.main()


@pytest.mark.parametrize("stage", ["fetch", "preprocess", "plot"])
def test_tensorflow_is_not_loaded_while_a_stage_without_a_network_runs(stage, project):
    program = (
        "import runpy, sys\n"
        f"try: runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    result = run(project, "python", "-c", program)
    assert result.stdout.splitlines()[-1] == "False", result.stderr


# To count the operations of each network, and in the workers of a sweep.
WITH_TENSORFLOW = {"recipes", "sweep"}


def test_no_other_command_loads_tensorflow():
    commands = {path.stem for path in (ROOT / "commands").glob("[!_]*.py")}
    assert commands > WITH_TENSORFLOW
    for command in commands - WITH_TENSORFLOW:
        for file in closure("commands", command):
            roots = {name.partition(".")[0] for name in imported_by(ROOT / file)}
            assert not roots & {"tensorflow", "keras"}, f"{command}: {file}"


def test_importing_a_stage_does_nothing_but_apply_the_contract(tmp_path):
    folder = copy_project(tmp_path)
    before = files_below(folder, *OWN)
    program = (
        "import os, random\n"
        "from fmnist.stage import contract\n"
        "contract.apply()\n"
        "import fmnist.network, keras, numpy, pandas, requests, scipy, sklearn\n"
        "contract.apply()  # removes what these packages set\n"
        "def state():\n"
        "    drawn = random.getstate(), numpy.random.get_state()[1].tolist()\n"
        "    return dict(os.environ), os.getcwd(), drawn\n"
        "before = state()\n" + "".join(f"import stages.{stage}\n" for stage in STAGES) + ""
        "assert state() == before\n"
    )
    result = run(folder, "python", "-B", "-c", program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert files_below(folder, *OWN) == before
