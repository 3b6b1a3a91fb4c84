"""Which trials a sweep makes, in which order, and how far each is trained."""

import math
from dataclasses import replace

import pytest
from test_space import RANDOM, sweep

from fmnist.stage.command import InputError

pytest.importorskip("optuna", reason="needs `make install-sweep`")

from fmnist.sweeps import ranking, search
from fmnist.sweeps.trials import FAILED, FINISHED, PAUSED, STOPPED, Trial

HALVING = {"min_epochs": 1, "reduction_factor": 2}
SEEDS = {"seed": {"choices": [0, 1, 2, 3, 4, 5, 6, 7]}}


def trained(job: search.Job, epochs: int, first: float, later: float | None = None) -> Trial:
    """Return a trial after a job, with its accuracy in the first epoch and in all later ones."""
    reached = min(job.until, epochs)
    history = []
    for epoch in range(1, reached + 1):
        accuracy = first if later is None or epoch == 1 else later
        scores = {"val_accuracy": accuracy, "val_loss": 1 - accuracy}
        history.append({"epoch": epoch, "accuracy": 0.5, "loss": 1.0, **scores})
    state = FINISHED if reached == epochs else PAUSED
    return Trial(job.number, job.values, state, scores, history, 1.0)


def carry_out(
    plan: search.Search, epochs: int, accuracy, at_once: int = 1, last_first=False
) -> dict:
    """Train all, ``at_once`` at a time; return the trials by their numbers.

    Args:
        accuracy: a function that gives a job's accuracy in all epochs, or in the first and in later
            ones.
    """
    found, running = {}, []
    while True:
        while len(running) < at_once and (job := plan.next()):
            running.append(job)
        if not running:
            return found
        job = running.pop(-1 if last_first else 0)
        reached = accuracy(job)
        trials = [trained(job, epochs, *(reached if isinstance(reached, tuple) else (reached,)))]
        while trials:
            trial = trials.pop()
            found[trial.number] = trial
            plan.record(trial)
            trials += plan.stopped()


def test_without_halving_every_trial_is_trained_to_the_end(tmp_path):
    plan = search.start(sweep(tmp_path))
    jobs = list(iter(plan.next, None))
    assert [job.number for job in jobs] == list(range(8)) == list(range(plan.count))
    assert {job.until for job in jobs} == {search.TO_THE_END}


def test_halving_keeps_the_better_half_of_each_rung(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)
    assert search.rungs(space.space, 4) == [1, 2, search.TO_THE_END]
    found = carry_out(search.start(space), 4, lambda job: job.number / 10)
    assert [found[number].epochs for number in range(8)] == [1, 1, 1, 1, 2, 2, 4, 4]
    assert [found[number].state for number in range(8)] == [STOPPED] * 6 + [FINISHED] * 2


def test_a_rung_compares_what_the_trials_had_at_its_epoch(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)
    found = carry_out(search.start(space), 4, lambda job: (job.number / 10, 1 - job.number / 10))
    assert [found[number].epochs for number in range(8)] == [1, 1, 1, 1, 4, 4, 2, 2]


def test_a_trial_that_fails_later_changes_no_earlier_decision(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)
    plan = search.start(space)
    for job in [plan.next() for _ in range(8)]:
        plan.record(trained(job, 4, job.number / 10))
    for trial in plan.stopped():
        plan.record(trial)
    kept = [plan.next() for _ in range(4)]
    assert [job.number for job in kept] == [7, 6, 5, 4]
    before = trained(kept[0]._replace(until=1), 4, 0.7)
    plan.record(replace(before, state=FAILED, scores={}, error="diverged in epoch 2"))
    for job in kept[1:]:
        plan.record(trained(job, 4, job.number / 10))
    assert [trial.number for trial in plan.stopped()] == [4]
    assert [plan.next().number, plan.next().number] == [6, 5]
    assert plan.next() is None


def test_a_trial_whose_values_differ_from_this_search_is_refused(tmp_path):
    plan = search.start(sweep(tmp_path, parameters=SEEDS))
    trial = trained(plan.next(), 4, 0.5)
    with pytest.raises(InputError, match="expected trial 0 .*{'seed': 0}, found {'seed': 9}"):
        plan.record(replace(trial, values={"seed": 9}))


def test_a_loss_is_better_when_it_is_lower(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS, objective="val_loss")
    found = carry_out(search.start(space), 4, lambda job: 1 - job.number / 10)
    assert [trial.number for trial in found.values() if trial.state == FINISHED] == [0, 1]


@pytest.mark.parametrize("last_first", [False, True])
@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_the_order_in_which_trials_end_decides_nothing(tmp_path, at_once, last_first):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)

    def accuracy(job):
        return (job.number * 5 % 8) / 10

    expected = carry_out(search.start(space), 4, accuracy)
    assert carry_out(search.start(space), 4, accuracy, at_once, last_first) == expected


@pytest.mark.parametrize("known", range(15))
def test_a_search_resumes_from_known_trials(tmp_path, known):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)
    whole = carry_out(search.start(space), 4, lambda job: job.number / 10)
    plan, again = search.start(space), search.start(space)
    found = {}
    for _ in range(known):
        job = plan.next()
        if job is None:
            break
        trial = trained(job, 4, job.number / 10)
        plan.record(trial)
        found[job.number] = trial
    for trial in found.values():
        again.record(trial)
    done = {number for number, trial in found.items() if trial.state == FINISHED}
    rest = carry_out(again, 4, lambda job: job.number / 10)
    assert done.isdisjoint(rest)
    ended = {number: trial for number, trial in (found | rest).items() if trial.state != PAUSED}
    assert ended | {trial.number: trial for trial in again.stopped()} == whole


def test_a_trial_that_failed_is_worse_than_all_others(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters={"seed": {"choices": [0, 1]}})
    plan = search.start(space)
    first, second = plan.next(), plan.next()
    plan.record(Trial(first.number, first.values, FAILED, {}, [], 1.0, "diverged"))
    plan.record(trained(second, 4, 0.0))
    assert plan.next() == (second.number, second.values, 2)


def test_random_combinations_depend_on_the_seed_and_not_on_how_many_there_are(tmp_path):
    def drawn(**changes):
        plan = search.start(
            sweep(
                tmp_path,
                search=RANDOM | changes,
                parameters={
                    "optimizer.learning_rate": {"low": 1e-4, "high": 1, "log": True},
                    "batch_size": {"low": 8, "high": 64, "step": 8},
                    "network.units": {"choices": [[30], [20, 10]]},
                },
            )
        )
        return [job.values for job in iter(plan.next, None)]

    assert drawn(trials=9)[:3] == drawn() == drawn()
    assert drawn(seed=1) != drawn()
    for values in drawn(trials=20):
        assert 1e-4 <= values["optimizer.learning_rate"] <= 1
        assert values["batch_size"] in range(8, 65, 8)
        assert values["network.units"] in ([30], [20, 10])


def test_an_invalid_random_combination_is_refused_before_anything_starts(tmp_path):
    changes = {
        "recipe": "cnn",
        "search": RANDOM,
        "fixed": {},
        "parameters": {"network.filters": {"choices": [[8], [8, 8]]}},
    }
    with pytest.raises(InputError, match="as many residual_blocks as filters"):
        search.start(sweep(tmp_path, **changes))


def model_based(folder, trials: int) -> search.Search:
    changes = {"name": "tpe", "trials": trials, "seed": 0}
    parameters = {"optimizer.learning_rate": {"low": 1e-4, "high": 1, "log": True}}
    return search.start(sweep(folder, search=changes, parameters=parameters))


def near_a_hundredth(job: search.Job) -> float:
    """Return an accuracy that is best at a rate of 0.01."""
    return 1 - abs(math.log10(job.values["optimizer.learning_rate"]) + 2) / 2


def test_a_model_based_search_approaches_the_best_value(tmp_path):
    found = carry_out(model_based(tmp_path, 40), 4, near_a_hundredth, at_once=2)
    accuracies = [found[number].scores["val_accuracy"] for number in range(40)]
    assert sum(accuracies[20:]) / 20 > sum(accuracies[:10]) / 10 + 0.1


def test_a_model_based_search_resumes_without_repeating_a_trial(tmp_path):
    first = carry_out(model_based(tmp_path, 5), 4, near_a_hundredth)  # all of them still random
    plan = model_based(tmp_path, 20)
    for trial in first.values():
        plan.record(trial)
    rest = carry_out(plan, 4, near_a_hundredth)
    assert sorted(rest) == list(range(5, 20))
    rates = [trial.values["optimizer.learning_rate"] for trial in (first | rest).values()]
    assert len(set(rates)) == 20


def test_the_best_come_first_and_finished_trials_before_stopped_ones(tmp_path):
    jobs = [
        search.Job(number, {"seed": number}, until) for number, until in enumerate((4, 4, 2, 1))
    ]
    trials = [
        trained(job, 4, accuracy) for job, accuracy in zip(jobs, (0.5, 0.6, 0.8, 0.9), strict=True)
    ]
    failed = Trial(4, {"seed": 4}, FAILED, {}, [], 1.0, "diverged")
    space = sweep(tmp_path).space
    assert [trial.number for trial in ranking.best([*trials, failed], space)] == [1, 0, 2, 3]
    by_loss = sweep(tmp_path, objective="val_loss").space
    assert [trial.number for trial in ranking.best(trials, by_loss)] == [1, 0, 2, 3]
    assert [trial.number for trial in ranking.compared(trials, space)] == [0, 1]


def test_trials_of_successive_halving_are_compared_at_its_first_rung(tmp_path):
    space = sweep(tmp_path, successive_halving=HALVING, parameters=SEEDS)
    found = carry_out(search.start(space), 4, lambda job: (job.number / 10, 1 - job.number / 10))
    compared = ranking.compared(found.values(), space.space)
    assert {trial.number: trial.scores["val_accuracy"] for trial in compared} == {
        number: number / 10 for number in range(8)
    }
