"""How far results are from the contract's on a machine outside it; the limits rest on this.

All stages run twice, each time in a clone of HEAD: as they are, and with XLA and oneDNN limited to
AVX, which has no fused multiply-adds. Then each artifact is compared with `make verify`'s rules.

Reads       HEAD, data/raw/
Writes      nothing that stays
Usage       python -m benchmarks.tolerance [--recipe cnn]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.raw_files import RAW
from fmnist.stage import command, parameters, yaml_file
from fmnist.versions import tolerance
from fmnist.versions.checkout import Checkout

WITH_AVX = """
import runpy, sys
from fmnist.stage import contract
contract.SWITCHES["ONEDNN_MAX_CPU_ISA"] = "AVX"
contract.SWITCHES["XLA_FLAGS"] = contract.SWITCHES["XLA_FLAGS"].replace("AVX2", "AVX")
sys.argv = sys.argv[2:]  # without -c and -m
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def main() -> None:
    """Run the benchmark."""
    recipes = yaml_file.load(parameters.PATH)["recipes"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tolerance")
    parser.add_argument("--recipe", choices=recipes, default="mlp", help="(default: %(default)s)")
    recipe = parser.parse_args().recipe
    with tempfile.TemporaryDirectory(prefix="fmnist-tolerance-") as folder:
        inside, outside = (Path(folder, name) for name in ("inside", "outside"))
        outputs = run_stages(inside, recipe)
        run_stages(outside, recipe, "-c", WITH_AVX)
        for path in outputs:
            if found := tolerance.compare(inside / path, outside / path):
                print(f"{recipe}  {path}: {found[1]}")


def run_stages(folder: Path, recipe: str, *options: str) -> list[str]:
    """Run the stages of HEAD with these options of Python; return the paths of all outputs."""
    checkout = Checkout.create(folder, "HEAD")
    checkout.set({"download.mirrors": [RAW.resolve().as_uri()], "train.recipe": recipe})
    return checkout.run_stages(sys.executable, *options)


if __name__ == "__main__":
    command.run(main)
