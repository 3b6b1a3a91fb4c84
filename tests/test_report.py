"""A report is valid GitHub-flavoured Markdown, and short enough for a comment."""

from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import pytest

from fmnist.versions import report
from fmnist.versions.causes import Artifact
from fmnist.versions.change import Change
from fmnist.versions.comparison import Comparison
from fmnist.versions.metric_differences import Metric

NOTHING = Comparison(
    models="there are no predictions",
    change=Change("not known", "run `make seeds`"),
    parameters={},
    causes={},
    artifacts=[],
    metrics=[],
    classes=[],
    confusions=[],
    histories=None,
    predictions=None,
    test=None,
    notes=[],
)


class Cells(HTMLParser):
    """Collects the text of each table's cells, and the sources of images."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.images: list[str] = []
        self._is_cell = False

    def handle_starttag(self, tag, attributes):
        """Open a row or a cell, or note an image."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True
        elif tag == "img":
            self.images.append(dict(attributes)["src"])

    def handle_endtag(self, tag):
        """Close a cell."""
        self._is_cell = self._is_cell and tag not in ("td", "th")

    def handle_data(self, data):
        """Add to the open cell."""
        if self._is_cell:
            self.rows[-1][-1] += data


def markdown(found: Comparison, plots: dict[str, str]) -> str:
    return report.markdown("main (1234567)", "89abcde", found, plots)


def rendered(text: str) -> Cells:
    cells = Cells()
    cells.feed(cmarkgfm.github_flavored_markdown_to_html(text))
    return cells


@pytest.mark.parametrize(
    "value", ["a | b", "`code`", "__init__", "<b>", "two\nlines", "*", "\\|", "\\", "@me"]
)
def test_a_value_is_shown_as_it_is(value):
    found = replace(NOTHING, parameters={"params.yaml": {value: {"old": 1, "new": None}}})
    rows = rendered(markdown(found, {})).rows
    shown = value.replace("\n", " ").replace("`", "'")
    assert rows[:2] == [["parameter", "base", "head"], [shown, "1", "null"]]


def test_plots_are_shown_under_their_titles():
    text = markdown(NOTHING, {"learning_curves.png": "Learning curves"})
    assert rendered(text).images == ["learning_curves.png"]
    assert "![Learning curves](learning_curves.png)" in text


def test_long_tables_and_values_are_cut_and_say_so():
    found = replace(
        NOTHING,
        parameters={
            "params.yaml": {f"key_{n}": {"old": "x" * 999, "new": "y" * 999} for n in range(999)}
        },
        causes={"train": [f"code: {'z' * 999}"] * 99},
        artifacts=[Artifact("p" * 999, "a" * 32, None) for _ in range(999)],
        metrics=[Metric("m" * 999, 0.1, 0.2, 0.1, None, False)] * 999,
    )
    text = markdown(found, {})
    assert text.count("And 959 more.") == 3
    assert ["train", "and 84 more"] in rendered(text).rows
    assert "`key_998`" not in text


def test_a_report_is_cut_below_the_limit_of_a_comment_and_says_so():
    text = markdown(replace(NOTHING, notes=["n" * 9999] * 99), {})
    assert report.LIMIT - 10_000 < len(text.encode()) < report.LIMIT
    assert text.endswith("The rest is left out: it would be too long for a comment.\n")


def test_an_artifact_that_only_one_side_has_is_named():
    found = replace(NOTHING, artifacts=[Artifact("models/model.keras", None, "ab" * 16)])
    assert ["models/model.keras", "none", "abababab"] in rendered(markdown(found, {})).rows


def test_the_short_form_has_the_two_sentences_the_figures_and_the_notes():
    metric = Metric("test: accuracy", 0.88, 0.9, 0.02, 0.003, False)
    printed = report.short(
        "main (1234567)",
        "89abcde",
        replace(NOTHING, metrics=[metric], notes=["no learning curves"]),
    )
    assert "These two models: not known: there are no predictions." in printed
    assert "This change: not known: run `make seeds`." in printed
    assert ["test:", "accuracy", "0.8800", "0.9000", "+0.0200"] in map(
        str.split, printed.splitlines()
    )
    assert printed.endswith("Note: no learning curves.")
