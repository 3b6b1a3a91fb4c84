"""Push every run that this machine remembers: elsewhere `dvc repro --pull` then runs none of them.

`dvc push --run-cache` sends the records of all runs, but only those of their outputs that dvc.lock
names, and none that Git has (`cache: false`); where one is missing, DVC runs the stage again. So
during the push, make-push.dvc names the outputs of all runs as if each were a file of data.

Reads       DVC's cache
Exit code   0, or 2 if DVC could not push
"""

import json
from pathlib import Path
from typing import Any

from fmnist.pipeline import dvc_command
from fmnist.pipeline.dvc_command import PUSH_LIST
from fmnist.stage import command, files, yaml_file
from fmnist.stage.command import InputError


def main() -> None:
    """Run the command."""
    try:
        files.write_text(PUSH_LIST, json.dumps({"outs": outputs(dvc_command.cache())}))
        if dvc_command.run("push", "--run-cache").returncode:
            raise InputError("`dvc push --run-cache` failed; see DVC's message")
    finally:
        PUSH_LIST.unlink(missing_ok=True)


def outputs(cache: Path) -> list[dict[str, Any]]:
    """Return the outputs of all runs that `dvc gc` has not deleted, each under its MD5 as path."""
    found = {}
    for record in sorted(cache.glob("runs/*/*/*")):
        try:
            outs = yaml_file.load(record)["outs"]
        except (InputError, KeyError):  # half-written by a killed DVC
            continue
        for out in outs or []:
            md5 = out["md5"]
            if (cache / "files" / "md5" / md5[:2] / md5[2:]).is_file():
                found[md5] = out | {"path": md5}
    return list(found.values())


if __name__ == "__main__":
    command.run(main)
