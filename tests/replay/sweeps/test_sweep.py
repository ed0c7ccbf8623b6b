"""A sweep finds what is there, announces nothing else, and goes on where it was interrupted."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import LocalCluster
from scipy.stats import binom

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.replay.sweeps import (
    Conditions,
    Fold,
    Outcome,
    Source,
    Span,
    SweepPlan,
    luck,
    open_pool,
    open_storage,
    replays_of,
    run_sweep,
)
from advanced_mm.replay.sweeps.plan import FoldPlan
from advanced_mm.replay.sweeps.space import Space
from advanced_mm.report.sweep_report import (
    importance_of,
    sweep_json,
    sweep_notes,
    verdict_of_sweep,
    write_sweep_page,
)

MINUTE = 60_000
FOLDS = [
    Fold(Span(0, 120 * MINUTE), Span(150 * MINUTE, 210 * MINUTE)),
    Fold(Span(0, 180 * MINUTE), Span(210 * MINUTE, 270 * MINUTE)),
]
SOURCE = Source(Path("recording"), "ETH", Path("history"))
BASE = Settings(min_edge_bp=-90)


def plan(**changes):
    ranges = {"risk_aversion": {"low": 0.01, "high": 100, "log": True},
              "min_edge_bp": {"low": -100, "high": 100}}  # fmt: skip
    made = SweepPlan(
        space=Space.of(ranges, BASE), base=BASE, objectives=("net_per_hour", "max_drawdown"),
        folds=FoldPlan(tests=2), purge_s=1800, trials=20, batch=5, sampler="tpe", queue="model",
        seed=1,
    )  # fmt: skip
    return replace(made, **changes)


@dataclass(frozen=True)
class Market:
    """Earns most where min_edge_bp is 50; each minute is noise as well, common to all trials."""

    earns: float
    ends_ms: int = 10**9
    """From then on it earns nothing more."""

    def __call__(self, job):
        minutes = np.arange(job.span.start_ms, job.span.end_ms, MINUTE)
        common = np.random.default_rng(5).normal(size=1000)[minutes // MINUTE]
        size = 1 / (1 + job.settings.risk_aversion)
        edge = self.earns * max(0, 1 - abs(job.settings.min_edge_bp - 50) / 50) - 0.1
        net = size * (common + np.where(minutes < self.ends_ms, edge, -0.2))
        if job.queue == "back":
            net = net - 0.01
        drop = np.concatenate([[0.0], np.cumsum(net)])
        drawdown = float(np.max(np.maximum.accumulate(drop) - drop))
        return Outcome(net, len(net) / 60, drawdown, 0.5, 0.1, 100, 30, 40)


def swept(run, wanted=None, storage=None, folds=FOLDS):
    kept = open_storage(storage)
    with open_pool(1) as pool:
        return run_sweep(
            wanted or plan(), SOURCE, Conditions(), folds, kept, pool, lambda: None, run
        )


def test_what_earns_is_found_and_announced_with_what_it_earned_later():
    result = swept(Market(earns=1.0))
    assert result.has_winner
    assert abs(result.best.values["min_edge_bp"] - 50) < 25
    tested = result.walk_forward("model")
    assert tested.hours == 2
    assert 20 < tested.figures["net_per_hour"] < 80
    low, high = result.interval(tested)
    assert low < tested.figures["net_per_hour"] < high
    assert result.walk_forward("back").net == pytest.approx(tested.net - 0.01)
    assert result.gain[0] > result.gain[1] > 0  # the present settings lose
    assert verdict_of_sweep(result).startswith(f"Trial {result.best.number} is better than luck")


def test_where_nothing_pays_no_winner_is_announced():
    result = swept(Market(earns=0.0))
    assert not result.has_winner
    assert sweep_json(result)["winner"] is None
    assert verdict_of_sweep(result).startswith("No winner: nothing pays")


def test_among_worthless_trials_a_winner_is_announced_no_more_often_than_promised(monkeypatch):
    """Each trial's minutes are noise of its own, 100 times."""
    monkeypatch.setattr(luck, "_DRAWS", 200)
    announced = 0
    for seed in range(100):

        def noise(job, seed=seed):
            own = round(1e6 * job.settings.min_edge_bp) + 10**9
            net = np.random.default_rng([seed, own, job.span.start_ms]).normal(size=60)
            return Outcome(net, 1.0, 0.0, 0.0, 0.0, 1, 1, 1)

        wanted = plan(trials=8, batch=8, seed=seed, sampler="spread")
        announced += swept(noise, wanted, folds=FOLDS[:1]).has_winner
    assert 0 < announced <= binom.ppf(0.995, 100, 0.05)


def test_what_only_earned_where_it_was_tuned_is_no_winner():
    result = swept(Market(earns=1.0, ends_ms=150 * MINUTE))
    assert result.luck.p_value < 0.05
    assert result.walk_forward("model").figures["net_per_hour"] < 0
    assert not result.has_winner
    assert "but tuning like this made" in verdict_of_sweep(result)


def test_luck_is_judged_by_the_trials_that_knew_no_results():
    result = swept(Market(earns=1.0))
    assert [trial.even for trial in result.folds[0].trials] == [True] * 10 + [False] * 10
    assert result.luck.trials == 10
    spread = swept(Market(earns=1.0), plan(sampler="spread"))
    assert spread.luck.trials == 20
    placed = [trial.values for trial in spread.folds[0].trials]
    other = swept(Market(earns=0.0), plan(sampler="spread"))
    assert placed == [trial.values for trial in other.folds[0].trials]


def test_later_trials_look_where_results_were_good():
    trials = swept(Market(earns=1.0)).folds[1].trials
    distance = [abs(trial.values["min_edge_bp"] - 50) for trial in trials]
    assert np.mean(distance[10:]) < np.mean(distance[:10])


def test_tests_are_replayed_on_their_own_time_only():
    asked = []

    def run(job):
        asked.append((job.span, job.queue, job.settings == BASE))
        return Market(1.0)(job)

    result = swept(run)
    for number, fold in enumerate(FOLDS):
        of_fold = asked[number * 24 : (number + 1) * 24]
        assert of_fold[:20] == [(fold.train, "model", False)] * 20
        assert of_fold[20:] == [
            (fold.test, "model", True),
            *((fold.test, queue, False) for queue in ("front", "model", "back")),
        ]
    assert len(asked) == replays_of(result.plan, FOLDS)


def outcomes(result):
    return [[(one.values, one.outcome.net.tolist()) for one in f.trials] for f in result.folds]


def test_an_interrupted_sweep_goes_on_to_the_same_result(tmp_path):
    runs = []

    def interrupted(job):
        runs.append(job)
        if len(runs) == 18:  # in the second batch of those that look at results
            raise KeyboardInterrupt
        return Market(1.0)(job)

    with pytest.raises(KeyboardInterrupt):
        swept(interrupted, storage=tmp_path / "trials.log")
    runs.clear()
    again = swept(lambda job: runs.append(job) or Market(1.0)(job), storage=tmp_path / "trials.log")
    assert outcomes(again) == outcomes(swept(Market(1.0)))
    assert len(runs) == 5 + 4 + 24  # the rest of the first fold, its tests, the second
    runs.clear()
    more = swept(
        lambda job: runs.append(job) or Market(1.0)(job),
        plan(trials=30),
        tmp_path / "trials.log",
    )
    assert len(runs) == 2 * (10 + 4)
    assert [trial.even for trial in more.folds[0].trials] == [True] * 10 + [False] * 10 + [
        True
    ] * 5 + [False] * 5


@pytest.mark.parametrize(
    "changes", [{"seed": 2}, {"queue": "back"}, {"base": Settings(), "batch": 5}]
)
def test_the_trials_of_another_sweep_are_not_mixed_in(tmp_path, changes):
    swept(Market(1.0), storage=tmp_path / "trials.log")
    with pytest.raises(InputError, match="begun with another plan"):
        swept(Market(1.0), plan(**changes), tmp_path / "trials.log")


@pytest.mark.parametrize("text", ["no trials\n", "{}\n", "[1]\n", "7\n"])
def test_a_file_that_holds_no_trials_is_refused(tmp_path, text):
    (tmp_path / "some.log").write_text(text)
    with pytest.raises(InputError, match=r"some\.log holds no trials"):
        open_storage(tmp_path / "some.log")


def test_a_folder_is_no_file_for_trials(tmp_path):
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        open_storage(tmp_path)


def test_settings_that_contradict_each_other_are_counted_not_run():
    ranges = {"q_min": {"low": 0, "high": 2}, "q_max": {"low": 1, "high": 2}}
    result = swept(Market(1.0), plan(space=Space.of(ranges, BASE)))
    fold = result.folds[0]
    assert fold.invalid
    assert len(fold.trials) + len(fold.invalid) == 20
    assert all(trial.values["q_min"] < trial.values["q_max"] for trial in fold.trials)
    assert any("q_min = 1 must be below q_max = 1" in one for one in fold.invalid)
    assert any("trials could not be run" in note for note in sweep_notes(result))


def test_a_cluster_keeps_the_order_passes_errors_on_and_listens_on_loopback_only():
    done = []
    with open_pool(2) as pool:
        assert pool(math.factorial, range(20), lambda: done.append(1)) == [
            math.factorial(n) for n in range(20)
        ]
        ours = psutil.Process()
        for process in [ours, *ours.children(recursive=True)]:
            open_to = {c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"}
            assert open_to <= {"127.0.0.1"}
        with pytest.raises(ValueError, match="not defined for negative"):
            pool(math.factorial, [1, -3], lambda: None)
    assert len(done) == 20


def test_workers_elsewhere_are_used_as_they_are():
    where = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, processes=False, protocol="tcp://", **where) as cluster:
        with open_pool(1, cluster.scheduler_address) as pool:
            assert pool(math.factorial, [3, 4], lambda: None) == [6, 24]
        assert len(cluster.workers) == 1  # it is not ours to end


def test_a_scheduler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("advanced_mm.replay.sweeps.pool._CONNECT_S", 0.2)
    told = "--scheduler tcp://127.0.0.1:9"
    with pytest.raises(InputError, match=told), open_pool(2, "tcp://127.0.0.1:9"):
        pass


def test_the_setting_that_matters_is_the_important_one():
    result = swept(Market(earns=5.0), plan(trials=40))
    found = importance_of(result.folds[-1])
    assert set(found) == {"min_edge_bp", "risk_aversion"}
    assert sum(found.values()) == pytest.approx(1)
    few = swept(Market(earns=5.0), plan(trials=4))
    assert importance_of(few.folds[-1]) == {}


def test_the_page_answers_first_and_shows_front_and_importance(tmp_path):
    result = swept(Market(earns=1.0))
    write_sweep_page(tmp_path / "new" / "sweep.html", result, "Sweep: ETH")
    page = (tmp_path / "new" / "sweep.html").read_text()
    assert page.index(verdict_of_sweep(result)) < page.index("<h2>Tuned and tested")
    for expected in ("What matters", "The Pareto front", "largest drawdown, USDC", "on the front"):
        assert expected in page


def test_the_json_has_all_trials_and_both_sides_of_the_tests():
    told = sweep_json(swept(Market(earns=1.0)))
    assert set(told["out_of_sample"]) == {"front", "model", "back"}
    model = told["out_of_sample"]["model"]
    assert model["net_per_hour_low"] < model["net_per_hour"] < model["net_per_hour_high"]
    assert told["winner"] == told["folds"][-1]["best"]["settings"]
    assert [len(fold["trials"]) for fold in told["folds"]] == [20, 20]
    assert told["luck"]["p_value"] < 0.05
