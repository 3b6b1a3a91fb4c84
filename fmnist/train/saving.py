"""Save a network as a ``.keras`` file whose bytes depend on its content alone."""

import json
import tempfile
import zipfile
from pathlib import Path

import keras

from fmnist import archive

# Keras writes the time of saving here, and loads without looking at it.
DATE_SAVED = "1980-01-01@00:00:00"


def save(model: keras.Model, path: Path) -> None:
    """Write ``model`` with its weights, its optimizer and the optimizer's state.

    The file loads with ``keras.saving.load_model`` and needs no class of this project.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "model.keras")
        model.save(saved)
        with zipfile.ZipFile(saved) as file:
            entries = {name: file.read(name) for name in sorted(file.namelist())}
    metadata = json.loads(entries["metadata.json"]) | {"date_saved": DATE_SAVED}
    entries["metadata.json"] = json.dumps(metadata, sort_keys=True).encode()
    archive.write(
        path,
        {
            name: lambda file, content=content: file.write(content)
            for name, content in entries.items()
        },
    )
