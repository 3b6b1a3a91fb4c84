"""The findings of a sweep, as ``report.md`` with pictures."""

import json
import math
from collections import Counter

import optuna
from matplotlib.figure import Figure

from fmnist.plot import canvas
from fmnist.stage import files
from fmnist.sweeps import ranking, search, sweep_plots
from fmnist.sweeps.sweep import Sweep
from fmnist.sweeps.trials import FAILED, FINISHED, LOST, SCORES, STOPPED, Table, Trial

SHOWN = 10  # of the best trials


def write(sweep: Sweep, table: Table, validation_images: int) -> None:
    """Write the report next to the table.

    Args:
        validation_images: how many the objective is measured on.
    """
    folder, space = table.path.parent, sweep.space
    trials = [trial for _, trial in sorted(table.trials.items())]
    with_figures = [trial for trial in trials if trial.scores]
    compared = ranking.compared(trials, space)
    shares = importance(sweep, compared)
    canvas.apply_style()
    figures: dict[str, Figure] = {}
    if with_figures:
        figures["parameters"] = sweep_plots.parameters(with_figures, space)
        if compared:
            figures["parallel_coordinates"] = sweep_plots.parallel_coordinates(compared, space)
        figures["cost"] = sweep_plots.cost(with_figures, space)
    if shares:
        figures["importance"] = sweep_plots.importance(shares)
    for name, figure in figures.items():
        canvas.save(figure, folder / f"{name}.png", dpi=100)
    paragraphs = [
        f"# Sweep {sweep.path.stem}: {len(trials)} trials of `{space.recipe}`",
        _summary(sweep, trials, validation_images),
        *_best(sweep, trials, validation_images),
        *_importance(sweep, shares),
        *(f"![{name.replace('_', ' ')}]({name}.png)" for name in figures),
    ]
    if errors := [f"- trial {trial.number}: {trial.error}" for trial in trials if trial.error]:
        paragraphs += ["Without scores:", "\n".join(errors)]
    files.write_text(folder / "report.md", "\n\n".join(paragraphs) + "\n")


def importance(sweep: Sweep, trials: list[Trial]) -> dict[str, float]:
    """Return the share of the objective's variance that each parameter explains, most first.

    By a forest of trees over trials that can be compared: Hutter et al. 2014,
    https://proceedings.mlr.press/v32/hutter14.html. Empty if they are too few, or all alike.
    """
    by_key = search.distributions(sweep)
    known = search.as_optuna(trials, sweep.space, by_key)
    varied = [key for key in by_key if len({json.dumps(trial.values[key]) for trial in trials}) > 1]
    if len({trial.value for trial in known}) < 4 or not varied:
        return {}
    study = optuna.create_study()
    study.add_trials(known)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)


def _summary(sweep: Sweep, trials: list[Trial], validation_images: int) -> str:
    counts = Counter(trial.state for trial in trials)
    return (
        f"Written by `make sweep SPACE={sweep.path}`, which resumes a sweep that was interrupted."
        f" {counts[FINISHED]} trials were trained to the end, {counts[STOPPED]} stopped early,"
        f" {counts[FAILED]} failed, {counts[LOST]} were lost with their workers;"
        f" {sum(trial.seconds for trial in trials) / 60:.1f} minutes of training in all. The"
        f" objective is {sweep.space.objective}, measured on {validation_images:,} images; test"
        " images are not used."
    )


def _best(sweep: Sweep, trials: list[Trial], validation_images: int) -> list[str]:
    best, names = ranking.best(trials, sweep.space), list(sweep.space.parameters)
    paragraphs = []
    if best:
        accuracy = best[0].scores["val_accuracy"]
        error = math.sqrt(accuracy * (1 - accuracy) / validation_images)
        paragraphs.append(
            f"An accuracy of {accuracy:.4f} on so many images has a standard error of {error:.4f},"
            " and the best of many trials looks better than it is: one sweep cannot distinguish"
            " trials that differ by less than twice the standard error."
        )
    columns = ["trial", *(f"`{name}`" for name in names), "epochs", *SCORES, "seconds"]
    table = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for trial in best[:SHOWN]:
        cells = [
            str(trial.number),
            *(json.dumps(trial.values[name]) for name in names),
            str(trial.epochs),
            *(f"{trial.scores[name]:.4f}" for name in SCORES),
            f"{trial.seconds:.0f}",
        ]
        table.append(f"| {' | '.join(cells)} |")
    return [
        *paragraphs,
        f"The best {SHOWN}; all are in [trials.csv](trials.csv), with each epoch in"
        " [history.csv](history.csv):",
        "\n".join(table),
        f"`make apply SPACE={sweep.path} TRIAL=<number>` writes one into `params.yaml`.",
    ]


def _importance(sweep: Sweep, shares: dict[str, float]) -> list[str]:
    paragraphs = []
    if halving := sweep.space.successive_halving:
        paragraphs.append(
            "Importance and parallel coordinates compare all trials after epoch"
            f" {halving.min_epochs}."
        )
    listed = ", ".join(f"`{name}` {share:.0%}" for name, share in shares.items())
    paragraphs.append(
        f"Share of the objective's variance that each parameter explains: {listed}."
        if listed
        else "So few trials do not show which parameter matters."
    )
    return paragraphs
