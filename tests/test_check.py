"""`make check` names what is missing for a new file, section, metric or plot, and where to add it.

That the committed graph is exact is tested in `test_graph`.
"""

import shutil
from pathlib import Path

import pytest
import yaml
from programs import call
from projects import ROOT, set_value

from commands.check import TAKE_BACK
from fmnist.pipeline import graph
from fmnist.stage import yaml_file


@pytest.fixture
def source(tmp_path) -> Path:
    """The files that `make check` reads."""
    for name in ("fmnist", "stages", "metrics", "plots"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in (".dvcignore", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def check(folder: Path) -> list[str]:
    """Return the faults, which the command must print."""
    result = call(folder, "commands.check")
    errors = [line.removeprefix("error: ") for line in result.stderr.splitlines()]
    assert result.returncode == (2 if errors else 0)
    return errors


def append(folder: Path, file: str, line: str) -> None:
    with (folder / file).open("a") as source:
        source.write(f"{line}\n")


def edit_stage(folder: Path, stage: str, kind: str, remove: object) -> None:
    """Remove an entry of a stage in dvc.yaml."""
    values = yaml_file.load(folder / "dvc.yaml")
    values["stages"][stage][kind].remove(remove)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def test_the_committed_project_has_no_fault():
    assert check(ROOT) == []


def test_an_import_outside_the_dependencies_is_named_with_the_file_that_has_it(source):
    append(source, "fmnist/train/epoch.py", "import fmnist.plot.per_class as per_class")
    assert check(source) == [
        "fmnist/train/epoch.py imports fmnist/plot/per_class.py: add fmnist/plot to the deps of"
        " train in dvc.yaml, or move the file to a folder that train has"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "from fmnist.train import new",
        "from fmnist.train.new import something",
        "from . import new",
        "from .new import something",
        "def function():\n    import fmnist.train.new",
    ],
)
def test_a_file_is_imported_by_any_form_of_import_or_is_a_fault(source, line):
    append(source, "fmnist/train/new.py", "something = 1")
    assert check(source) == [
        "fmnist/train/new.py: in a dependency of train but train does not import it: import it, or"
        " move it"
    ]
    append(source, "fmnist/train/epoch.py", line)
    assert check(source) == []


def test_files_that_dvc_ignores_are_no_fault(source):
    for name in ("__pycache__/new.pyc", ".epoch.py.swp", "epoch.py~"):
        path = source / "fmnist" / "train" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert check(source) == []


def test_folders_that_no_stage_declares_are_not_checked(source):
    (source / "fmnist" / "new").mkdir()
    append(source, "fmnist/new/code.py", "import fmnist.plot.canvas")
    assert check(source) == []


def test_a_section_that_no_stage_tracks_or_that_is_missing_is_named(source):
    append(source, "params.yaml", "new:\n  value: 1")
    assert check(source) == [
        "params.yaml: new: unknown key",
        "params.yaml: new: no stage tracks it: add it to the params of the stage that reads it in"
        " dvc.yaml",
        TAKE_BACK,
    ]
    edit_stage(source, "plot", "params", "plot")
    assert graph.check(source)[1].startswith("params.yaml: plot: no stage tracks it: add it to")


def test_a_tracked_section_that_is_missing_is_named(source):
    values = yaml_file.load(source / "params.yaml")
    del values["plot"]
    (source / "params.yaml").write_text(yaml.safe_dump(values))
    assert check(source) == [
        "params.yaml: plot: missing key",
        "params.yaml: plot: missing section: add it, or remove it from the params of plot in"
        " dvc.yaml",
        TAKE_BACK,
    ]


def test_results_that_no_stage_declares_are_named(source):
    (source / "plots" / "new.png").touch()
    (source / "metrics" / "new.json").touch()
    assert check(source) == [
        "metrics/new.json: no stage declares it: add it to the metrics of its stage in dvc.yaml",
        "plots/new.png: no stage declares it: add it to the plots of its stage in dvc.yaml",
    ]


def test_a_program_that_does_not_exist_is_named(source):
    (source / "stages" / "plot.py").unlink()
    assert check(source) == ["dvc.yaml: the cmd of plot runs stages.plot, which does not exist"]


def test_faults_of_parameters_and_of_the_graph_are_reported_together(source):
    set_value(source, "plot.dpi", 1)
    (source / "plots" / "new.png").touch()
    first, second, last = check(source)
    assert first.startswith("params.yaml: plot.dpi: expected ")
    assert second.startswith("plots/new.png: ")
    assert last == "to undo all changes to params.yaml: git restore params.yaml" == TAKE_BACK
