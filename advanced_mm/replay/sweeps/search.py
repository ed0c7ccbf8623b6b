"""The trials of one stretch of the recording, by Optuna: first spread evenly, then where it pays.

The first half of the trials covers the ranges evenly and knows no results. It is what makes the
luck check honest (`advanced_mm.replay.sweeps.luck`), and what the sampler starts from. Trials are
asked for in batches of a fixed size, each with its own seed, and told in order: the result is the
same with any number of workers, and after an interruption.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import TrialState, create_trial

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.replay.sweeps.objectives import OBJECTIVES, Outcome
from advanced_mm.replay.sweeps.plan import SweepPlan
from advanced_mm.replay.sweeps.space import Value

__all__ = ["Evaluate", "Trial", "open_storage", "open_study", "search"]

Evaluate = Callable[[Sequence[Settings]], Iterable[Outcome]]
"""Replays one stretch with each of some settings, in their order."""

_OUTCOME: Final = "outcome"
_INVALID: Final = "invalid"
_EVEN: Final = "even"
_KEY: Final = "sweep"


@dataclass(frozen=True)
class Trial:
    """Values that were tried and what they earned; ``even`` if they knew no results."""

    number: int
    values: dict[str, Value]
    outcome: Outcome
    even: bool


def open_storage(path: Path | None) -> BaseStorage:
    """Open the file that finished trials are kept in, or keep them in memory.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    if path is None:
        return InMemoryStorage()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(path)))
        with path.open(encoding="utf-8") as file:
            if (first := file.readline()) and "op_code" not in json.loads(first):
                raise ValueError("its first line is no entry of Optuna's journal")
    except OSError as error:
        raise InputError(f"--storage {path} cannot be written: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"--storage {path} holds no trials ({error}); name another file."
        ) from None
    return storage


def open_study(storage: BaseStorage, name: str, plan: SweepPlan, key: str) -> Study:
    """Open a study of the storage, new or begun before.

    Parameters
    ----------
    key : str
        Of all that the results depend on; a study begun with another one is refused.

    Raises
    ------
    InputError
        The study was begun with another plan, other settings or other data.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=[OBJECTIVES[objective].direction for objective in plan.objectives],
        load_if_exists=True,
    )
    if study.user_attrs.get(_KEY, key) != key:
        raise InputError(
            f"the storage's study {name!r} was begun with another plan, other settings or another "
            "recording; name another file, or delete this one."
        )
    study.set_user_attr(_KEY, key)
    return study


def search(
    study: Study, plan: SweepPlan, evaluate: Evaluate, seed: int
) -> tuple[list[Trial], list[str]]:
    """Run the trials that the study lacks.

    Returns
    -------
    tuple
        All trials, and for each that could not be run, as its settings contradict each other, why.
    """
    for begun in study.get_trials(states=(TrialState.RUNNING,)):  # interrupted
        study.tell(begun.number, state=TrialState.FAIL)
    spread = plan.space.spread(plan.trials, seed)
    even = plan.trials if plan.sampler == "spread" else (plan.trials + 1) // 2
    while (done := len(_finished(study))) < plan.trials:
        placed = sum(_EVEN in trial.user_attrs for trial in _finished(study))
        if placed < even:
            _run_even(study, plan, evaluate, spread[placed : min(placed + plan.batch, even)])
        else:
            _run_asked(study, plan, evaluate, seed, min(plan.batch, plan.trials - done))
    finished = _finished(study)
    trials = [
        Trial(number, trial.params, _outcome(trial.user_attrs[_OUTCOME]), _EVEN in trial.user_attrs)
        for number, trial in enumerate(finished)
        if trial.state is TrialState.COMPLETE
    ]
    return trials, [
        trial.user_attrs[_INVALID] for trial in finished if _INVALID in trial.user_attrs
    ]


def _finished(study: Study) -> list[optuna.trial.FrozenTrial]:
    states = (TrialState.COMPLETE, TrialState.FAIL)
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=states)
        if trial.state is TrialState.COMPLETE or _INVALID in trial.user_attrs
    ]


def _run_even(
    study: Study, plan: SweepPlan, evaluate: Evaluate, points: Sequence[dict[str, Value]]
) -> None:
    chosen = [_settings(plan, point) for point in points]
    outcomes = iter(evaluate([one for one in chosen if isinstance(one, Settings)]))
    for point, settings in zip(points, chosen, strict=True):
        kept: dict[str, Any] = {"params": point, "distributions": dict(plan.space.ranges)}
        if isinstance(settings, str):
            kept |= {"state": TrialState.FAIL, "user_attrs": {_EVEN: True, _INVALID: settings}}
        else:
            outcome = next(outcomes)
            attributes = {_EVEN: True, _OUTCOME: _kept(outcome)}
            kept |= {"values": _values(plan, outcome), "user_attrs": attributes}
        study.add_trial(create_trial(**kept))


def _run_asked(study: Study, plan: SweepPlan, evaluate: Evaluate, seed: int, count: int) -> None:
    place = len(_finished(study))
    state = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=2, seed=state)
    asked = [study.ask(dict(plan.space.ranges)) for _ in range(count)]
    chosen = [_settings(plan, trial.params) for trial in asked]
    outcomes = iter(evaluate([one for one in chosen if isinstance(one, Settings)]))
    for trial, settings in zip(asked, chosen, strict=True):
        if isinstance(settings, str):
            trial.set_user_attr(_INVALID, settings)
            study.tell(trial, state=TrialState.FAIL)
        else:
            outcome = next(outcomes)
            trial.set_user_attr(_OUTCOME, _kept(outcome))
            study.tell(trial, _values(plan, outcome))


def _settings(plan: SweepPlan, values: dict[str, Value]) -> Settings | str:
    """The settings of a trial, or why they contradict each other."""
    try:
        return Settings.from_config({"market_making": plan.base.model_dump() | values})
    except InputError as error:
        return str(error).partition(". Correct it")[0]


def _values(plan: SweepPlan, outcome: Outcome) -> list[float]:
    figures = outcome.figures
    return [figures[name] for name in plan.objectives]


def _kept(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome) | {"net": outcome.net.tolist()}


def _outcome(kept: dict[str, Any]) -> Outcome:
    return Outcome(**kept | {"net": np.array(kept["net"], dtype=np.float64)})
