"""The commands for experiments in docs/experiments.md, one after another."""

import csv
import json
import re
import shlex

import pytest
from programs import commit, dvc
from projects import ROOT

from fmnist.stage import yaml_file

PAGE = (ROOT / "docs" / "experiments.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)
    for line in re.search(r"```sh\n(dvc exp .+?)```", PAGE, re.DOTALL)[1].splitlines()
]


@pytest.mark.slow
def test_values_are_tried_queued_shown_and_taken_over(project):
    commit(project)
    wide = {"COLUMNS": "500"}  # of a terminal, else what does not fit is left out
    printed = {" ".join(command[1:4]): dvc(project, *command[1:], **wide) for command in COMMANDS}
    assert len(printed) == len(COMMANDS) - 1  # two are queued in the same way
    for name in ("short", "steep", "narrow"):
        assert f"[{name}]" in printed["exp show --only-changed"]
    values = yaml_file.load(project / "params.yaml")["recipes"]["mlp"]
    assert values["optimizer"]["learning_rate"] == 0.03
    assert (values["network"]["units"], values["epochs"]) == ([300, 100], 3)
    history = csv.DictReader((project / "plots" / "history.csv").read_text().splitlines())
    metrics = json.loads((project / "metrics" / "train.json").read_text())
    assert float([row["val_accuracy"] for row in history][-1]) == metrics["val_accuracy"]
    assert "up to date" in dvc(project, "status")
