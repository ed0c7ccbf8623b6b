"""The hours and the sentences say what the made-up market was made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from advanced_mm.report.research.hours import by_hour, heat_map
from advanced_mm.report.research.insights import insights_of
from advanced_mm.report.research.study import figures_of, spreads_bp
from advanced_mm.report.research.words import number
from tests.report.research.markets import LIVELY, market, study


@pytest.fixture(scope="module")
def day():
    return study(market(86_400))


def sentences(one, topic):
    return [found.sentence for found in insights_of(one) if found.topic == topic]


def test_the_hours_are_what_pandas_says_of_them(day):
    hours, frame = by_hour(day), day.candles.frame
    hour = frame.index.hour
    assert list(hours.index) == list(range(24))
    np.testing.assert_allclose(hours["volume"], frame["quote_volume"].groupby(hour).sum())
    np.testing.assert_allclose(hours["trades"], frame["trades"].groupby(hour).mean() * 60)
    flow = frame.groupby(hour)[["taker_buy_volume", "volume"]].sum()
    share = flow["taker_buy_volume"] / flow["volume"]
    np.testing.assert_allclose(hours["imbalance"], 2 * share - 1)
    score = day.columns["mm_opportunity_score"].groupby(hour).mean()
    np.testing.assert_allclose(hours["score"], score)
    for at, row in hours.iterrows():
        assert row["spread_bp"] == pytest.approx(1.8 if at in LIVELY else 0.9)
        assert row["volatility_bp"] == pytest.approx(1.5 if at in LIVELY else 0.5, rel=0.08)


def test_an_hour_of_two_days_has_no_move_over_the_night():
    """The price of the second day is twice that of the first: no second has moved by that."""
    candles = market(90_000)
    frame = candles.frame.copy()
    prices = ["open", "high", "low", "close", "bid", "ask"]
    frame.loc[frame.index >= frame.index[43_200], prices] *= 2
    assert by_hour(study(replace(candles, frame=frame)))["volatility_bp"][16] < 1


def test_the_heat_map_is_hottest_when_the_market_is_liveliest(day):
    table = heat_map(day)
    column = table.header.index("spread, bp")
    hot = [row[0] for row, heat in zip(table.rows, table.heat, strict=True) if heat[column] > 0.9]
    assert hot == ["13:00", "14:00", "15:00"]
    assert np.isnan([heat[0] for heat in table.heat]).all()
    known = np.array([heat[1:] for heat in table.heat])
    assert known.min() == 0
    assert known.max() == 1


@pytest.mark.parametrize(
    ("fee", "said", "amount"),
    [
        (2.5, "is below the fee of 2.5 bp at every hour: quote deeper than the touch", -1),
        (1.5, "it is above the fee of 1.5 bp at 3 of 24 hours: 13:00–15:59.", 0),
        (
            0.6,
            "is above the fee of 0.6 bp at every hour: it covers the fee of one fill, not of two.",
            0,
        ),
        (0.4, "is above the fee of 0.4 bp at every hour: it covers the fees of both fills.", 1),
    ],
)
def test_the_spread_is_judged_by_the_fee_hour_by_hour(day, fee, said, amount):
    spread = next(one for one in insights_of(replace(day, fee_bp=fee)) if one.topic == "spread")
    assert said in spread.sentence
    assert spread.sentence.startswith("Spread 1.01 bp ")
    assert spread.amount == amount


def test_other_sentences_name_their_numbers(day):
    assert sentences(day, "volume")[0] == (
        "42% of an average day's volume comes in 3 of its 24 hours: 13:00–15:59."
    )
    assert "the mean spread is 2.99 ticks" in sentences(day, "tick")[0]
    move = figures_of(day).volatility_bp
    assert f"moves {move:.3g} bp in a second" in sentences(day, "volatility")[0]
    assert "move is 1.42 times half the spread" in sentences(day, "volatility")[1]
    wide = study(market(7200, spread_bp=4.0))
    after = (4 / 2 / figures_of(wide).volatility_bp) ** 2
    assert f"After {after:.3g} s the move is as large as half" in sentences(wide, "volatility")[1]
    assert "the data" not in [one.topic for one in insights_of(day)]


def test_what_the_source_does_not_know_is_not_said():
    candles = market(3 * 3600, quotes=False)
    frame = candles.frame.assign(
        trades=np.nan, taker_buy_volume=np.nan, taker_buy_quote_volume=np.nan
    )
    short = study(replace(candles, frame=frame, tick=None))
    topics = [one.topic for one in insights_of(short)]
    assert not {"order flow", "tick", "our model"} & set(topics)
    assert sentences(short, "the data") == [
        "From 2026-11-27 16:08 to 2026-11-27 19:08 UTC, 3 h of it observed: they say nothing about "
        "other hours of the day."
    ]
    assert not any("nan" in one.sentence for one in insights_of(short))
    assert spreads_bp(short).source == "Roll"
    assert "Spread by Roll's estimate" in sentences(short, "spread")[0]


def test_a_price_that_never_moves_still_has_a_tick():
    candles = market(1200, quotes=False)
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    still = study(replace(candles, frame=candles.frame.assign(**prices), tick=0.01))
    assert sentences(still, "spread") == [
        "The spread is unknown; the least possible, one tick, is 1 bp, below the fee of 1.5 bp."
    ]


def test_hardly_any_reversal_is_not_called_none():
    candles = market(1200)
    rising = np.linspace(100, 101, len(candles.frame))
    prices = dict.fromkeys(("open", "high", "low", "close"), rising)
    (said,) = sentences(study(replace(candles, frame=candles.frame.assign(**prices))), "reversals")
    assert said.startswith("Fewer than 0.1% of the candles reverse the move of the one before")


def test_figures_without_quotes_are_of_the_closes(day):
    """The bounce between bid and ask is in the closes' moves, not in the mids'."""
    blind = study(market(86_400, quotes=False))
    assert figures_of(blind).volatility_bp > figures_of(day).volatility_bp
    assert figures_of(blind).volume_per_day == pytest.approx(day.candles.frame.quote_volume.sum())
    unknown = replace(day, candles=replace(day.candles, frame=_half_unknown(day.candles.frame)))
    assert figures_of(unknown).volume_per_day == pytest.approx(
        2 * unknown.candles.frame["quote_volume"].sum(), rel=1e-6
    )


def _half_unknown(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.iloc[10_000:53_200] = np.nan
    return frame


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (1234.5, "1,234"), (123_456_789, "123.5 M"), (2e9, "2 bn"),
     (float("nan"), "–")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_hours_that_hardly_differ_are_not_coloured_as_if_they_did():
    candles = market(86_400)
    frame = candles.frame.assign(trades=100.0)
    frame.iloc[:3600, frame.columns.get_loc("trades")] = 101.0
    table = heat_map(study(replace(candles, frame=frame)))
    column = table.header.index("trades a minute")
    assert 0.05 < max(heat[column] for heat in table.heat) < 0.15
