"""What a sweep found: a verdict that luck cannot fool, tables, JSON and a page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table as TerminalTable

from advanced_mm.replay.sweeps import OBJECTIVES, FoldResult, Outcome, Span, SweepResult
from advanced_mm.replay.sweeps.luck import LEAST_BLOCKS, SIGNIFICANT
from advanced_mm.replay.sweeps.search import Trial
from advanced_mm.report.charts import Chart, Series
from advanced_mm.report.page import Card, Headline, Section, Table, write_page

__all__ = [
    "importance_of",
    "sweep_json",
    "sweep_notes",
    "sweep_table",
    "verdict_of_sweep",
    "write_sweep_page",
]

_LEAST_FOR_IMPORTANCE: Final = 10
_FOLD_HEADER: Final = (
    *("fold", "tuned on", "tested on"),
    *("tuned, USDC/h", "tested, USDC/h", "present settings, USDC/h", "best settings"),
)


def verdict_of_sweep(result: SweepResult) -> str:
    """Say whether there is a winner, and if not why not."""
    best, tested = result.best, result.walk_forward(result.plan.queue)
    if best is None or tested is None:
        return "No winner: no trial's settings were valid together."
    earned = f"{_signed(tested.figures['net_per_hour'])} USDC per hour where it was tested"
    if result.too_short:
        return (
            f"Too short: the tests cover {60 * tested.hours:.0f} minutes together and say little. "
            "Record more."
        )
    if not np.isfinite(result.luck.p_value):
        return f"Too short to tell luck: it takes {LEAST_BLOCKS} minutes to tune on. Record more."
    if result.has_winner:
        return (
            f"Trial {best.number} is better than luck ({_p_value(result)}) and earned {earned}, on "
            "time that it had not seen."
        )
    if result.luck.p_value >= SIGNIFICANT and best.outcome.figures["net_per_hour"] <= 0:
        return f"No winner: nothing pays, even the best of {result.plan.trials} trials lost money."
    if result.luck.p_value >= SIGNIFICANT:
        return (
            f"No winner: among {result.luck.trials} trials that earn nothing the best would look "
            f"as good or better by luck alone with a probability of {result.luck.p_value:.2g}."
        )
    return (
        f"No winner: trial {best.number} looks better than luck where it was tuned "
        f"({_p_value(result)}), but tuning like this made {earned}."
    )


def sweep_notes(result: SweepResult) -> list[str]:
    """Say what the numbers rest on, a sentence or two each."""
    plan, last = result.plan, result.folds[-1]
    told = []
    if result.best is not None:
        told.append(f"Best of the last fold, trial {result.best.number}: {_values(result.best)}.")
        told.append(_in_sample(last, result))
        if ends := plan.space.at_an_end(result.best.values):
            told.append(
                f"At an end of its range: {', '.join(ends)}. There may be better beyond it."
            )
    tested = result.walk_forward(plan.queue)
    if tested is not None:
        gain, low, high = result.gain
        told.append(
            f"Out of sample, over {tested.hours:.1f} hours in {len(result.folds)} tests, each with "
            f"what was best before it: {_with_interval(result, tested)} USDC per hour, "
            f"{_signed(gain)}{_interval(low, high)} against the present settings. By the place in "
            f"the queue: {_by_queue(result)}."
        )
    told.append(
        f"Luck: a bootstrap reality check (White 2000, Hansen 2005) over the minutes of the "
        f"{result.luck.trials} trials that were placed evenly over the ranges, knowing no results; "
        "the other trials are placed by results and would make luck look like skill."
    )
    told.append(
        f"{plan.purge_s / 60:g} minutes are left out between tuning and test. Trials assume "
        f"the place in the queue: {plan.queue}. No market impact."
    )
    invalid = sum(len(fold.invalid) for fold in result.folds)
    if invalid:
        first = next(fold.invalid[0] for fold in result.folds if fold.invalid)
        told.append(f"{invalid} trials could not be run; the first: {first}.")
    return told


def _in_sample(fold: FoldResult, result: SweepResult) -> str:
    assert fold.best is not None
    told = (
        f"Where it was tuned it made {_with_interval(result, fold.best.outcome)} USDC per hour, "
        f"in its own test {_with_interval(result, fold.tested[result.plan.queue])}."
    )
    if np.isfinite(fold.luck.typical):
        minutes = len(fold.best.outcome.net) / fold.best.outcome.hours
        told += (
            f" The best of {fold.luck.trials} trials that earn nothing reaches "
            f"{fold.luck.typical * minutes:+.2f} in half of all cases and "
            f"{fold.luck.seldom * minutes:+.2f} in one of twenty."
        )
    return told


def sweep_table(result: SweepResult) -> TerminalTable:
    """Lay out the folds; a row for each, and one for all tests together."""
    table = TerminalTable(title="Walk-forward folds", title_justify="left")
    table.caption = "In brackets: 95% intervals by drawing stretches of time."
    table.caption_justify = "left"
    for name in _FOLD_HEADER:
        table.add_column(name, justify="right" if "USDC" in name else "left")
    for row in _fold_rows(result):
        table.add_row(*row)
    return table


def importance_of(fold: FoldResult) -> dict[str, float]:
    """Return each setting's share in the first objective's variation; empty with few trials.

    The shares are those of a random forest's splits (fANOVA, Hutter et al. 2014); a setting that
    was swept alone has all.
    """
    complete = [trial for trial in fold.trials if np.isfinite(trial.outcome.net).all()]
    first = [_target(trial) for trial in fold.study.get_trials(states=(TrialState.COMPLETE,))]
    if len(complete) < _LEAST_FOR_IMPORTANCE or np.ptp(first) == 0:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(fold.study, evaluator=evaluator, target=_target)


def _target(trial: FrozenTrial) -> float:
    return float(trial.values[0])


def sweep_json(result: SweepResult) -> dict[str, Any]:
    """Return everything as plain values; what is not known is null."""
    best, plan = result.best, result.plan
    gain = result.gain
    return {
        "verdict": verdict_of_sweep(result),
        "winner": None if not result.has_winner or best is None else best.values,
        "best": None if best is None else _trial_json(best),
        "luck": {
            "p_value": _known(result.luck.p_value),
            "trials": result.luck.trials,
            "typical_best_per_minute": _known(result.luck.typical),
            "seldom_best_per_minute": _known(result.luck.seldom),
        },
        "out_of_sample": {
            queue: _outcome_json(result, found)
            for queue in result.folds[-1].tested
            if (found := result.walk_forward(queue)) is not None
        },
        "present_settings": _outcome_json(result, result.present),
        "gain_per_hour": dict(
            zip(("value", "low", "high"), (_known(value) for value in gain), strict=True)
        ),
        "too_short": result.too_short,
        "objectives": {name: OBJECTIVES[name].direction for name in plan.objectives},
        "importance": importance_of(result.folds[-1]),
        "folds": [
            {
                "train": _span_json(fold.fold.train),
                "test": _span_json(fold.fold.test),
                "best": None if fold.best is None else _trial_json(fold.best),
                "tested": {queue: _outcome_json(result, one) for queue, one in fold.tested.items()},
                "present_settings": _outcome_json(result, fold.present),
                "p_value": _known(fold.luck.p_value),
                "trials": [_trial_json(trial) for trial in fold.trials],
                "invalid": fold.invalid,
            }
            for fold in result.folds
        ],
        "notes": sweep_notes(result),
    }


def write_sweep_page(path: Path, result: SweepResult, title: str) -> None:
    """Write the page, and its folder where there is none.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    best, last = result.best, result.folds[-1]
    cards = []
    tested = result.walk_forward(result.plan.queue)
    if best is not None and tested is not None:
        tuned = best.outcome.figures["net_per_hour"]
        out = tested.figures["net_per_hour"]
        present = result.present.figures["net_per_hour"]
        cards = [
            Card("out of sample", f"{_signed(out)} USDC/h", "all tests", out),
            Card("in sample", f"{_signed(tuned)} USDC/h", "the best where it was tuned", tuned),
            Card("present settings", f"{_signed(present)} USDC/h", "all tests", present),
            Card("luck's p-value", _number(result.luck.p_value), "below 0.05 is not luck"),
        ]
    front = len(result.plan.objectives) > 1
    sections = [
        Section("folds", "Tuned and tested", sweep_notes(result), tables=_fold_tables(result)),
        Section(
            "history",
            "In sample and out of sample",
            [
                "Each trial of the last fold where it was tuned, and the best so far. The first "
                "trials are placed evenly. A dashed line is what the best of them would reach by "
                "luck in one case of twenty; there is none where the best lost."
            ],
            [_history(result), _folds_chart(result)],
        ),
        Section(
            "importance",
            "What matters",
            ["Each setting's share in how much the trials' first objective differs."],
            [_importance(last)],
        ),
    ]
    if front:
        sections.append(
            Section(
                "front",
                "The Pareto front",
                ["Trials of the last fold; on the front none is better in all objectives."],
                _fronts(result),
                [_front_table(result)],
            )
        )
    headline = Headline(
        verdict_of_sweep(result),
        "" if best is None else f"Best of the last fold: {_values(best)}.",
        cards,
        0.0 if tested is None or not result.has_winner else tested.figures["net_per_hour"],
    )
    names = ", ".join(result.plan.space.ranges)
    lead = f"{result.plan.trials} trials a fold over {names}. Amounts in USDC."
    write_page(path, title, lead, sections, headline)


def _history(result: SweepResult) -> Chart:
    name = result.plan.objectives[0]
    trials = result.folds[-1].trials
    values = [trial.outcome.figures[name] for trial in trials]
    rising = OBJECTIVES[name].direction == "maximize"
    best = (np.maximum if rising else np.minimum).accumulate(np.array(values))
    numbers = [trial.number for trial in trials]
    parts = [
        Series(label, [n for n, t in zip(numbers, trials, strict=True) if t.even == even],
               [v for v, t in zip(values, trials, strict=True) if t.even == even], "points",
               symbol="ring" if even else "circle")
        for label, even in (("placed evenly", True), ("placed by results", False))
    ]  # fmt: skip
    series = [*(one for one in parts if len(one.x)), Series("best so far", numbers, best, "step")]
    luck = result.luck
    if name == "net_per_hour" and np.isfinite(luck.seldom) and trials:
        level = luck.seldom * len(trials[0].outcome.net) / trials[0].outcome.hours
        ends = [numbers[0], numbers[-1]]
        series.append(Series("luck, one case of twenty", ends, [level, level], dashed=True))
    return Chart("Trials of the last fold", "trial", _label(name), series)


def _folds_chart(result: SweepResult) -> Chart:
    folds = [fold for fold in result.folds if fold.best is not None]
    labels = [f"fold {number + 1}" for number in range(len(folds))]
    series = []
    for name, outcomes in (
        ("best, where tuned", [fold.best.outcome for fold in folds if fold.best]),
        ("best, tested", [fold.tested[result.plan.queue] for fold in folds]),
        ("present settings, tested", [fold.present for fold in folds]),
    ):
        low, high = zip(*(result.interval(one) for one in outcomes), strict=True)
        values = [one.figures["net_per_hour"] for one in outcomes]
        if not np.isfinite([*low, *high]).all():
            low, high = (), ()
        series.append(Series(name, labels, values, "bars", low=low, high=high))
    return Chart("Net P&L per hour", "fold", "USDC/h", series)


def _importance(fold: FoldResult) -> Chart:
    found = importance_of(fold)
    series = [Series("share", list(found), list(found.values()), "bars")] if found else []
    return Chart("Importance of the settings", "setting", "share", series)


def _fronts(result: SweepResult) -> list[Chart]:
    first, *others = result.plan.objectives
    fold = result.folds[-1]
    front = set(_front(fold))
    charts = []
    for other in others:
        series = []
        for label, wanted in (("behind the front", False), ("on the front", True)):
            chosen = [one for one in fold.trials if (one.number in front) == wanted]
            of = [one.outcome.figures for one in chosen]
            points = [one[other] for one in of], [one[first] for one in of]
            if of:
                series.append(
                    Series(label, *points, "points", symbol="diamond" if wanted else "circle")
                )
        charts.append(Chart(OBJECTIVES[other].title, _label(other), _label(first), series))
    return charts


def _front_table(result: SweepResult) -> Table:
    fold, names = result.folds[-1], result.plan.objectives
    front = set(_front(fold))
    rows = [
        [str(trial.number), *(_number(trial.outcome.figures[n]) for n in names), _values(trial)]
        for trial in fold.trials
        if trial.number in front
    ]
    return Table("The front", ["trial", *(_label(name) for name in names), "settings"], rows)


def _front(fold: FoldResult) -> list[int]:
    """Numbers of the trials on the Pareto front."""
    on_it = {trial.number for trial in fold.study.best_trials}
    complete = fold.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    pairs = zip(complete, fold.trials, strict=True)
    return [ours.number for theirs, ours in pairs if theirs.number in on_it]


def _fold_tables(result: SweepResult) -> list[Table]:
    """The folds' numbers, and below them their settings: together they are too wide for a page."""
    caption = "In brackets: 95% intervals by drawing stretches of time."
    rows = _fold_rows(result)
    settings = [
        (str(number + 1), str(fold.best.number), _values(fold.best))
        for number, fold in enumerate(result.folds)
        if fold.best is not None
    ]
    return [
        Table(caption, _FOLD_HEADER[:-1], [row[:-1] for row in rows]),
        Table("The best trial of each fold", ("fold", "trial", "settings"), settings),
    ]


def _fold_rows(result: SweepResult) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for number, fold in enumerate(result.folds):
        best, tested = fold.best, fold.tested.get(result.plan.queue)
        rows.append(
            (
                str(number + 1),
                _span(fold.fold.train),
                _span(fold.fold.test),
                "–" if best is None else _with_interval(result, best.outcome),
                "–" if tested is None else _with_interval(result, tested),
                _with_interval(result, fold.present),
                "–" if best is None else _values(best),
            )
        )
    tested = result.walk_forward(result.plan.queue)
    if tested is not None:
        total = (_with_interval(result, one) for one in (tested, result.present))
        rows.append(("all", "", f"{tested.hours:.1f} hours", "", *total, ""))
    return rows


def _by_queue(result: SweepResult) -> str:
    found = {queue: result.walk_forward(queue) for queue in result.folds[-1].tested}
    return ", ".join(
        f"{queue} {_signed(one.figures['net_per_hour'])}"
        for queue, one in found.items()
        if one is not None
    )


def _label(name: Any) -> str:
    one = OBJECTIVES[name]
    return f"{one.title}, {one.unit}" if one.unit else one.title


def _values(trial: Trial) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.values.items()
    )


def _p_value(result: SweepResult) -> str:
    p = result.luck.p_value
    return "p below 0.001" if p < 0.001 else f"p = {p:.2g}"


def _with_interval(result: SweepResult, outcome: Outcome) -> str:
    return _signed(outcome.figures["net_per_hour"]) + _interval(*result.interval(outcome))


def _interval(low: float, high: float) -> str:
    return f" [{_signed(low)}, {_signed(high)}]" if np.isfinite(low) else ""


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if np.isfinite(value) else "–"


def _span(span: Span) -> str:
    start, end = (datetime.fromtimestamp(t / 1000, UTC) for t in (span.start_ms, span.end_ms))
    same_day = start.date() == end.date()
    return f"{start:%m-%d %H:%M} – {end:{'%H:%M' if same_day else '%m-%d %H:%M'}}"


def _span_json(span: Span) -> dict[str, str]:
    start, end = (datetime.fromtimestamp(t / 1000, UTC) for t in (span.start_ms, span.end_ms))
    return {"since": start.isoformat(), "until": end.isoformat()}


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "settings": trial.values,
        "placed_evenly": trial.even,
        **_figures(trial.outcome),
        "fills": trial.outcome.fills,
    }


def _outcome_json(result: SweepResult, outcome: Outcome) -> dict[str, Any]:
    low, high = result.interval(outcome)
    return {
        "hours": outcome.hours,
        **_figures(outcome),
        "net_per_hour_low": _known(low),
        "net_per_hour_high": _known(high),
        "fills": outcome.fills,
    }


def _figures(outcome: Outcome) -> dict[str, float]:
    return {str(name): value for name, value in outcome.figures.items()}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
