"""What a sweep found, as ``report.md`` with pictures. Import after ``contract.apply()``."""

import json
import math

import optuna

from fmnist import files
from fmnist.plot import canvas
from tuning import pictures, search
from tuning.space import Sweep
from tuning.trials import FAILED, FIGURES, FINISHED, LOST, STOPPED, Table, Trial

SHOWN = 10  # of the best trials
NOT_KNOWN = "Which parameter matters is not known from so few trials."


def write(sweep: Sweep, table: Table, validation_images: int, command: str) -> None:
    """Write the report beside the table.

    Args:
        validation_images: how many the objective is measured on.
        command: that ran the sweep.
    """
    folder, space = table.path.parent, sweep.space
    trials = [table.trials[number] for number in sorted(table.trials)]
    with_figures = [trial for trial in trials if trial.scores]
    compared = search.compared(trials, space)
    shares = importance(sweep, compared)
    figures = {}
    canvas.apply_style()
    if with_figures:
        figures["parameters"] = pictures.parameters(with_figures, space)
        if compared:
            figures["parallel_coordinates"] = pictures.parallel_coordinates(compared, space)
        figures["cost"] = pictures.cost(with_figures, space)
    if shares:
        figures["importance"] = pictures.importance(shares)
    for name, figure in figures.items():
        canvas.save(figure, folder / f"{name}.png", dpi=100)
    text = _text(sweep, table, validation_images, shares, list(figures), command)
    files.write_text(folder / "report.md", text)


def importance(sweep: Sweep, trials: list[Trial]) -> dict[str, float]:
    """Return the share of the objective's variance that each parameter explains, most first.

    By a forest of trees over trials that can be compared: Hutter et al. 2014,
    https://proceedings.mlr.press/v32/hutter14.html. Empty where they are too few, or all alike.
    """
    of = search.distributions(sweep)
    known = search.as_optuna(trials, sweep.space, of)
    varied = [key for key in of if len({json.dumps(trial.values[key]) for trial in trials}) > 1]
    if len({trial.value for trial in known}) < 4 or not varied:
        return {}
    study = optuna.create_study()
    study.add_trials(known)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)


def _text(
    sweep: Sweep,
    table: Table,
    validation_images: int,
    shares: dict[str, float],
    figures: list[str],
    command: str,
) -> str:
    space, trials = sweep.space, list(table.trials.values())
    states = (FINISHED, STOPPED, FAILED, LOST)
    counts = {state: sum(trial.state == state for trial in trials) for state in states}
    names = list(space.parameters)
    lines = [
        f"# Sweep {sweep.path.stem}: {len(trials)} trials of `{space.recipe}`",
        "",
        f"Written by `{command}`, which goes on where it was ended. {counts[FINISHED]} trials were"
        f" trained to the end, {counts[STOPPED]} stopped early, {counts[FAILED]} failed,"
        f" {counts[LOST]} were lost with their workers;"
        f" {sum(trial.seconds for trial in trials) / 60:.1f} minutes of training in all. The"
        f" objective is {space.objective}, of {validation_images:,} images; test images are not"
        " used.",
        "",
    ]
    best = search.best(trials, space)
    if best:
        accuracy = best[0].scores["val_accuracy"]
        error = math.sqrt(accuracy * (1 - accuracy) / validation_images)
        lines += [
            f"The choice of these images gives an accuracy of {accuracy:.4f} a standard error of"
            f" {error:.4f}, and the best of many is flattered: trials that are nearer than twice"
            " that are not told apart by one sweep.",
            "",
        ]
    columns = ["trial", *(f"`{name}`" for name in names), "epochs", *FIGURES, "seconds"]
    lines += [
        f"The best {SHOWN}; all are in [trials.csv](trials.csv), with each epoch in"
        " [history.csv](history.csv):",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for trial in best[:SHOWN]:
        values = " | ".join(json.dumps(trial.values[name]) for name in names)
        scores = " | ".join(f"{trial.scores[name]:.4f}" for name in FIGURES)
        lines.append(
            f"| {trial.number} | {values} | {trial.epochs} | {scores} | {trial.seconds:.0f} |"
        )
    lines += [
        "",
        f"`make apply SPACE={sweep.path} TRIAL=<number>` puts one into `params.yaml`.",
        "",
    ]
    if halving := space.successive_halving:
        lines += [f"What follows compares all trials after epoch {halving.min_epochs}.", ""]
    told = ", ".join(f"`{name}` {share:.0%}" for name, share in shares.items())
    lines += [
        f"Share of the objective's variance that each explains: {told}." if told else NOT_KNOWN
    ]
    for name in figures:
        lines += ["", f"![{name.replace('_', ' ')}]({name}.png)"]
    if errors := [f"- trial {trial.number}: {trial.error}" for trial in trials if trial.error]:
        lines += ["", "Without figures:", "", *errors]
    return "\n".join(lines) + "\n"
