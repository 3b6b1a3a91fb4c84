"""Change values in params.yaml; its comments and everything else stay."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from fmnist.stage import dotted, files, parameters


def change(values: Mapping[str, Any], path: Path = parameters.PATH) -> None:
    """Replace values, named by their dotted keys, whose parents exist."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null")
    )  # where ruamel would write nothing
    everything = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        if dotted.get(everything, key) != value:
            dotted.put(everything, key, _in_brackets(value))
    text = io.StringIO()
    yaml.dump(everything, text)
    files.write_text(path, text.getvalue())


def _in_brackets(value: Any) -> Any:
    """Return a list as one that is written in one line, as params.yaml has them."""
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value
