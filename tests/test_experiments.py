"""README's commands of DVC's experiments, one after another."""

import csv
import json
import re
import shlex

import pytest
from conftest import ROOT, commit, dvc

from fmnist import parameters

SECTION = re.search(
    r"^### Try other values\n(.+?)^### ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)[1]
COMMANDS = [
    shlex.split(line, comments=True)
    for line in re.search(r"```sh\n(dvc exp .+?)```", SECTION, re.DOTALL)[1].splitlines()
]


@pytest.mark.slow
def test_values_are_tried_queued_shown_and_taken_over(project):
    commit(project)
    wide = {"COLUMNS": "500"}  # of a terminal, else what does not fit is left out
    said = {" ".join(command[1:4]): dvc(project, *command[1:], **wide) for command in COMMANDS}
    assert len(said) == len(COMMANDS) - 1  # two are queued in the same way
    for name in ("short", "steep", "narrow"):
        assert f"[{name}]" in said["exp show --only-changed"]
    values = parameters.load(project / "params.yaml")["recipes"]["mlp"]
    assert values["optimizer"]["learning_rate"] == 0.03
    assert (values["network"]["units"], values["epochs"]) == ([300, 100], 3)
    history = csv.DictReader((project / "plots" / "history.csv").read_text().splitlines())
    metrics = json.loads((project / "metrics" / "train.json").read_text())
    assert float([row["val_accuracy"] for row in history][-1]) == metrics["val_accuracy"]
    assert "up to date" in dvc(project, "status")
