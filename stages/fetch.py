"""Get the four raw files of Fashion-MNIST, decompressed and checked.

Reads       mirrors, or .downloads/, which keeps earlier downloads
Writes      data/raw/
Parameters  fetch, download
"""

import os
import shutil
from pathlib import Path

from fmnist.fetch import Download, Fetch
from fmnist.fetch.download import download
from fmnist.stage import lifecycle, parameters
from fmnist.stage.files import replacing

KEPT = Path(".downloads")
RAW = Path("data/raw")


def main() -> None:
    """Run the stage; the environment variable FMNIST_MIRRORS replaces download.mirrors."""
    hashes = parameters.read("fetch", Fetch).sha256.model_dump(by_alias=True)
    settings = parameters.read("download", Download)

    if mirrors := os.environ.get("FMNIST_MIRRORS", "").split():
        values = settings.model_dump() | {"mirrors": mirrors}
        settings = parameters.validate(values, Download, "download", source="FMNIST_MIRRORS")
    for name, path in download(hashes, settings, KEPT).items():
        with path.open("rb") as source, replacing(RAW / name) as target:
            shutil.copyfileobj(source, target)


if __name__ == "__main__":
    lifecycle.run("fetch", main)
