"""Guards: no quote from stale, future or insufficient parameters, no entry when toxic."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.model import QuoteAge
from advanced_mm.parameter_files import Settings
from advanced_mm.quoting import (
    entry_refusal,
    expected_edge,
    quote_refusal,
    toxicity,
    toxicity_regime,
)

NOW = datetime(2026, 11, 23, 12, 0, 20, tzinfo=UTC)


def test_fresh_parameters_pass(make_set):
    assert entry_refusal(make_set(), Settings(), NOW) is None


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (54, None),
        (56, "stale: parameters published 61 s ago"),
        (-11, "published 6 s ahead of this machine's clock"),
        (-9, None),
    ],
)
def test_the_age_of_the_refit_counts(make_set, seconds, reason):
    refusal = quote_refusal(make_set(), Settings(), NOW + timedelta(seconds=seconds))
    assert refusal is None if reason is None else reason in refusal


def test_old_data_are_refused_even_if_published_now(make_set):
    old = make_set(fitted_at=NOW - timedelta(seconds=1801))
    assert "stale: data 1801 s old" in quote_refusal(old, Settings(), NOW)
    assert quote_refusal(old, Settings(max_data_age_seconds=2000), NOW) is None


def test_data_from_the_future_are_a_wrong_clock(make_set):
    early = make_set(fitted_at=NOW + timedelta(seconds=180))
    assert "180 s behind the venue's" in quote_refusal(early, Settings(), NOW)


def test_insufficient_data_are_refused(make_set):
    refusal = quote_refusal(make_set(status="insufficient"), Settings(), NOW)
    assert "1150 buy and 769 sell market orders" in refusal


def test_a_silent_channel_puts_the_data_in_doubt(make_set):
    silent = make_set(status="stale", silent="bbo, trades")
    refusal = quote_refusal(silent, Settings(), NOW)
    assert refusal.startswith("data in doubt: no data on bbo, trades since 12:00:14 UTC")
    assert entry_refusal(silent, Settings(), NOW) == refusal
    stale = make_set(status="stale", not_heard="trades 300 s")  # over: what is left is sound
    assert entry_refusal(stale, Settings(), NOW) is None


@pytest.mark.parametrize(
    ("limit", "opens"), [(2.0, True), (1.82, True), (1.81, False), (1.0, False)]
)
def test_a_toxic_side_stops_entries_only(make_set, limit, opens):
    settings = Settings(toxicity_limit=limit)  # the ask side's kappa*epsilon_fill is 2.6*0.7 = 1.82
    harmless = make_set(epsilon_fill_plus=1.815 / 2.6)
    assert (entry_refusal(harmless, settings, NOW) is None) is opens
    assert quote_refusal(harmless, settings, NOW) is None


@pytest.mark.parametrize(("low", "opens"), [(0.999, True), (1.0, False), (None, True)])
def test_a_side_on_which_no_depth_pays_stops_entries(make_set, low, opens):
    steep = make_set(epsilon_fill_slope_minus=1.4, epsilon_fill_slope_minus_low=low)
    refusal = entry_refusal(steep, Settings(), NOW)
    assert refusal is None if opens else "no depth pays" in refusal
    assert quote_refusal(steep, Settings(), NOW) is None


def test_toxicity_and_its_regimes(make_set):
    assert toxicity(make_set(), "ask") == pytest.approx(2.6 * 0.7)
    assert toxicity(make_set(), "bid") == pytest.approx(2.7 * 0.6)
    assert toxicity(make_set(status="insufficient", kappa_plus=None), "ask") is None
    assert [toxicity_regime(x) for x in (0.99, 1.0, 1.99, 2.0)] == [
        "profitable",
        "competitive",
        "competitive",
        "toxic",
    ]


def test_the_edge_of_a_fill(make_set):
    """With a slope: depth - (a + b*depth) - fee; without: depth - epsilon_fill - fee."""
    at_once = QuoteAge()
    assert expected_edge(make_set(), "ask", 1.6, 0.45, at_once) == pytest.approx(1.6 - 0.7 - 0.45)
    sloped = make_set(epsilon_fill_intercept_plus=0.56, epsilon_fill_slope_plus=0.95)
    assert expected_edge(sloped, "ask", 1.6, 0.5, at_once) == pytest.approx(1.6 - 0.56 - 1.52 - 0.5)
    nothing = make_set(status="insufficient", epsilon_fill_minus=None)
    assert expected_edge(nothing, "bid", 1, 0, at_once) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fitted_at": NOW - timedelta(hours=1)}, "stale: data"),
        ({"published_at": NOW - timedelta(hours=1)}, "stale: parameters"),
        ({"silent": "bbo"}, "data in doubt"),
    ],
)
def test_an_old_or_doubtful_fair_price_is_not_quoted_around(make_set, change, reason):
    """Whatever was fitted around it says of itself."""
    parameters = make_set(beta=0.3)
    fair = parameters.fair_price.model_copy(update=change)
    doubtful = dataclasses.replace(parameters, fair_price=fair)
    refusal = quote_refusal(doubtful.around("imbalance"), Settings(), NOW)
    assert refusal is not None
    assert refusal.startswith(reason)
    assert quote_refusal(doubtful.around("mid"), Settings(), NOW) is None
