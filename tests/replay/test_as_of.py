"""The table decides what the quoter decides at the same moment, and never by later parameters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import (
    MissingParametersError,
    ParameterSet,
    PolicyChoice,
    Settings,
    model_problem,
    with_value_function,
)
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quote, Quoter, Refusal, Touch, kind_of
from advanced_mm.replay import as_of as module
from advanced_mm.replay.as_of import MidPath, Refits, decision_table

START = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
GRID = PriceGrid(4)
SOUND = {"epsilon_fill_plus": 0.1, "epsilon_fill_minus": 0.12}
LINE = {
    f"epsilon_fill_{part}_{side}": value
    for part, value in (("intercept", 2.0), ("slope", 0.1))
    for side in ("plus", "minus")
}

# What each refit of the session is like, and how many seconds pass until the next.
SESSION = [
    (SOUND, 15),
    ({**SOUND, "kappa_plus": 2.2, "lambda0_minus": 0.25}, 15),
    ({**SOUND, **LINE}, 15),  # no edge: the market moves further after a fill than the depths allow
    ({"epsilon_fill_plus": 0.9}, 15),  # toxic
    ({**SOUND, "epsilon_fill_slope_minus": 1.2, "epsilon_fill_slope_minus_low": 1.05}, 15),
    ({**SOUND, "status": "insufficient"}, 15),
    ({**SOUND, "silent": "trades"}, 15),
    ({**SOUND, "kappa_minus": 3.1}, 90),  # stale before the next
    ({**SOUND, "epsilon_fill_plus": 1e300, "kappa_plus": 1e-302, "kappa_minus": 1e-302}, 15),
    (SOUND, 120),  # its data too old before it is
    ({**SOUND, "kappa_plus": 2.9}, 60),
]


def session(make_set):
    """The session's refits: each as published, on data two seconds old."""
    at, found = START, []
    for number, (changes, seconds) in enumerate(SESSION):
        times = {"published_at": at, "fitted_at": at - timedelta(seconds=2)}
        if changes.get("status") == "insufficient":
            times["fitted_at"] = None
        if number == 9:
            times["fitted_at"] = at - timedelta(seconds=40)
        found.append(make_set(f"r{number}", **(changes | times)))
        at += timedelta(seconds=seconds)
    return found, round((at - START).total_seconds())


def as_refits(sets):
    published = [round(s.kappa.published_at.timestamp() * 1000) for s in sets]
    return Refits("ETH", np.array(published, dtype=np.int64), tuple(sets))


def walk(seconds, jump_at=None):
    """Best bids and asks at every second from a minute before the session on."""
    rng = np.random.default_rng(7)
    mid = 3000 + np.cumsum(rng.normal(0, 0.5, seconds + 60))
    if jump_at is not None:
        mid[jump_at + 60 :] *= 1.03
    bid = np.round(mid, 1)
    time_ms = START_MS - 60_000 + 1000 * np.arange(seconds + 60)
    return time_ms, bid, np.round(bid + rng.integers(1, 5, len(bid)) / 10, 1)


class FeedAsOf:
    """Serves what was published by a time, as the files would have held it."""

    def __init__(self, sets, settings):
        self.sets = [with_value_function(one, settings) for one in sets]
        self.now = START

    def latest(self) -> ParameterSet:
        known = [one for one in self.sets if one.kappa.published_at <= self.now]
        if not known:
            raise MissingParametersError("no parameters: nothing yet")
        return known[-1]


def price_of(table, row, column, side, touch):
    """The price the maker takes from a row: at the touch, at the depth, or none."""
    depth = getattr(table, f"{side}_depth")[row, column]
    if getattr(table, f"{side}_refusal")[row, column]:
        return None
    if getattr(table, f"{side}_at_touch")[row, column]:
        return touch.bid if side == "bid" else touch.ask
    if np.isnan(depth):
        return None
    return getattr(GRID, side)(touch.mid, depth)


SETTINGS = {
    "freqtrade": {"max_data_age_seconds": 45},
    "short": {"q_min": -1, "q_max": 0},
    "both sides": {"q_min": -2, "q_max": 2, "epsilon_source": "fill_slope"},
    "one side": {"q_min": -2, "q_max": 2, "sides": "one"},
    "layered": {"inventory_mode": "layered", "q_max": 3, "compensate_drift": False},
    "no least edge": {"min_edge_bp": None, "toxicity_limit": 10.0},
    "unfitted": {"epsilon_source": "pareto"},
    "a rebate": {"fee_rate": -0.00003, "min_edge_bp": 2.0},
}


@pytest.mark.parametrize(
    ("name", "jump_at"), [*((name, None) for name in SETTINGS), ("both sides", 185)]
)
def test_the_quoter_itself_decides_the_same_at_every_look(make_set, name, jump_at):
    """Every second of the session, at every inventory and on both sides.

    The bot's edge is that of its rounded price, the table's that of such prices on average.
    """
    settings = Settings(**SETTINGS[name])
    sets, seconds = session(make_set)
    time_ms, bid, ask = walk(seconds, jump_at)
    mids = MidPath.of_quotes(time_ms, bid, ask)
    begin = int(time_ms[40])
    table = decision_table(as_refits(sets), settings, mids, begin, int(time_ms[-1]), GRID)
    feed = FeedAsOf(sets, settings)
    quoter = Quoter(settings, feed, GRID)
    kinds, rounded = set(), []
    for look in range(40, len(time_ms)):
        feed.now = now = datetime.fromtimestamp(time_ms[look] / 1000, UTC)
        touch = Touch(bid[look], ask[look], now)
        row = int(np.searchsorted(table.time_ms, time_ms[look], "right")) - 1
        for column, inventory in enumerate(range(settings.q_min, settings.q_max + 1)):
            for side in ("ask", "bid"):
                if inventory == (settings.q_min if side == "ask" else settings.q_max):
                    continue  # the bot never asks
                if settings.sides == "one":
                    found = quoter.one_order(inventory, touch, now)
                    if isinstance(found, Quote) and found.side != side:
                        assert price_of(table, row, column, side, touch) is None
                        continue
                else:
                    closes = inventory > 0 if side == "ask" else inventory < 0
                    asked = quoter.exit if closes else quoter.entry
                    found = asked(side, inventory, touch, now)
                code = getattr(table, f"{side}_refusal")[row, column]
                price = price_of(table, row, column, side, touch)
                if isinstance(found, Refusal):
                    kinds.add(kind_of(found.reason))
                    assert table.refusals[code] == kind_of(found.reason)
                    assert price is None
                    continue
                assert isinstance(found, Quote)
                kinds.add("touch" if found.calibration_id is None else "depth")
                # Beyond 1% from the refit's mid the bot solves anew, at the mid of the first look.
                apart = 0.0 if jump_at is None else 0.01 * abs(settings.fee_rate) * touch.mid
                assert abs(price - found.price) <= apart + (found.tick if apart else 0.0)
                if found.edge is not None:
                    edge = getattr(table, f"{side}_edge")[row, column]
                    close = 0.002 * abs(settings.fee_rate) * touch.mid + apart
                    assert edge == pytest.approx(found.edge, abs=found.tick / 2 + close + 1e-9)
                    rounded.append(found.edge - edge)
                    assert table.calibration_id[row] == found.calibration_id
    assert not rounded or abs(np.mean(rounded)) < 0.2 * GRID.tick(3000.0)
    assert bool(rounded) == (name != "unfitted")
    expected = {"freqtrade": {"depth", "touch", "toxic", "stale", "no edge", "no depth pays"}}
    assert kinds >= expected.get(name, set())
    if name == "freqtrade":
        assert kinds >= {"insufficient data", "data in doubt", "no parameters"}


def test_a_refit_published_later_changes_no_row_before_it(make_set):
    sets, seconds = session(make_set)
    time_ms, bid, ask = walk(seconds)
    mids = MidPath.of_quotes(time_ms, bid, ask)
    asked = Settings(), mids, START_MS, int(time_ms[-1])
    whole = decision_table(as_refits(sets), *asked)
    for number in (1, 2, 8):
        others = [*sets[:number], *(make_set("x", kappa_plus=9.9) for _ in sets[number:])]
        published = as_refits(sets).published_ms
        changed = decision_table(Refits("ETH", published, tuple(others)), *asked)
        before = int(np.searchsorted(whole.time_ms, published[number]))
        assert before > 0
        assert (whole.time_ms[:before] == changed.time_ms[:before]).all()
        for name in ("ask_depth", "bid_depth", "ask_edge", "bid_edge", "ask_at_touch"):
            one, other = getattr(whole, name)[:before], getattr(changed, name)[:before]
            assert np.array_equal(one, other, equal_nan=True)
        assert whole.calibration_id[before] != changed.calibration_id[before]


def test_a_mid_seen_later_changes_no_row_before_it(make_set):
    sets, seconds = session(make_set)
    time_ms, bid, ask = walk(seconds)
    asked = as_refits(sets), Settings(min_edge_bp=None)
    end = int(time_ms[-1])
    for at in (80, 172):
        moved = [np.where(np.arange(len(bid)) >= at, 1.02 * side, side) for side in (bid, ask)]
        one, other = (
            decision_table(*asked, MidPath.of_quotes(time_ms, *sides), START_MS, end)
            for sides in ((bid, ask), moved)
        )
        before = [int(np.searchsorted(t.time_ms, time_ms[at])) for t in (one, other)]
        assert before[0] == before[1] > 0
        assert np.array_equal(one.time_ms[: before[0]], other.time_ms[: before[0]])
        assert np.array_equal(
            one.ask_edge[: before[0]], other.ask_edge[: before[0]], equal_nan=True
        )
        assert time_ms[at] in other.time_ms
        assert time_ms[at] not in one.time_ms


def test_refits_are_read_from_the_history_with_the_one_in_force_at_the_start(make_set, tmp_path):
    history = CalibrationHistory(tmp_path)
    sets, _ = session(make_set)
    history.extend(sets)
    found = Refits.read(history, "ETH", START_MS + 16_000, START_MS + 45_000)
    assert found.published_ms.tolist() == [START_MS + s * 1000 for s in (15, 30, 45)]
    assert [one.calibration_id for one in found.sets] == ["r1", "r2", "r3"]
    assert [one.kappa.kappa_plus for one in found.sets] == [s.kappa.kappa_plus for s in sets[1:4]]
    with pytest.raises(InputError, match=r"recalibrate_recording\.py --crypto ETH"):
        Refits.read(history, "ETH", START_MS - 9_000, START_MS - 1_000)


def test_a_refit_that_no_bot_could_read_is_no_refit(make_set, tmp_path):
    """Its entries are refused and a position is offered at the touch; the next one counts again."""
    sets, _ = session(make_set)
    history = CalibrationHistory(tmp_path)
    history.extend(sets[:2])
    lines = tmp_path / "ETH" / "2026-11-23.jsonl"
    history.merge()
    lines.write_text(
        '{"calibration_id": "bad", "published_at": "2026-11-23T12:00:20+00:00", '
        '"kappa_status": "ok"}\n'
    )
    refits = Refits.read(history, "ETH", START_MS, START_MS + 20_000)
    mids = MidPath.of_quotes(*walk(60))
    table = decision_table(refits, Settings(), mids, START_MS, START_MS + 20_000)
    place = np.searchsorted(table.time_ms, START_MS + np.array([1000, 6000, 16000]), "right") - 1
    assert table.ask_at_touch[place, 1].tolist() == [False, True, False]
    assert [table.bid_refusal[i, 0] > 0 for i in place] == [False, True, False]


OTHERWISE = {
    "fee_rate": -0.0002, "risk_aversion": 0.5, "phi": 0.001, "alpha": 0.1, "terminal_cost": 0.1,
    "q_min": -2, "q_max": 3, "sides": "one", "horizon_seconds": 60.0, "min_depth": 2.0,
    "compensate_drift": False, "epsilon_source": "least_squares", "toxicity_limit": 1.0,
    "min_edge_bp": None, "max_published_age_seconds": 10.0, "max_data_age_seconds": 10.0,
    "min_quote_age_seconds": 2.0, "max_quote_age_seconds": 20.0, "max_book_age_seconds": 5.0,
    "requote_ticks": 5.0, "max_drawdown": 0.1, "window_minutes": 20.0, "max_window_minutes": 60.0,
    "block_seconds": 0.1, "refit_interval_seconds": 30.0, "history_days": 9, "journal_days": 9,
    "parameter_dir": "elsewhere", "backtest_parameters": "published", "quote_age_seconds": 7.0,
    "account_fee": False, "requote_loss_percent": 9.0, "min_spread_bp": 9.0, "max_spread_bp": 90.0,
    "fair_price": "mid", "fair_price_horizon_seconds": 9.0, "own_stream": False,
    "max_daily_loss": 0.1, "max_position_value": 100.0, "volatility_limit": 3.0,
    "volatility_seconds": 20.0, "large_order_multiple": 5.0, "flow_cooldown_seconds": 9.0,
    "min_market_spread_bp": 1.0, "price_band": 0.1, "price_band_seconds": 60.0,
    "max_funding_bp": 2.0, "funding_pause_seconds": 60.0, "max_errors_in_a_row": 2,
    "error_pause_seconds": 9.0, "dead_mans_switch_seconds": None,
    "inventory_mode": "two_legs", "leg": "long", "size": 0.5, "volatile_from": 3.0,
    "volatile_size": 0.5, "toxic_size": 0.5, "inventory_size": 0.5,
    "max_adverse_imbalance": 0.2, "max_stops_a_day": 3, "protection_pause_minutes": 9,
    "notify_after_seconds": 9.0, "policy": PolicyChoice(kind="curve"),
    "alerts": False, "metrics_port": 9999,
}  # fmt: skip


def test_a_solution_is_shared_by_settings_that_pose_the_same_problem_and_no_others(make_set):
    """``alpha`` and the terminal cost need a horizon, so each is changed beside one."""
    assert set(OTHERWISE) == set(Settings.model_fields)
    refit = make_set("r0", beta=0.2, **SOUND, sigma=0.3)
    kappa = refit.fair_price.kappa.model_copy(update={"kappa_plus": 2.1})
    refit = replace(refit, fair_price=refit.fair_price.model_copy(update={"kappa": kappa}))
    base = Settings(horizon_seconds=30.0, q_min=-1)

    def posed(settings):
        return model_problem(refit.around(settings.fair_price), settings)

    for name, value in OTHERWISE.items():
        changed = base.model_copy(update={name: value})
        same = posed(changed) == posed(base)
        assert same == (name in module._NOT_POSED), name


def test_a_refit_is_solved_once_for_each_problem(make_set, monkeypatch):
    sets, seconds = session(make_set)
    time_ms, bid, ask = walk(seconds)
    solved = []
    original = module.with_value_function
    monkeypatch.setattr(
        module, "with_value_function", lambda *a, **k: solved.append(1) or original(*a, **k)
    )

    def table(**settings):
        mids = MidPath.of_quotes(time_ms, bid, ask)
        end = int(time_ms[-1])
        decision_table(as_refits(sets), Settings(**settings), mids, START_MS, end)
        return len(solved)

    module._solved.cache_clear()
    assert table() == table(toxicity_limit=1.0, min_edge_bp=None) == len(sets)
    assert table(risk_aversion=0.5) == 2 * len(sets)


def test_a_policy_is_not_taken_for_the_optimal_depths(make_set):
    sets, seconds = session(make_set)
    mids = MidPath.of_quotes(*walk(seconds))
    settings = Settings(policy={"kind": "curve"})
    with pytest.raises(InputError, match=r"policy\.kind = 'curve' is no part of the tables"):
        decision_table(as_refits(sets), settings, mids, START_MS, START_MS + 1000)
