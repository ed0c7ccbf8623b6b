"""Replays around a fair price: the same price as the bot's, and what it is worth."""

import json
import runpy
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration import calibrate
from advanced_mm.calibration.estimators import FairPriceEstimator
from advanced_mm.calibration.windows import Window
from advanced_mm.errors import InputError
from advanced_mm.journal import QuoteSent, read_journal
from advanced_mm.parameter_files import MissingParametersError, Settings
from advanced_mm.performance import assess
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quoter, Touch
from advanced_mm.quoting.parameter_guards import adverse_imbalance_limit, imbalance_refusal
from advanced_mm.replay import ReplayOptions, fixed_bp, fixed_depth, replay
from advanced_mm.replay.as_of import MidPath, Refits, decision_table, fixed_around_fair
from advanced_mm.replay.journal import write_journal
from tests.calibration.test_around_fair_price import market as orders_around
from tests.replay.markets import Market

ROOT = Path(__file__).parents[2]
GRID = PriceGrid(3, 0.1)
OPTIONS = ReplayOptions(
    size=0.01, grid=GRID, look_ms=500, feed_latency_ms=20, min_quote_age_seconds=0, requote_ticks=1
)
PUBLISHED = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
PUBLISHED_MS = int(PUBLISHED.timestamp() * 1000)


def test_the_imbalance_is_that_of_the_touch_after_each_record():
    market = Market().book(500, [(100.0, 1.0)], [(100.2, 3.0)])
    market.touch(700, 100.0, 100.2, 3.0, 1.0).touch(900, 100.1, 100.2, 1.0, 1.0)
    assert market.converted().touch["imbalance"].tolist() == [-0.5, 0.5, 0.0]
    one_sided = Market().book(500, [(100.0, 1.0)], [])
    assert one_sided.converted().touch["imbalance"].tolist() == [0.0]


@pytest.mark.parametrize("beta", [-3.0, -0.23, 0.0, 0.11, 0.5, 3.0])
@pytest.mark.parametrize("bid_size", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("ask", [100.1, 100.6])
def test_the_replayed_price_is_the_quoters(make_set, beta, bid_size, ask):
    """At every inventory of the table, with the touch of a tick and of six."""
    market = Market()
    for at in range(0, 2001, 500):
        market.touch(at, 100.0, ask, bid_size, 2.0)
    table = replace(fixed_depth(0.15, -1, 1), beta=np.array([beta]))
    quotes = replay(market.data(), table, OPTIONS, "back").quotes
    touch = Touch(100.0, ask, PUBLISHED, bid_size, 2.0)
    quoter = Quoter(Settings(), None, GRID)
    fair = quoter._fair_price(make_set(beta=beta).around("imbalance"), touch)
    for quote, side in zip(quotes[:2], ("bid", "ask"), strict=True):
        assert quote["price"] * 0.1 == pytest.approx(quoter._price(side, fair, 0.15, touch))
        assert quote["fair"] == pytest.approx(fair)
        assert quote["ended"] != 7  # the venue refused none as taking liquidity


def test_the_journal_of_a_replay_tells_the_fair_price_and_is_judged_by_the_mid(tmp_path):
    market = Market()
    for at in range(0, 2001, 500):
        market.touch(at, 100.0, 101.0, 3.0, 1.0)
    table = replace(fixed_depth(0.4, -1, 1), beta=np.array([0.4]))
    result = replay(market.data(), table, OPTIONS, "back")
    write_journal(result, tmp_path)
    sent = read_journal(tmp_path).table(QuoteSent).to_pylist()
    assert {(one["mid"], round(one["fair_price"], 9)) for one in sent} == {(100.5, 100.7)}
    assert {round(one["depth"], 9) for one in sent} == {0.4}
    (judged,) = journal_records(tmp_path, "ETH")
    for record in (judged, result.record()):
        bids, asks = (record.quotes.depth[record.quotes.sign == sign] for sign in (1, -1))
        assert bids == pytest.approx(0.2)
        assert asks == pytest.approx(0.6)


@pytest.mark.parametrize("beta", [0.3, -0.3, 0.0])
@pytest.mark.parametrize("bid_size", [0.5, 1.4, 8.0])
def test_a_replay_opens_nothing_against_the_sizes_as_the_bot(make_set, beta, bid_size):
    market = Market()
    for at in range(0, 2001, 500):
        market.touch(at, 100.0, 100.1, bid_size, 2.0)
    growing = {"epsilon_fill_slope_plus": 0.9, "epsilon_fill_slope_minus": 0.9}
    parameters, settings = make_set(beta=beta, **growing).around("imbalance"), Settings(q_min=-1)
    limits = [adverse_imbalance_limit(parameters, settings, side) for side in ("bid", "ask")]
    table = replace(
        fixed_depth(0.15, -1, 1), beta=np.array([beta]), adverse_limit=np.array([limits]).T
    )
    result = replay(market.data(), table, OPTIONS, "back")
    imbalance = Touch(100.0, 100.1, PUBLISHED, bid_size, 2.0).imbalance
    quoted = {
        number
        for number, side in enumerate(("bid", "ask"))
        if imbalance_refusal(parameters, settings, side, imbalance) is None
    }
    assert set(result.quotes["side"].tolist()) == quoted
    assert len(quoted) == (1 if beta != 0 and abs(imbalance) > 0.5 else 2)


def refits(sets) -> Refits:
    published = [PUBLISHED_MS + 15_000 * i for i in range(len(sets))]
    return Refits("ETH", np.array(published, dtype=np.int64), tuple(sets))


def beta_alone(parameters):
    """As a runner of before published it, or one that could not fit more around the fair price."""
    bare = {name: None for name in ("kappa", "epsilon", "lambda_")}
    return replace(parameters, fair_price=parameters.fair_price.model_copy(update=bare))


@pytest.mark.parametrize("of", [lambda parameters: parameters, beta_alone])
def test_each_row_has_the_beta_published_by_then(make_set, of):
    grows = {"epsilon_fill_slope_plus": 0.3, "epsilon_fill_slope_minus": 0.7}
    gone = MissingParametersError("gone")
    sets = [of(make_set("r1", beta=0.2, **grows)), gone, of(make_set("r3", beta=-0.1))]
    begin, end = PUBLISHED_MS - 5000, PUBLISHED_MS + 60_000
    around = fixed_around_fair(refits(sets), Settings(), 1.0, begin, end)
    assert around.time_ms.tolist() == [begin, *refits(sets).published_ms.tolist()]
    assert around.beta.tolist() == [0.0, 0.2, 0.0, -0.1]
    assert around.calibration_id == ("", "r1", "", "r3")
    later = fixed_around_fair(
        refits(sets), Settings(), 1.0, PUBLISHED_MS + 16_000, PUBLISHED_MS + 31_000
    )
    assert later.beta.tolist() == [0.0, -0.1]
    assert around.bid_depth.shape == (4, 2)
    assert around.adverse_limit.tolist() == [[1.0, 0.5, 1.0, 1.0], [1.0] * 4]


@pytest.mark.parametrize(("fair_price", "beta"), [("imbalance", 0.2), ("mid", 0.0)])
def test_the_optimal_depths_are_around_what_the_setting_says(make_set, fair_price, beta):
    settings = Settings(fair_price=fair_price, min_edge_bp=None)
    times = np.array([PUBLISHED_MS], dtype=np.int64)
    mids = MidPath.of_quotes(times, np.array([2999.9]), np.array([3000.1]))
    made = refits([make_set("r1", beta=0.2)])
    table = decision_table(made, settings, mids, PUBLISHED_MS, PUBLISHED_MS + 1000)
    assert table.beta.tolist() == [beta]
    plain = decision_table(refits([make_set("r1")]), settings, mids, PUBLISHED_MS, PUBLISHED_MS)
    assert table.bid_depth[0, 0] == plain.bid_depth[0, 0]
    # With other numbers around the fair price, the depths are theirs there, and the mid's here.
    other = make_set("r1", beta=0.2, epsilon_fill_minus=0.2, kappa_minus=1.5, lambda0_minus=0.4)
    apart = replace(make_set("r1", beta=0.2), fair_price=other.fair_price)
    found, of_other = (
        decision_table(refits([one]), settings, mids, PUBLISHED_MS, PUBLISHED_MS)
        for one in (apart, other)
    )
    same = of_other if fair_price == "imbalance" else plain
    assert found.bid_depth[0, 0] == same.bid_depth[0, 0]
    assert found.bid_edge[0, 0] == same.bid_edge[0, 0]
    assert of_other.bid_depth[0, 0] != plain.bid_depth[0, 0]


def test_a_beta_that_is_not_one_number_a_row_is_refused():
    for beta in ([0.1, 0.2], [np.nan]):
        with pytest.raises(InputError, match="1 finite numbers"):
            replace(fixed_bp(1.0, 0, 1), beta=np.array(beta))


def drifting(seed: int, drift: float, seconds: int = 1500) -> Market:
    """A mid that drifts with the imbalance (+- 0.6), and orders that walk up to five ticks.

    A tick is the whole spread; ``drift`` is in quote currency a second per unit of imbalance.
    """
    rng = np.random.default_rng(seed)
    n = seconds * 10
    imbalance = 0.6 * np.cumprod(np.where(rng.random(n) < 0.03, -1.0, 1.0))
    steps = 0.1 * drift * imbalance + rng.normal(0, 0.1, n)
    bid = np.round(np.floor(10 * (3000.0 + np.cumsum(steps) - steps)) / 10, 1)
    market = Market()
    market.touches = list(
        zip(
            (100.0 * np.arange(n)).tolist(),
            bid,
            bid + 0.1,
            1 + imbalance,
            1 - imbalance,
            strict=True,
        )
    )
    for k in np.flatnonzero(rng.random(n) < 0.1).tolist():
        side, ticks = int(rng.choice([-1, 1])), int(rng.integers(0, 6))
        price = bid[k] - 0.1 * ticks if side < 0 else bid[k] + 0.1 + 0.1 * ticks
        market.trade(100 * k + 50, round(price, 1), 5.0, side)
    return market


def fitted_beta(market: Market) -> float:
    return FairPriceEstimator(horizon_ms=5000).fit(Window.of(market.recording())).beta


def edge(market: Market, beta: float, depth: float = 0.1):
    """Edge and adverse move per fill, and fills, at the front of the queue."""
    table = replace(fixed_depth(depth, -50, 50), beta=np.array([beta]))
    options = replace(OPTIONS, look_ms=200, latency_ms=20)
    result = replay(market.data(), table, options, "front")
    figures = assess(result.record(), [result.mids], None, 5.0).figures
    return figures["edge_per_fill"].value, figures["adverse_per_fill"].value, len(result.fills)


@pytest.mark.parametrize("seed", [1, 104])
def test_adverse_selection_falls_by_at_least_half_of_what_beta_promises(seed):
    """Looked at five times a second; the rest of the promise is lost to the age of the quotes.

    Of eight other markets, 0.6 to 0.95 of the promise arrived.
    """
    market = drifting(seed, 0.3)
    beta = fitted_beta(market)
    promised_bp = 0.6 * beta / 3000 * 1e4
    assert promised_bp > 0.5
    around_mid, around_fair = edge(market, 0.0), edge(market, beta)
    assert around_fair[1] - around_mid[1] >= 0.5 * promised_bp
    assert around_fair[0] > around_mid[0]


def at_depths(market: Market, beta: float, fits) -> tuple[float, float]:
    """Adverse move per fill (bp), and income (bp), at 1/kappa + epsilon_fill from the price."""
    ask, bid = (
        1 / curve.kappa.value + epsilon.value
        for curve, epsilon in zip(fits.fill_curve, fits.fill_impact.epsilon_fill, strict=True)
    )
    table = replace(fixed_depth(0.0, -200, 200), beta=np.array([beta]))
    for depths, depth in ((table.ask_depth, ask), (table.bid_depth, bid)):
        depths[~np.isnan(depths)] = depth
    options = replace(OPTIONS, look_ms=200, latency_ms=20)
    result = replay(market.data(), table, options, "front")
    figures = assess(result.record(), [result.mids], None, 10.0).figures
    income = figures["edge_per_fill"].value * len(result.fills)
    return figures["adverse_per_fill"].value, income


def test_where_orders_follow_the_sizes_the_depths_around_the_fair_price_earn_more():
    """Of four such markets, the promise arrives by 0.62 to 0.68 at the depths that pay for the
    mid's moves, by 0.99 to 1.22 at those that pay for the fair price's, which earn 1.2 to 2.2 times
    as much, and 2.7 to 3.9 times what quotes around the mid do. Part of that are quotes that the
    mid itself reaches between two looks.
    """
    recording = orders_around(1, True)
    fitted = calibrate(recording, window_minutes=60)
    market, quotes = Market(), recording.quotes
    times = (quotes.time_ms - quotes.time_ms[0]).tolist()
    bid, ask = np.round(quotes.bid, 1), np.round(quotes.ask, 1)
    market.touches = list(zip(times, bid, ask, quotes.bid_size, quotes.ask_size, strict=True))
    trades = recording.trades
    for at, price, side in zip(trades.time_ms, trades.price, trades.side, strict=True):
        market.trade(int(at - quotes.time_ms[0]), round(float(price), 1), 5.0, int(side))
    beta = fitted.fair_price.beta
    promised_bp = 0.6 * beta / 3000 * 1e4
    mid, old, new = (
        at_depths(market, *of) for of in ((0.0, fitted), (beta, fitted), (beta, fitted.around_fair))
    )
    assert new[0] - mid[0] >= 0.8 * promised_bp > old[0] - mid[0]
    assert new[1] > 1.2 * old[1] > 1.2 * mid[1]


def test_where_sizes_foretell_nothing_nothing_is_lost():
    """Mostly beta is 0; in the windows where chance makes one, quoting it costs nothing either."""
    lost, chosen = [], 0
    for seed in range(1000, 1020):
        market = drifting(seed, 0.0, 600)
        beta = fitted_beta(market)
        if beta == 0:
            lost.append(0.0)
            continue
        chosen += 1
        lost.append(edge(market, 0.0)[0] - edge(market, beta)[0])
    assert chosen < 4
    assert np.mean(lost) <= 0.02


@pytest.mark.recorded
def test_on_recorded_books_the_edge_of_a_fill_is_a_basis_point_better(tmp_path, capsys):
    """With the documented commands and nothing else, at the front of the queue."""
    recordings = ROOT.parent / "shared" / "hyperliquid"
    if not recordings.is_dir():
        pytest.skip(f"no recordings at {recordings}")
    shutil.copytree(recordings / "ETH", tmp_path / "ETH")
    always = ["--crypto", "ETH", "--data-dir", str(tmp_path), "--history", str(tmp_path / "made")]
    always += ["--config", str(ROOT / "user_data" / "config.json")]
    refit, trade = (
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"))["main"]
        for name in ("recalibrate_recording", "replay_backtest")
    )
    assert refit(always) == 0
    for distance in (0.5, 1.0):
        edges = []
        for price in ("mid", "imbalance"):
            capsys.readouterr()
            asked = [f"--policy=fixed:{distance}", "--look=0.5", f"--fair-price={price}", "--json"]
            assert trade([*always, *asked]) == 0
            front = json.loads(capsys.readouterr().out)["queues"]["front"]
            edges.append(front["figures"]["edge_per_fill"]["value"])
        assert edges[1] - edges[0] >= 1.0
