"""Get the four raw files of Fashion-MNIST, decompressed and checked.

Reads       mirrors, or .downloads/ where earlier downloads are kept
Writes      data/raw/
Parameters  fetch
"""

import os
from pathlib import Path

from fmnist import contract, parameters, stage
from fmnist.fetch.download import download, place
from fmnist.fetch.parameters import Fetch

KEPT = Path(".downloads")
RAW = Path("data/raw")


def main() -> None:
    """Run the stage; the environment variable FMNIST_MIRRORS stands in for fetch.mirrors."""
    settings = parameters.read("fetch", Fetch)
    contract.apply()

    if mirrors := os.environ.get("FMNIST_MIRRORS", "").split():
        overridden = settings.model_dump(by_alias=True) | {"mirrors": mirrors}
        settings = parameters.validate(overridden, Fetch, "fetch", source="FMNIST_MIRRORS")
    for name, path in download(settings, KEPT).items():
        place(path, RAW / name)


if __name__ == "__main__":
    stage.run("fetch", main)
