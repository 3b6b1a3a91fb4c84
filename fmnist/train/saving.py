"""Save a network as a ``.keras`` file whose bytes depend on its content alone."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from fmnist.dataset import archive

# Keras writes the time of saving here, and loads without looking at it.
DATE_SAVED = "1980-01-01@00:00:00"


def save(model: keras.Model, path: Path) -> None:
    """Write ``model`` with its weights, its optimizer and the optimizer's state.

    The file loads with ``keras.saving.load_model`` and needs no class of this project.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = path.with_name(f".{path.stem}.part.keras")  # a fixed name, as in `files.replacing`
    try:
        model.save(saved)
        with zipfile.ZipFile(saved) as file:
            entries = {name: file.read(name) for name in sorted(file.namelist())}
    except OSError as error:
        error.filename = str(path)  # a full disk names no file, and this one's name is internal
        raise
    finally:
        saved.unlink(missing_ok=True)
    metadata = json.loads(entries["metadata.json"]) | {"date_saved": DATE_SAVED}
    entries["metadata.json"] = json.dumps(metadata).encode()
    entries["config.json"] = _number_shared_objects(entries["config.json"])
    archive.write(
        path,
        {
            name: lambda file, content=content: file.write(content)
            for name, content in entries.items()
        },
    )


def _number_shared_objects(config: bytes) -> bytes:
    """Replace the ids of shared objects, which are addresses in memory, by 1, 2, 3 and so on."""
    numbers: dict[int, int] = {}

    def number(node: dict[str, Any]) -> dict[str, Any]:
        if "shared_object_id" in node:
            address = node["shared_object_id"]
            node["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        return node

    return json.dumps(json.loads(config, object_hook=number)).encode()
