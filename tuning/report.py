"""What a sweep found, as ``report.md`` with pictures. Import after ``contract.apply()``."""

import json

import optuna

from fmnist import files
from fmnist.plot import canvas
from tuning import pictures, search
from tuning.live import best
from tuning.space import Sweep
from tuning.trials import FAILED, FIGURES, FINISHED, STOPPED, Table, Trial

SHOWN = 10  # of the best trials
NOT_KNOWN = "Which parameter matters is not known from so few trials."


def write(sweep: Sweep, table: Table, command: str) -> None:
    """Write the report beside the table.

    Args:
        command: that ran the sweep.
    """
    folder, space = table.path.parent, sweep.space
    trials = [table.trials[number] for number in sorted(table.trials)]
    with_figures = [trial for trial in trials if trial.scores]
    shares = importance(sweep, trials)
    figures = {}
    canvas.apply_style()
    if with_figures:
        figures["parameters"] = pictures.parameters(with_figures, space)
        figures["parallel_coordinates"] = pictures.parallel_coordinates(
            [trial for trial in trials if trial.state == FINISHED] or with_figures, space
        )
        figures["cost"] = pictures.cost(with_figures, space)
    if shares:
        figures["importance"] = pictures.importance(shares)
    for name, figure in figures.items():
        canvas.save(figure, folder / f"{name}.png", dpi=100)
    files.write_text(folder / "report.md", _text(sweep, table, shares, list(figures), command))


def importance(sweep: Sweep, trials: list[Trial]) -> dict[str, float]:
    """Return the share of the objective's variance that each parameter explains, most first.

    By a forest of trees over the trials that were trained to the end: Hutter et al. 2014,
    https://proceedings.mlr.press/v32/hutter14.html. Empty where they are too few, or all alike.
    """
    of = search.distributions(sweep)
    finished = [trial for trial in trials if trial.state == FINISHED]
    known = search.frozen(finished, sweep.space, of)
    varied = [key for key in of if len({json.dumps(trial.values[key]) for trial in finished}) > 1]
    if len({trial.value for trial in known}) < 4 or not varied:
        return {}
    study = optuna.create_study()
    study.add_trials(known)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)


def _text(
    sweep: Sweep, table: Table, shares: dict[str, float], figures: list[str], command: str
) -> str:
    space, trials = sweep.space, list(table.trials.values())
    counts = {
        state: sum(trial.state == state for trial in trials)
        for state in (FINISHED, STOPPED, FAILED)
    }
    names = list(space.parameters)
    lines = [
        f"# Sweep {sweep.path.stem}: {len(trials)} trials of `{space.recipe}`",
        "",
        f"Written by `{command}`, which goes on where it was ended. {counts[FINISHED]} trials were"
        f" trained to the end, {counts[STOPPED]} stopped early, {counts[FAILED]} failed;"
        f" {sum(trial.seconds for trial in trials) / 60:.1f} minutes of training in all. The"
        f" objective is {space.objective}; test images are not used.",
        "",
        f"The best {SHOWN}; all are in [trials.csv](trials.csv), with each epoch in"
        " [history.csv](history.csv):",
        "",
        f"| {' | '.join(['trial', *(f'`{name}`' for name in names), *FIGURES, 'seconds'])} |",
        f"|{'---|' * (len(names) + len(FIGURES) + 2)}",
    ]
    for trial in best(table, space)[:SHOWN]:
        values = " | ".join(json.dumps(trial.values[name]) for name in names)
        scores = " | ".join(f"{trial.scores[name]:.4f}" for name in FIGURES)
        lines.append(f"| {trial.number} | {values} | {scores} | {trial.seconds:.0f} |")
    lines += [
        "",
        f"`make apply SPACE={sweep.path} TRIAL=<number>` puts one into `params.yaml`.",
        "",
    ]
    told = ", ".join(f"`{name}` {share:.0%}" for name, share in shares.items())
    lines += [
        f"Share of the objective's variance that each explains: {told}." if told else NOT_KNOWN
    ]
    for name in figures:
        lines += ["", f"![{name.replace('_', ' ')}]({name}.png)"]
    return "\n".join(lines) + "\n"
