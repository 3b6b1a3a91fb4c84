"""Compare this checkout with another revision: what changed, and whether it is more than noise.

Reads       this checkout, another revision; the test images, if they are here
Writes      comparison/report.md, and its plots
Exit code   0, or 2 if the two cannot be compared
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from fmnist.pipeline.git_command import git
from fmnist.plot import canvas
from fmnist.stage import command, files
from fmnist.stage.command import InputError
from fmnist.versions import base as base_revision
from fmnist.versions import comparison_plots, report
from fmnist.versions.checkout import Checkout
from fmnist.versions.comparison import compare
from fmnist.versions.version import Version

FOLDER = Path("comparison")
DPI = 100  # of the plots


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.compare")
    parser.add_argument("--base", help="revision (default: where this branch left main)")
    revision = base_revision.choose(parser.parse_args().base)

    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fmnist-compare-") as folder:
        try:
            checkout = Checkout.create(Path(folder, "base"), revision)
            names = _name(revision, checkout.commit), _name_of_workspace()
            base, head = map(Version.read, (checkout.folder, Path()), names)
            found = compare(base, head, checkout.commit)
        except InputError as error:
            files.write_text(FOLDER / "report.md", f"# Not compared\n\n{error}\n")
            raise

    canvas.apply_style()
    figures = comparison_plots.draw(found)
    for name, (_, figure) in figures.items():
        canvas.save(figure, FOLDER / f"{name}.png", DPI)
    titles = {f"{name}.png": title for name, (title, _) in figures.items()}
    files.write_text(FOLDER / "report.md", report.markdown(*names, found, titles))
    print(report.short(*names, found))
    print(f"\nMore in {FOLDER}/report.md")


def _name_of_workspace() -> str:
    branch = git("rev-parse", "--abbrev-ref", "HEAD")  # HEAD where there is none
    name = _name(branch, git("rev-parse", "HEAD"))
    return f"{name} and uncommitted changes" if git("status", "--porcelain") else name


def _name(revision: str, commit: str) -> str:
    return revision if commit.startswith(revision) else f"{revision} ({commit[:7]})"


if __name__ == "__main__":
    command.run(main)
