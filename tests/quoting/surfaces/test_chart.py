"""What FreqUI draws: columns that are in time, annotations that Freqtrade takes, both bounded."""

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from freqtrade.ft_types.plot_annotation_type import AnnotationTypeTA

from advanced_mm.journal import Fill, GuardChanged, QuoteEnded, QuoteSent, RefusalChanged
from advanced_mm.quoting import Quote, Refusal, Touch
from advanced_mm.quoting.surfaces import PLOT_CONFIG, Chart
from advanced_mm.quoting.surfaces.chart import COLUMNS

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ms(at):
    return round(at.timestamp() * 1000)


def quote(side="bid", price=2999.0, **fields):
    return Quote(side, 0, price, 3000.0, 1.0, 0.1, "c1", edge=0.3, **fields)


def sent(at, order, price=2999.0, purpose="entry", side="bid", **fields):
    return QuoteSent(
        time_ms=ms(at), coin="ETH", bot="b", order=order, side=side, price=price, size=1.0,
        mid=3000.0, depth=1.0, tick=0.1, inventory=0.0, units=0, purpose=purpose, **fields,
    )  # fmt: skip


def ended(at, order):
    return QuoteEnded(
        time_ms=ms(at), coin="ETH", bot="b", order=order, outcome="cancelled", why="replaced",
        filled_size=0.0, age_seconds=1.0,
    )  # fmt: skip


def fill(at, number):
    return Fill(
        time_ms=ms(at), coin="ETH", bot="b", fill=number, order="1", side="bid", price=2999.0,
        size=0.5, fee=0.1,
    )  # fmt: skip


def refusal(at, reason):
    kind = "" if reason is None else reason.partition(":")[0]
    return RefusalChanged(time_ms=ms(at), coin="ETH", bot="b", kind=kind, reason=reason)


def opens(n):
    return np.array([START.replace(tzinfo=None)], "datetime64[ms]") + np.arange(n) * np.timedelta64(
        60, "s"
    )


@pytest.fixture
def chart():
    return Chart()


def test_a_candle_has_the_last_that_was_seen_in_it_and_none_of_the_next(chart):
    for second, price in ((5, 2990.0), (59, 2999.0), (61, 2995.0)):
        at = START + timedelta(seconds=second)
        chart.looked(
            "ETH", at, Touch(2999.9, 3000.1, at), quote(price=price, fair_price=3000.5),
            quoted=second != 5, toxicity=0.7,
        )  # fmt: skip
    found = chart.columns("ETH", opens(3))
    assert found["quoted_bid"][:2].tolist() == [2999.0, 2995.0]
    assert found["fair_price"][0] == 3000.5
    assert found["mid"][0] == pytest.approx(3000.0)
    assert found["edge_bp"][0] == pytest.approx(1.0)
    assert found["toxicity"][0] == 0.7
    assert found["quoted_share"][:2].tolist() == [0.5, 1.0]
    assert all(np.isnan(found[name][2]) for name in COLUMNS)
    assert np.isnan(found["quoted_ask"]).all()
    assert found["not_quoting"].tolist() == [None, None, None]


def test_a_refusal_leaves_its_words_and_no_price(chart):
    chart.looked("ETH", START, None, Refusal("toxic: 2.5"), quoted=False)
    found = chart.columns("ETH", opens(1))
    assert found["not_quoting"].tolist() == ["toxic: 2.5"]
    assert np.isnan(found["quoted_bid"][0])
    assert found["quoted_share"].tolist() == [0.0]


def test_longer_candles_have_all_their_minutes_and_no_others(chart):
    for minute in (0, 4, 5):
        at = START + minute * MINUTE
        chart.looked("ETH", at, None, quote(price=2990.0 + minute), quoted=minute == 4)
    found = chart.columns("ETH", opens(1), minutes=5)
    assert found["quoted_bid"].tolist() == [2994.0]
    assert found["quoted_share"].tolist() == [0.5]


def test_coins_are_kept_apart_and_nothing_is_made_up(chart):
    chart.looked("BTC", START, None, quote(), quoted=True)
    assert np.isnan(chart.columns("ETH", opens(2))["quoted_bid"]).all()
    assert chart.columns("ETH", opens(0))["mid"].size == 0
    assert chart.annotations("ETH", START, START + MINUTE) == []


def test_every_drawn_column_exists():
    drawn = set(PLOT_CONFIG["main_plot"]).union(*PLOT_CONFIG["subplots"].values())
    assert drawn == set(COLUMNS)


def test_annotations_are_what_freqtrade_takes(chart):
    second = timedelta(seconds=1)
    for event in (
        sent(START, "1"),
        ended(START + 2 * second, "1"),
        sent(START + 3 * second, "2", purpose="at_touch", side="ask"),
        fill(START + 2 * second, "f1"),
        refusal(START + 4 * second, "toxic: 2.5"),
        refusal(START + 9 * second, None),
        GuardChanged(
            time_ms=ms(START), coin="", bot="b", guard="drawdown", does="pause", sides="both",
            widen=1.0, reason="5.1% lost",
        ),
    ):  # fmt: skip
        chart.recorded(event)
    end = START + MINUTE
    found = chart.annotations("ETH", START, end)
    for one in found:
        AnnotationTypeTA.validate_python(one, extra="forbid")
    lines = [one for one in found if one["type"] == "line"]
    assert [(one["start"], one["end"]) for one in lines] == [
        (START, START + 2 * second),
        (START + 3 * second, end),  # it rests still
    ]
    assert [one["line_style"] for one in lines] == ["solid", "dashed"]
    areas = {one["label"]: (one["start"], one["end"]) for one in found if one["type"] == "area"}
    assert areas == {
        "not quoting: toxic: 2.5": (START + 4 * second, START + 9 * second),
        "drawdown: 5.1% lost": (START, end),  # of the whole bot
    }
    (point,) = (one for one in found if one["type"] == "point")
    assert (point["y"], point["label"]) == (2999.0, "bought 0.5 at 2999")
    assert chart.annotations("ETH", START - 2 * MINUTE, START - MINUTE) == []


def test_a_reason_that_changes_begins_another_area_and_a_flicker_none(chart):
    for seconds, reason in ((0, "toxic"), (3, "no edge"), (5, None), (6, "stale"), (6.5, None)):
        chart.recorded(refusal(START + timedelta(seconds=seconds), reason))
    found = chart.annotations("ETH", START, START + MINUTE)
    assert [one["label"] for one in found] == ["not quoting: toxic", "not quoting: no edge"]


def test_the_newest_are_kept_and_no_more(chart):
    for k in range(1200):
        at = START + timedelta(seconds=2 * k)
        chart.recorded(sent(at, str(k), price=2000.0 + k))
        chart.recorded(fill(at, str(k)))
        chart.recorded(refusal(at, None if k % 2 else "toxic"))
        chart.looked("ETH", START + k * 2 * MINUTE, None, quote(), quoted=True)
    found = chart.annotations("ETH", START, START + timedelta(hours=1), most=50)
    kinds = [one["type"] for one in found]
    assert {kind: kinds.count(kind) for kind in ("line", "point", "area")} == {
        "line": 50, "point": 50, "area": 50,
    }  # fmt: skip
    assert max(one["y_start"] for one in found if one["type"] == "line") == 3199.0
    coin = chart._coins["ETH"]
    assert len(coin.quotes) <= 500
    assert max(map(len, (coin.fills, coin.areas))) <= 500
    assert len(coin.minutes) <= 24 * 60


def test_a_chart_can_be_handed_to_another_process():
    """Hyperopt pickles the strategy, which holds a chart."""
    chart = Chart()
    chart.recorded(fill(START, "f1"))
    copy = pickle.loads(pickle.dumps(chart))
    copy.recorded(fill(START + MINUTE, "f2"))
    bounds = START, START + 2 * MINUTE
    assert len(copy.annotations("ETH", *bounds)) > len(chart.annotations("ETH", *bounds)) > 0
