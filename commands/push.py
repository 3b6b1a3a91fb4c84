"""Push every run that this machine remembers: elsewhere `dvc repro --pull` then runs none of them.

`dvc push --run-cache` sends the records of all runs, but of their outputs only those of dvc.lock,
and none that Git holds (`cache: false`); without all of them DVC runs a stage again. So while it
pushes, make-push.dvc names the outputs of all runs as if each were a file of data.

Reads       DVC's cache
Exit code   0, or 2 if DVC could not push
"""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from fmnist import command, files
from fmnist.command import InputError

RUNS = Path("make-push.dvc")  # which a killed push leaves for `commands.mend`


def dvc(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run DVC, which says itself what is wrong."""
    result = subprocess.run(["dvc", *arguments], text=True, **options)
    if result.returncode:
        raise InputError(f"`dvc {' '.join(arguments)}` failed; DVC's message says why")
    return result


def outputs(cache: Path) -> list[dict[str, Any]]:
    """Return the outputs of all runs that `dvc gc` has not deleted, each under its MD5 as path."""
    found = {}
    for record in sorted(cache.glob("runs/*/*/*")):
        try:
            outs = yaml.safe_load(record.read_text(encoding="utf-8"))["outs"]
        except (yaml.YAMLError, TypeError, KeyError):  # half-written by a DVC that was killed
            continue
        for out in outs:
            md5 = out["md5"]
            if (cache / "files" / "md5" / md5[:2] / md5[2:]).is_file():
                found[md5] = out | {"path": md5}
    return list(found.values())


def main() -> None:
    """Run the command."""
    cache = Path(dvc("cache", "dir", stdout=subprocess.PIPE).stdout.strip())
    try:
        files.write_text(RUNS, yaml.safe_dump({"outs": outputs(cache)}))
        dvc("push", "--run-cache")
    finally:
        RUNS.unlink(missing_ok=True)


if __name__ == "__main__":
    command.run(main)
