"""The project's own files that a stage imports, found without running it."""

from modulefinder import ModuleFinder
from pathlib import Path


def import_closure(stage: str, root: Path) -> set[str]:
    """Return the stage's file and all below ``root`` that it imports, however deep or late."""
    finder = ModuleFinder(path=[str(root)])
    finder.run_script(str(root / "stages" / f"{stage}.py"))
    return {
        Path(module.__file__).relative_to(root).as_posix()
        for module in finder.modules.values()
        if module.__file__
    }
