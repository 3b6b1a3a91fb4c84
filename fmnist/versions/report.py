"""A comparison as text: GitHub-flavoured Markdown that needs no plot, and a short form."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fmnist.versions.comparison import Comparison
from fmnist.versions.confusion import Share, corrected, display_name
from fmnist.versions.significance import LEVEL, Paired

LIMIT = 30_000  # bytes: of a comment's 65,536 characters, as escaping may double them
ROWS = 40  # of a table
REASONS = 15  # of a stage
WIDTH = 80  # characters of a value


def markdown(base: str, head: str, found: Comparison, plots: dict[str, str]) -> str:
    """Return the whole report, shorter than `LIMIT`.

    Args:
        base, head: names of the two versions.
        plots: the title of each plot, by the name of its file.
    """
    sections = {
        "Parameters changed": _parameters(found),
        "Stages that differ, and why": _causes(found),
        "Artifacts changed": _artifacts(found),
        "Metrics": _metrics(found),
    }
    if found.classes:
        sections["Classes"] = _classes(found)
        sections["Confusions that changed most"] = _confusions(found)
    if plots:
        sections["Plots"] = "\n\n".join(f"![{title}]({file})" for file, title in plots.items())
    parts = [
        "# What changed, and whether it is more than noise",
        f"Base is {_code(base)}, head is {_code(head)}.",
        *(f"**{subject}**: {sentence}." for subject, sentence in _sentences(found).items()),
        *(f"- {note}." for note in found.notes[:ROWS]),
        *(f"## {title}\n\n{text}" for title, text in sections.items()),
    ]
    text = "\n\n".join(parts) + "\n"
    content = text.encode()
    if len(content) < LIMIT:
        return text
    whole_lines = content[: LIMIT - 100].rpartition(b"\n")[0].decode()
    return f"{whole_lines}\n\nThe rest is left out: it would be too long for a comment.\n"


def short(base: str, head: str, found: Comparison) -> str:
    """Return what matters most, for a terminal."""
    lines = [f"base {base}, head {head}", ""]
    lines += [f"{subject}: {sentence}." for subject, sentence in _sentences(found).items()]
    lines += ["", f"{'':34}{'base':>10}{'head':>10}{'difference':>12}"]
    for row in found.metrics:
        values = _figure(row.base), _figure(row.head), _figure(row.difference, signed=True)
        lines.append("{:34}{:>10}{:>10}{:>12}".format(row.name, *values))
    return "\n".join([*lines, *(f"\nNote: {note}." for note in found.notes)])


def _sentences(found: Comparison) -> dict[str, str]:
    return {"These two models": _models(found), "This change": str(found.change)}


def _models(found: Comparison) -> str:
    if not isinstance(found.models, Paired):
        return f"not known: {found.models}"
    models = found.models
    beyond = "more than" if models.p_value < LEVEL else "no more than"
    return (
        f"accuracy {models.difference:+.4f} (95 % interval {models.low:+.4f} to {models.high:+.4f};"
        f" McNemar's exact test: p {models.p_value:.2g}). Of the same {models.images:,} test images"
        f" base alone gets {models.only_base:,} right and head alone {models.only_head:,}, which is"
        f" {beyond} the choice of test images explains"
    )


def _parameters(found: Comparison) -> str:
    rows = [
        (_code(key), *(_code(json.dumps(sides[side])) for side in ("old", "new")))
        for keys in found.parameters.values()
        for key, sides in keys.items()
    ]
    return _table(("parameter", "base", "head"), rows, words=3)


def _causes(found: Comparison) -> str:
    rows = []
    for stage, reasons in found.causes.items():
        rows += [(_code(stage), _code(reason)) for reason in reasons[:REASONS]]
        if len(reasons) > REASONS:
            rows.append((_code(stage), f"and {len(reasons) - REASONS} more"))
    return _table(("stage", "different input"), rows, words=2)


def _artifacts(found: Comparison) -> str:
    rows = [
        (
            _code(artifact.path),
            *(_code(md5[:8]) if md5 else "none" for md5 in (artifact.base, artifact.head)),
        )
        for artifact in found.artifacts
    ]
    return _table(("artifact", "MD5 in base", "MD5 in head"), rows, words=3)


def _metrics(found: Comparison) -> str:
    rows = [
        (
            _code(row.name),
            _figure(row.base),
            _figure(row.head),
            _figure(row.difference, signed=True),
            "" if row.error is None else "≤ " * row.is_bound + _figure(row.error),
        )
        for row in found.metrics
    ]
    table = _table(("metric", "base", "head", "difference", "standard error"), rows, words=1)
    return (
        f"{table}\n\nStandard error: of the difference, from the choice of images alone; ≤ where it"
        " is computed as if both sides had different images."
    )


def _classes(found: Comparison) -> str:
    rows = [
        (_class(row.name), f"{row.images:,}", *_shares(row.recall), *_shares(row.precision))
        for row in found.classes
    ]
    header = ["class", "images"]
    header += [f"{share}, {side}" for share in ("recall", "precision") for side in ("base", "head")]
    moved = [
        f"{share} of {_class(row.name)}"
        for row in found.classes
        for share, change in (("recall", row.recall), ("precision", row.precision))
        if change.moved
    ]
    return (
        f"{_table(header, rows, words=1)}\n\nBold values changed by more than the choice of test"
        f" images explains (p < {corrected(len(rows)):.2g}, for {2 * len(rows)} comparisons):"
        f" {', '.join(moved) or 'nothing'}."
    )


def _confusions(found: Comparison) -> str:
    rows = [
        (
            _class(pair.actual),
            _class(pair.predicted),
            f"{pair.base:,}",
            f"{pair.head:,}",
            f"{pair.head - pair.base:+,}",
        )
        for pair in found.confusions
    ]
    return _table(("true class", "predicted", "base", "head", "difference"), rows, words=2)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """Return a table whose first ``words`` columns are text and whose others are numbers."""
    body = list(rows)
    if not body:
        return "None."
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    lines = [header, rule, *body[:ROWS]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text if len(body) <= ROWS else f"{text}\n\nAnd {len(body) - ROWS} more."


def _class(name: str) -> str:
    return _code(display_name(name))


def _code(text: str) -> str:
    """Return ``text`` as code that cannot end a table's cell or itself."""
    line = " ".join(text.split()).replace("`", "'")
    line = line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
    return "`" + line.replace("|", "\\|") + "`"


def _figure(value: Any, signed: bool = False) -> str:
    if value is None:
        return "none"
    if not isinstance(value, int | float):
        return _code(str(value))
    if isinstance(value, int):
        return f"{value:+,}" if signed else f"{value:,}"
    return f"{value:+.4f}" if signed else f"{value:.4f}"


def _shares(share: Share) -> tuple[str, str]:
    head = _figure(share.head)
    return _figure(share.base), f"**{head}**" if share.moved else head
