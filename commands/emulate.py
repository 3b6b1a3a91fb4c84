"""Run every recipe on little data as other machines would, and compare every artifact.

A machine is this one as it is, on one core, as another user, or an emulated processor. On each all
five stages of the committed code run, with one epoch, in a separate folder. A machine that this
system cannot provide is left out, with a message.

Reads       HEAD, data/raw/
Writes      nothing that stays
Exit code   0 identical, 1 different, 2 could not run
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from fmnist.pipeline import machine
from fmnist.pipeline.git_command import git
from fmnist.preprocess import idx
from fmnist.stage import command, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.versions.checkout import Checkout

RAW = Path("data/raw")
HERE = "this machine"
ARM = str(Path(".arm").resolve())  # where commands/arm.sh puts Python and packages for ARM
ARM_PROCESSORS = {"emulated Cortex-A76": "cortex-a76", "emulated ARM with SVE": "max,sme=off"}
# Another user, who may still read what only this one may, such as an installed Python.
ANOTHER_USER = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    *("env", "HOME=/", "USER=nobody", "LOGNAME=nobody"),
)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.emulate")
    parser.add_argument("--processor", default="Haswell", help="of QEMU (default: %(default)s)")
    parser.add_argument("--recipe", help="default: all")
    parser.add_argument("--machine", help="as it is named here, such as 'one core'; default: all")
    parser.add_argument("--images", type=int, default=2300, help="to train and validate with")
    arguments = parser.parse_args()
    first_core = str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"
    emulator = ("qemu-x86_64", "-cpu", arguments.processor)
    machines = {HERE: (sys.executable,)}
    others = {
        "one core": ("taskset", "--cpu-list", first_core, sys.executable),
        "another user": (*ANOTHER_USER, sys.executable),
        f"emulated {arguments.processor}": (*emulator, sys.executable),
        **{name: arm_python(processor) for name, processor in ARM_PROCESSORS.items()},
    }
    if arguments.machine not in (None, *others):
        raise InputError(
            f"--machine: expected one of {', '.join(others)}, found {arguments.machine!r}"
        )
    for name, python in others.items():
        if arguments.machine not in (None, name):
            continue
        if reason := impossible(python):
            print(f"left out: {name}: {reason}")
        else:
            machines[name] = python
    if len(machines) == 1:
        raise InputError("expected another machine to compare this one with, found none")
    print(machine.describe(git("rev-parse", "HEAD")), flush=True)

    with tempfile.TemporaryDirectory(
        prefix="fmnist-emulate-", ignore_cleanup_errors=True
    ) as folder:
        mirror = Path(folder, "mirror")
        mirror.mkdir()
        write_first(arguments.images, mirror)
        committed = Checkout.create(Path(folder, "committed"), "HEAD")
        known = yaml_file.load(committed.folder / parameters.PATH)["recipes"]
        if arguments.recipe not in (None, *known):
            raise InputError(
                f"--recipe: expected one of {', '.join(known)}, found {arguments.recipe!r}"
            )
        runs = list(product([arguments.recipe] if arguments.recipe else known, machines))
        with ThreadPoolExecutor(max_workers=2) as pool:
            found = pool.map(
                lambda run: _run(Path(folder, " on ".join(run)), mirror, run[0], machines[run[1]]),
                runs,
            )
            digests = dict(zip(runs, found, strict=True))
    return _report(digests)


def impossible(python: tuple[str, ...]) -> str | None:
    """Return why Python cannot be run by this command; None if it can."""
    if shutil.which(python[0]) is None:
        package = "; Debian's package qemu-user has it" if python[0].startswith("qemu") else ""
        return f"{python[0]} is not installed{package}"
    if not Path(python[-1]).exists():
        return f"there is no {python[-1]}; `sh commands/arm.sh` makes it"
    tried = subprocess.run([*python, "-c", ""], capture_output=True, text=True)
    return (tried.stderr.strip() or "it fails") if tried.returncode else None


def arm_python(processor: str) -> tuple[str, ...]:
    """Return the command that starts Python on an emulated ARM processor of QEMU."""
    return ("qemu-aarch64", "-cpu", processor, "-L", ARM, f"{ARM}/usr/bin/python3")


def write_first(count: int, mirror: Path) -> None:
    """Write raw files of the first ``count`` training images, and of half as many test images."""
    for part, kept in (("train", count), ("t10k", count // 2)):
        images_file, labels_file = (
            f"{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")
        )
        images = idx.read_images(RAW / images_file)
        labels = idx.read_labels(RAW / labels_file, images)
        (mirror / images_file).write_bytes(idx.encode(images[:kept]))
        (mirror / labels_file).write_bytes(idx.encode(labels[:kept]))


def _run(folder: Path, mirror: Path, recipe: str, python: tuple[str, ...]) -> dict[str, str]:
    """Run all stages in a checkout; return the SHA-256 of each output, by its path."""
    checkout = Checkout.create(folder, "HEAD")
    checkout.fetch_from(mirror)
    images = (mirror / "train-labels-idx1-ubyte").stat().st_size - 8
    checkout.set(
        {
            "preprocess.validation_size": images // 8,
            "train.recipe": recipe,
            f"recipes.{recipe}.epochs": 1,
        }
    )
    return {
        path: hashlib.sha256((checkout.folder / path).read_bytes()).hexdigest()
        for path in checkout.run_stages(*python)
    }


def _report(digests: dict[tuple[str, str], dict[str, str]]) -> int:
    """Print how each machine's artifacts compare with this one's; return the exit code."""
    status = 0
    for (recipe, name), found in digests.items():
        here = digests[recipe, HERE]
        others = [path for path in here if found[path] != here[path]]
        verdict = (
            f"different: {', '.join(others)}" if others else f"{len(here)} artifacts identical"
        )
        if name != HERE:
            print(f"{recipe} on {name}: {verdict}")
        status = status or int(bool(others))
    return status


if __name__ == "__main__":
    command.run(main)
