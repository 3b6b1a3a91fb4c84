"""Pictures and tables."""

import ast
import io
import re
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from projects import GRAPH, ROOT
from tiny_data import tiny

from fmnist.dataset.classes import CLASSES, DISPLAY_NAMES
from fmnist.evaluate.metrics import measure
from fmnist.pipeline.graph import paths
from fmnist.plot import canvas, curves, galleries, per_class
from fmnist.plot.reliability import reliability
from fmnist.plot.table import table
from fmnist.predictions.calibration import calibration

TEST = tiny(40, seed=3)
RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet(np.ones(10), 40).astype(np.float32)
PROBABILITIES[:30] = PROBABILITIES[:30] * 0.05 + 0.95 * np.eye(10)[TEST.labels[:30]]
PREDICTED = PROBABILITIES.argmax(axis=1)
METRICS = measure(PROBABILITIES, TEST.labels)
HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "accuracy": [0.5, 0.6, 0.7], "loss": [1.5, 1.2, 1.0]}
    | {"val_accuracy": [0.6, 0.55, 0.65], "val_loss": [1.4, 1.3, 1.1]}
)
FIGURES = {
    "accuracy": lambda: curves.curve(HISTORY, "accuracy", saved_epoch=3),
    "loss": lambda: curves.curve(HISTORY, "loss", saved_epoch=2),
    "confusion_matrix": lambda: per_class.confusion_matrix(TEST.labels, PREDICTED),
    "recall": lambda: per_class.recall(METRICS, TEST.labels),
    "reliability": lambda: reliability(calibration(PROBABILITIES, TEST.labels)),
    "predictions": lambda: galleries.predictions(tiny(3), PROBABILITIES[:3]),
    "mistakes": lambda: galleries.mistakes(TEST, PROBABILITIES, 5),
    "training_images": lambda: galleries.training_images(TEST, 12),
}


@pytest.fixture(autouse=True)
def style():
    canvas.apply_style()


def texts(figure: Figure) -> str:
    """Return all that is written in a figure."""
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_every_plot_is_in_the_stage_the_graph_the_tests_and_the_documents():
    source = ast.parse((ROOT / "stages" / "plot.py").read_text())
    drawn = next(
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "figures"
    )
    outputs = paths(GRAPH["plot"]["plots"])
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| (.*\.png\).*) \|", page, flags=re.MULTILINE)
    places = {
        "figures in stages/plot.py": {ast.literal_eval(key) for key in drawn.keys},
        "plots of the stage plot in dvc.yaml": {Path(path).stem for path in outputs},
        "FIGURES in tests/test_plot.py": set(FIGURES),
        "the table of plots in docs/metrics.md": set(
            re.findall(r"\]\(\.\./plots/(\w+)\.png\)", "\n".join(rows))
        ),
    }
    every = set().union(*places.values())
    missing = [
        f"plot {name}: add it to {place}"
        for name in sorted(every)
        for place, names in places.items()
        if name not in names
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_a_png_of_a_size_that_a_pull_request_shows(name, tmp_path):
    path = tmp_path / f"{name}.png"
    canvas.save(FIGURES[name](), path, dpi=100)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert 500 <= picture.width <= 1200
        assert picture.height <= 1000
        assert not picture.info.get("Software")


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_the_same_whatever_the_users_matplotlib_is_set_to(name, tmp_path):
    canvas.save(FIGURES[name](), tmp_path / "a.png", dpi=60)
    matplotlib.rcParams.update({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 10})
    canvas.apply_style()
    canvas.save(FIGURES[name](), tmp_path / "b.png", dpi=60)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["accuracy", "loss", "confusion_matrix", "recall", "reliability"])
def test_every_axis_has_a_label_and_every_figure_a_title(name):
    figure = FIGURES[name]()
    assert figure.axes[0].get_title()
    assert all(axes.get_ylabel() or name == "recall" for axes in figure.axes)
    assert figure.axes[-1].get_xlabel()


def test_curves_show_the_history_and_the_saved_epoch():
    training, validation, saved = FIGURES["accuracy"]().axes[0].lines
    assert list(training.get_ydata()) == [0.5, 0.6, 0.7]
    assert list(validation.get_ydata()) == [0.6, 0.55, 0.65]
    assert set(saved.get_xdata()) == {3}


def test_the_confusion_matrix_holds_the_counts_by_true_class():
    figure = per_class.confusion_matrix(np.array([0, 0, 9]), np.array([0, 8, 9]))
    numbers = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert numbers == {(0, 0): "1", (8, 0): "1", (9, 9): "1"}
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert tuple(labels) == DISPLAY_NAMES


def test_recall_is_sorted_and_is_that_of_the_metrics():
    figure = FIGURES["recall"]()
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(
        (METRICS["per_class"][name]["recall"] for name in CLASSES), reverse=True
    )


def test_mistakes_are_wrong_and_the_most_confident_first():
    wrong = np.flatnonzero(TEST.labels != PREDICTED)
    best = max(wrong, key=lambda image: PROBABILITIES[image].max())
    figure = FIGURES["mistakes"]()
    title = figure.axes[0].get_title()
    assert title.startswith(f"{DISPLAY_NAMES[PREDICTED[best]]} {PROBABILITIES[best].max():.2f}")
    assert title.endswith(f"true: {DISPLAY_NAMES[TEST.labels[best]]}")
    assert f"{len(wrong)} mistakes among 40 test images" in texts(figure)


def test_a_flawless_network_has_an_empty_gallery_of_mistakes():
    figure = galleries.mistakes(TEST, np.eye(10, dtype=np.float32)[TEST.labels], 5)
    assert "0 mistakes" in texts(figure)
    figure.savefig(io.BytesIO())


def test_predictions_show_both_classes_and_all_ten_probabilities():
    shown = texts(FIGURES["predictions"]())
    assert f"predicted: {DISPLAY_NAMES[PREDICTED[0]]}" in shown
    assert f"true: {DISPLAY_NAMES[tiny(3).labels[0]]}" in shown
    assert all(f"{probability:.3f}" in shown for probability in PROBABILITIES[:3].ravel())


def test_the_table_shows_both_classes_and_all_ten_probabilities():
    head, *rows = table(TEST.labels[:2], PROBABILITIES[:2]).splitlines()
    assert head.split() == ["image", "1", "image", "2"]
    assert [re.split("  +", row) for row in rows] == [
        ["true class", *(DISPLAY_NAMES[label] for label in TEST.labels[:2])],
        ["predicted", *(DISPLAY_NAMES[label] for label in PREDICTED[:2])],
        *(
            [name, *(f"{row[label]:.4f}" for row in PROBABILITIES[:2])]
            for label, name in enumerate(DISPLAY_NAMES)
        ),
    ]
