"""A changed parameter reruns exactly the stages that it affects: for every value in params.yaml.

And the stage `check`, which every value concerns and on which no stage depends.
"""

import copy
import hashlib
import re
import shutil
from pathlib import Path

import pytest
from programs import dvc, dvc_status
from projects import REAL, STAGES, copy_project, make_small, set_value
from tiny_data import pixels

from commands.check import Parameters
from fmnist.preprocess import idx
from fmnist.stage import dotted, parameters, yaml_file
from fmnist.stage.command import InputError

PARAMETERS = dotted.leaves(REAL)

# Every value that reaches a result, another one for it, and the stage that reads it. A key that is
# missing here fails a test, and so does one whose stage is not the one that DVC names.
CHANGES = {
    "fetch.sha256.train-images-idx3-ubyte": ("train-images", "fetch"),
    "fetch.sha256.train-labels-idx1-ubyte": ("train-labels", "fetch"),
    "fetch.sha256.t10k-images-idx3-ubyte": ("t10k-images", "fetch"),
    "fetch.sha256.t10k-labels-idx1-ubyte": ("t10k-labels", "fetch"),
    "preprocess.split": ("random", "preprocess"),
    "preprocess.validation_size": (11, "preprocess"),
    "preprocess.seed": (1, "preprocess"),
    "preprocess.normalize": ("standardize", "preprocess"),
    "train.recipe": ("cnn", "train"),
    "train.seed": (0, "train"),
    "recipes.mlp.network.architecture": (None, "train"),
    "recipes.mlp.network.units": ([20], "train"),
    "recipes.mlp.network.activation": ("tanh", "train"),
    "recipes.mlp.network.dropout": (0.1, "train"),
    "recipes.mlp.optimizer.name": (None, "train"),
    "recipes.mlp.optimizer.learning_rate": (0.02, "train"),
    "recipes.mlp.optimizer.momentum": (0.5, "train"),
    "recipes.mlp.optimizer.nesterov": (None, "train"),
    "recipes.mlp.optimizer.weight_decay": (0.01, "train"),
    "recipes.mlp.schedule.name": (None, "train"),
    "recipes.mlp.label_smoothing": (0.1, "train"),
    "recipes.mlp.augmentation": ({"flip": True, "shift": 1, "erase": 4}, "train"),
    "recipes.mlp.batch_size": (16, "train"),
    "recipes.mlp.epochs": (2, "train"),
    "recipes.mlp.threads": (1, "train"),
    "recipes.mlp.jit_compile": (False, "train"),
    "evaluate.batch_size": (7, "evaluate"),
    "evaluate.threads": (1, "evaluate"),
    "evaluate.flip": (False, "evaluate"),
    "plot.dpi": (60, "plot"),
    "plot.predictions": (2, "plot"),
    "plot.mistakes": (1, "plot"),
    "plot.training_images": (8, "plot"),
}
# A value that cannot stand alone is changed with those that it belongs to.
TOGETHER = {
    "recipes.mlp.network.architecture": {
        "recipes.mlp.network": {
            "architecture": "cnn",
            "filters": [4],
            "residual_blocks": [1],
            "kernel_size": 3,
            "units": [10],
            "activation": "relu",
            "dropout": 0.0,
        },
        "recipes.mlp.jit_compile": False,
    },
    "recipes.mlp.optimizer.name": {
        "recipes.mlp.optimizer": {
            "name": "adam",
            "learning_rate": 0.01,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-7,
        }
    },
    "recipes.mlp.optimizer.nesterov": {
        "recipes.mlp.optimizer.nesterov": True,
        "recipes.mlp.optimizer.momentum": 0.5,
    },
    "recipes.mlp.schedule.name": {
        "recipes.mlp.schedule": {"name": "cosine_decay", "warmup_epochs": 0.0, "alpha": 0.0}
    },
}
# What no result depends on while the recipe is mlp.
NOTHING = {
    "download.mirrors": ["file:///nowhere"],
    "download.connect_timeout": 1,
    "download.read_timeout": 1,
    "download.retries": 0,
    "download.size_limit": 10**8,
}
OTHER_RECIPES = {
    key for key in PARAMETERS if key.startswith("recipes.") and not key.startswith("recipes.mlp.")
}


def change(folder: Path, mirror: Path, key: str) -> None:
    """Give ``key`` another value, valid together with the rest."""
    if key.startswith("fetch.sha256."):
        images, labels = pixels(60 if "train" in key else 20, seed=9)
        content = idx.encode(images if "images" in key else labels)
        name = key.removeprefix("fetch.sha256.")
        other = shutil.copytree(mirror, folder / "mirror")
        (other / name).write_bytes(content)
        set_value(folder, key, hashlib.sha256(content).hexdigest())
        set_value(folder, "download.mirrors", [other.as_uri()])
    else:
        for together, value in changes(key).items():
            set_value(folder, together, value)


def changes(key: str) -> dict[str, object]:
    return TOGETHER.get(key, {key: CHANGES[key][0]})


def status(folder: Path) -> set[str]:
    return set(dvc_status(folder))


def test_every_value_of_params_yaml_has_an_entry_here():
    assert len(OTHER_RECIPES) > 20
    entries = CHANGES.keys() | NOTHING.keys() | OTHER_RECIPES
    faults = [
        f"tests/test_reruns.py: add a row for {key} to CHANGES (to NOTHING if it changes no result)"
        for key in PARAMETERS.keys() - entries
    ]
    faults += [
        f"tests/test_reruns.py: remove the row of {key}, which params.yaml does not have"
        for key in entries - PARAMETERS.keys()
    ]
    assert not faults, "\n".join(sorted(faults))


def test_every_change_here_is_valid():
    faults = []
    for key in CHANGES:
        if not key.startswith("fetch.sha256."):  # whose values stand for files
            values = copy.deepcopy(REAL)
            for together, value in changes(key).items():
                dotted.put(values, together, value)
            table = "TOGETHER" if key in TOGETHER else "CHANGES"
            source = f"tests/test_reruns.py: {table}, row {key}"
            if values == REAL:
                faults.append(f"{source}: give it another value than params.yaml has")
            try:
                parameters.validate(values, Parameters, source=source)
            except InputError as error:
                faults.append(str(error))
    assert not faults, "\n".join(faults)


def test_the_copy_for_small_data_keeps_the_keys_of_the_real_parameters(tmp_path, mirror):
    folder = make_small(copy_project(tmp_path), mirror)
    small = dotted.leaves(yaml_file.load(folder / "params.yaml"))
    assert small.keys() == PARAMETERS.keys()


@pytest.mark.parametrize("key", CHANGES)
def test_dvc_names_exactly_the_stage_that_reads_the_value(key, project, mirror):
    change(project, mirror, key)
    assert status(project) == {"check", CHANGES[key][1]}


def test_dvc_names_only_the_check_for_a_value_that_reaches_no_result(project):
    for key, value in NOTHING.items():
        set_value(project, key, value)
        assert status(project) == {"check"}, key


def test_dvc_names_only_the_check_for_any_value_of_a_recipe_that_is_not_chosen(project):
    for key in OTHER_RECIPES:
        set_value(project, key, [PARAMETERS[key], "other"])
    assert status(project) == {"check"}


def test_dvc_names_train_for_every_value_of_the_recipe_once_it_is_chosen(project):
    set_value(project, "train.recipe", "cnn")
    dvc(project, "commit", "--force", "check", "train")  # records the parameters as they are now
    assert status(project) == set()
    for key, value in PARAMETERS.items():
        if key.startswith("recipes.cnn."):
            set_value(project, key, [value, "other"])
            assert "train" in status(project), key
            set_value(project, key, 3 if key.endswith(".epochs") else value)
    assert status(project) == set()


def md5s(folder: Path) -> dict[str, dict[str, str]]:
    """Return for each stage its dependencies' hashes, as dvc.lock has them."""
    stages = yaml_file.load(folder / "dvc.lock")["stages"]
    return {stage: {dep["path"]: dep["md5"] for dep in stages[stage]["deps"]} for stage in STAGES}


def reproduce(folder: Path) -> list[str]:
    """Run the pipeline; return the stages that were executed."""
    return re.findall(r"^Running stage '(\w+)'", dvc(folder, "repro"), flags=re.MULTILINE)


def check_real_run(folder: Path, named: set[str]) -> list[str]:
    """Run, and check that besides the check, and ``named``, just those ran whose inputs changed."""
    before = md5s(folder)
    executed = reproduce(folder)
    after = md5s(folder)
    expected = [stage for stage in STAGES if stage in named or before[stage] != after[stage]]
    assert executed == ["check", *expected]
    assert status(folder) == set()
    return executed


@pytest.mark.parametrize(
    ("key", "executed"),
    [
        ("preprocess.seed", ["preprocess"]),  # the last images are held out whatever the seed
        ("train.seed", ["train", "evaluate", "plot"]),
        ("plot.dpi", ["plot"]),
    ],
)
def test_a_real_run_executes_just_what_is_affected(key, executed, project, mirror):
    change(project, mirror, key)
    assert check_real_run(project, {CHANGES[key][1]}) == ["check", *executed]


@pytest.mark.slow
@pytest.mark.parametrize("key", CHANGES)
def test_a_real_run_executes_just_what_is_affected_for_every_value(key, project, mirror):
    change(project, mirror, key)
    check_real_run(project, {CHANGES[key][1]})


def test_a_recipe_comes_back_from_the_run_cache_and_another_ones_edit_is_not_seen(project):
    first = (project / "dvc.lock").read_bytes()
    values = (project / "params.yaml").read_text()
    set_value(project, "recipes.cnn.network.filters", [4])
    set_value(project, "recipes.cnn.network.residual_blocks", [0])
    set_value(project, "train.recipe", "cnn")
    assert reproduce(project)[:2] == ["check", "train"]
    set_value(project, "recipes.mlp.epochs", 1)
    assert status(project) == {"check"}
    (project / "params.yaml").write_text(values)
    output = dvc(project, "repro")
    assert "Stage 'train' is cached - skipping run" in output
    assert output.count("Running stage") == 1  # the check
    assert (project / "dvc.lock").read_bytes() == first


def test_nothing_runs_when_nothing_changed(project):
    assert status(project) == set()
    assert reproduce(project) == []


@pytest.mark.parametrize(
    ("group", "stages"),
    [
        ("prepare", {"preprocess", "train", "evaluate", "plot"}),
        ("train", {"train", "evaluate"}),
        ("evaluate", {"evaluate"}),
        ("plot", {"plot"}),
        ("run", set()),
        ("develop", set()),
        ("share", set()),
        ("servers", set()),
    ],
)
def test_a_changed_pin_is_seen_by_the_stages_whose_results_it_decides(group, stages, project):
    path = project / "pyproject.toml"
    head, _, tail = path.read_text().partition(f"\n{group} = [")
    path.write_text(f"{head}\n{group} = [{tail.replace('==', '==99.', 1)}")
    assert status(project) == stages


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("fmnist/plot/canvas.py", {"plot"}),
        ("fmnist/train/epoch.py", {"train"}),
        ("fmnist/evaluate/metrics.py", {"evaluate"}),
        ("fmnist/fetch/download.py", {"fetch"}),
        ("fmnist/preprocess/split.py", {"preprocess"}),
        ("fmnist/network/product.py", {"train", "evaluate"}),
        ("fmnist/predictions/calibration.py", {"evaluate", "plot"}),
        ("fmnist/dataset/arrays.py", {"preprocess", "train", "evaluate", "plot"}),
        ("fmnist/stage/contract.py", set(STAGES)),
        ("stages/__init__.py", set(STAGES)),
        ("stages/train.py", {"train"}),
        ("fmnist/versions/seeds.py", set()),
        ("commands/check.py", set()),
        ("README.md", set()),
    ],
)
def test_changed_code_is_seen_by_the_stages_that_run_it(file, stages, project):
    with (project / file).open("a") as source:
        source.write("# changed\n")
    assert status(project) == stages


def test_what_python_and_editors_leave_among_code_reruns_nothing(project):
    for name in ("__pycache__/epoch.pyc", "epoch.pyc", ".epoch.py.swp", "epoch.py~", ".#epoch.py"):
        path = project / "fmnist" / "train" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert status(project) == set()
    (project / "fmnist" / "train" / "new.py").touch()
    assert status(project) == {"train"}
