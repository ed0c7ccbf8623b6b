"""Round trips, inventory, presence and drawdown by hand; intervals that hold what they should."""

import numpy as np
import pyarrow as pa
import pytest

from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS
from advanced_mm.performance import (
    BotSpan,
    Observations,
    RecordedMids,
    Refusals,
    SeenMids,
    assess,
)
from advanced_mm.performance.intervals import TimeDraws
from advanced_mm.performance.paths import EquityPath, round_trips
from advanced_mm.performance.presence import presence
from tests.performance.conftest import START_MS, fills_of, quotes_of, record_of


def seconds(*values):
    return START_MS + 1000 * np.array(values, dtype=np.int64)


# ---- round trips


def test_a_flip_ends_one_round_trip_and_begins_the_next():
    fills = fills_of(
        time_ms=seconds(0, 10, 30),
        sign=np.array([1, -1, 1]),
        price=np.array([100.0, 103.0, 101.0]),
        size=np.array([1.0, 3.0, 2.0]),
        fee=np.array([0.1, 0.3, 0.2]),
    )
    trips = round_trips(fills)
    assert trips.profit == pytest.approx([3 - 0.1 - 0.1, 2 * 2 - 0.2 - 0.2])
    assert trips.seconds.tolist() == [10, 20]


def test_partial_fills_make_one_round_trip_and_rounding_none():
    fills = fills_of(
        time_ms=seconds(0, 1, 2, 9),
        sign=np.array([1, 1, 1, -1]),
        price=np.array([100.0, 100.0, 100.0, 101.0]),
        size=np.array([0.1, 0.1, 0.1, 0.3]),  # 0.1 + 0.1 + 0.1 is not 0.3
    )
    trips = round_trips(fills)
    assert trips.profit == pytest.approx([0.3])


def test_neither_an_opening_nor_an_open_position_is_a_round_trip():
    fills = fills_of(
        time_ms=seconds(0, 1, 2, 3),
        sign=np.array([-1, 1, -1, 1]),
        price=np.array([100.0, 100.0, 101.0, 100.0]),
    )
    trips = round_trips(fills, opening=1.0)
    assert trips.profit.tolist() == [1.0]
    assert trips.start_ms.tolist() == seconds(1).tolist()


def test_round_trips_earn_what_the_fills_do_when_all_is_closed():
    rng = np.random.default_rng(5)
    sign, size = rng.choice([-1, 1], 500), rng.integers(1, 9, 500) / 10
    signed = np.append(sign * size, -(sign * size).sum())
    price = 100 + np.cumsum(rng.normal(size=501))
    fills = fills_of(
        time_ms=seconds(*range(501)), sign=np.sign(signed).astype(int), price=price,
        size=np.abs(signed), fee=np.full(501, 0.01),
    )  # fmt: skip
    trips = round_trips(fills)
    assert trips.profit.sum() == pytest.approx(-(signed @ price) - 5.01)
    assert len(trips) > 10


# ---- a whole record by hand


@pytest.fixture
def judged():
    """Ten minutes: bought at 99 after one, sold at 103 after three; the mid rises after two."""
    times = START_MS + 1000 * np.arange(0, 601)
    mids = np.where(np.arange(601) < 120, 100.0, 102.0)
    fills = fills_of(
        time_ms=seconds(60, 180), sign=np.array([1, -1]), price=np.array([99.0, 103.0]),
        size=np.array([2.0, 2.0]), fee=np.array([0.1, 0.1]), quote=np.array([0, 1]),
        rested_s=np.array([4.0, 6.0]), maker=np.array([1.0, 1.0]),
    )  # fmt: skip
    quotes = quotes_of(
        time_ms=seconds(0, 150, 200), end_ms=seconds(60, 180, 260), sign=np.array([1, -1, 1]),
        size=np.full(3, 2.0), filled=np.array([2.0, 2.0, 0.0]), mid=np.full(3, 100.0),
        depth=np.array([2.0, 1.0, 1.0]), edge=np.array([0.5, 0.4, 0.4]),
    )  # fmt: skip
    refusals = Refusals(seconds(300, 500), np.array(["the book is old", ""], dtype=object))
    record = record_of(
        fills, quotes, Observations(times, mids), end_ms=int(times[-1]), refusals=refusals,
        bots=[BotSpan("bot", START_MS, int(times[-1]), start_equity=1000.0, end_equity=1007.8)],
    )  # fmt: skip
    return assess(record, [SeenMids(record.seen)])


def test_the_figures_of_a_record_by_hand(judged):
    value = {name: figure.value for name, figure in judged.figures.items()}
    assert value["net_profit"] == pytest.approx(7.8)
    assert value["gross_profit"] == pytest.approx(8.0)
    assert value["net_per_hour"] == pytest.approx(7.8 * 6)
    assert value["spread_per_fill"] == pytest.approx(1e4 * 4 / 404)
    assert value["fee_per_fill"] == pytest.approx(-1e4 * 0.2 / 404)
    assert value["adverse_per_fill"] == 0
    assert value["fill_rate"] == pytest.approx(2 / 3)
    assert value["spread_efficiency"] == pytest.approx(4 / 6)
    assert value["order_age_at_fill"] == 5
    assert value["max_inventory"] == 2
    assert value["time_at_max_inventory"] == pytest.approx(120 / 600)
    assert value["time_flat"] == pytest.approx(480 / 600)
    assert value["inventory_duration"] == 120
    assert value["turnover_of_capital"] == pytest.approx(0.404)
    assert (value["round_trips"], value["win_rate"]) == (1, 1)
    assert np.isnan(value["average_loss"])
    assert np.isnan(value["requests_per_fill"])


def test_the_hours_and_the_path_add_up_to_the_whole(judged):
    assert sum(hour.equity_change for hour in judged.hours) == pytest.approx(7.8)
    assert judged.path.equity[-1] == pytest.approx(judged.parts.equity_change)
    for name, amount in judged.parts.parts.items():
        assert judged.path.parts[name][-1] == pytest.approx(amount)


def test_presence_by_hand(judged):
    shares = presence(judged.record)
    assert shares.any_quote == pytest.approx((60 + 30 + 60) / 600)
    assert (shares.bid, shares.ask) == pytest.approx((120 / 600, 30 / 600))
    assert shares.without["the book is old"] == pytest.approx(200 / 600)
    assert shares.any_quote + sum(shares.without.values()) == pytest.approx(1)


def test_groups_hold_every_fill_once(judged):
    for way in ("side", "depth"):
        groups = judged.splits.get(way, [])
        if groups:
            assert sum(group.fills for group in groups) == 2
    assert [g.name for g in judged.splits["side"]] == ["bought", "sold"]
    assert judged.splits["side"][0].spread_captured == pytest.approx(2.0)


def test_overlapping_quotes_count_once_and_refused_ones_never():
    quotes = quotes_of(
        time_ms=seconds(0, 5, 20), end_ms=seconds(10, 15, 30), sign=np.array([1, -1, 1]),
        refused=np.array([False, False, True]),
    )  # fmt: skip
    record = record_of(fills_of(time_ms=seconds(1)), quotes, end_ms=int(seconds(30)[0]))
    shares = presence(record)
    assert shares.any_quote == pytest.approx(0.5)
    assert shares.without == pytest.approx({"between two quotes": 0.5})


def test_a_drawdown_by_hand():
    equity = np.array([0.0, 2.0, 1.0, -1.0, 3.0, 2.5])
    path = EquityPath(seconds(0, 60, 120, 180, 240, 300), equity, equity, {})
    assert path.drawdown() == (3.0, 120.0)


# ---- mids


def test_a_markout_needs_somebody_who_looked():
    fills = fills_of(time_ms=seconds(10), price=np.array([99.0]))
    seen = Observations(seconds(9, 14), np.array([100.0, 98.0]))
    one = assess(record_of(fills, seen=seen, end_ms=int(seconds(400)[0])), [SeenMids(seen)])
    assert np.isnan(one.marks.after[1.0]).all()  # nobody looked in the half second before
    assert np.isnan(one.marks.after[10.0]).all()  # the look of 14 is 6 s old
    assert one.parts.with_mid == 1
    assert one.parts.with_markout == 0
    assert one.mid_sources() == {"journal": 1.0}
    assert one.markout_sources() == {"nowhere": 1.0}


def test_the_mid_at_a_fill_is_the_one_before_it():
    fills = fills_of(time_ms=seconds(10), price=np.array([99.0]))
    seen = Observations(seconds(9, 10), np.array([100.0, 98.0]))
    one = assess(record_of(fills, seen=seen), [SeenMids(seen)])
    assert one.marks.mid.tolist() == [100.0]


def test_the_recording_comes_first_and_is_as_fresh_as_its_heartbeat(tmp_path):
    """A price that has not changed for a minute still holds where the recorder heard the venue."""
    store = ShardStore(tmp_path)
    rows = [(0, 99.5, "bid"), (0, 100.5, "ask"), (70, 98.5, "bid"), (70, 99.5, "ask")]
    times = [(START_MS + 1000 * at) for at, *_ in rows]
    prices = {
        "timestamp": [t / 1000 for t in times], "price": [p for _, p, _ in rows],
        "size": [1.0] * 4, "side": [side for *_, side in rows],
        "exchange_timestamp": [float(t) for t in times],
    }  # fmt: skip
    store.write("ETH", "prices", pa.table(prices, schema=SCHEMAS["prices"]))
    fills = fills_of(time_ms=seconds(3, 60, 70), price=np.full(3, 99.0))
    seen = Observations(seconds(59, 65), np.array([200.0, 100.2]))
    record = record_of(fills, seen=seen, end_ms=int(seconds(80)[0]))
    one = assess(record, [RecordedMids(store, "ETH"), SeenMids(seen)])
    # At 60 the recorder has been silent for a minute: the bot's own look stands in. At 70 the
    # recorded price of that moment is after the fill.
    assert one.marks.mid.tolist()[:2] == [100.0, 200.0]
    assert one.marks.source.tolist() == ["recording", "journal", "journal"]
    assert one.marks.mid[2] == 100.2
    assert one.marks.after[1.0][2] == 99.0


def test_without_any_mid_the_account_is_still_right():
    fills = fills_of(time_ms=seconds(0, 5), sign=np.array([1, -1]), price=np.array([100.0, 101.0]))
    one = assess(record_of(fills), [])
    assert one.parts.equity_change == pytest.approx(1.0)
    assert one.parts.inventory == pytest.approx(1.0)
    assert one.mid_sources() == {"nowhere": 1.0}


# ---- intervals


def test_the_interval_of_a_clustered_mean_is_wide_enough():
    """Bursts of forty fills share one move: fills are not independent, and it must show."""
    held, n = 0, 200
    for seed in range(n):
        rng = np.random.default_rng(seed)
        bursts = np.sort(rng.uniform(0, 36_000, 60))
        times = np.repeat(bursts, 40) + np.tile(np.arange(40) / 10, 60)
        order = np.argsort(times)
        values = np.repeat(rng.normal(size=60), 40) + rng.normal(size=2400)
        found = TimeDraws(seconds(*times[order].astype(int)), 10.0).mean(values[order], "bp")
        held += found.low <= 0 <= found.high
    assert 0.88 * n <= held <= 0.99 * n


def test_too_few_blocks_have_no_interval():
    found = TimeDraws(seconds(0, 1, 2), 10.0).mean(np.array([1.0, 2.0, 3.0]), "bp")
    assert found.value == 2.0
    assert np.isnan(found.low)
    nothing = TimeDraws(np.empty(0, np.int64)).mean(np.empty(0), "bp")
    assert np.isnan(nothing.value)


def test_a_line_is_found_with_its_digits():
    x = 4000 + np.arange(500) / 1000
    line = TimeDraws(seconds(*range(500))).line(x, 3.0 * x - 7.0, "bp")
    assert line.slope.value == pytest.approx(3.0, rel=1e-9)
    assert line.intercept.value == pytest.approx(-7.0, abs=1e-4)
    flat = TimeDraws(seconds(*range(500))).line(np.full(500, 0.4), x, "bp")
    assert np.isnan(flat.slope.value)
