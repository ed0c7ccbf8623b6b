"""What collector and runner tell: their own numbers, no others."""

import math
from datetime import UTC, datetime

import pytest

from advanced_mm.marketdata.collector.status import CollectorNumbers
from advanced_mm.metrics.recording import recording_samples
from advanced_mm.metrics.refits import EarnedMetrics, RefitMetrics
from tests.performance.journals import fill, look, quote, write_journal

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def told(samples):
    return {(s.metric, *s.labels): s.value for s in samples}


def test_a_collector_s_numbers():
    numbers = CollectorNumbers(7, 6, 5, 4, 3, 2, None, {})
    assert told(recording_samples(numbers)) == {
        ("messages_total",): 7, ("recorded_rows_total",): 6, ("recorded_bytes_total",): 5,
        ("gaps_total",): 4, ("unwritten_rows",): 3, ("dropped_rows_total",): 2,
    }  # fmt: skip
    numbers = CollectorNumbers(7, 6, 5, 4, 3, 2, (120.0, 900.0), {"ETH": 1e9})
    found = told(recording_samples(numbers))
    assert found["lag_seconds", "50"] == 0.12
    assert found["lag_seconds", "99"] == 0.9
    assert found["recording_newest_timestamp_seconds", "ETH"] == 1e9


def test_a_refit_tells_its_parameters_its_age_and_its_cost(make_set):
    metrics = RefitMetrics()
    assert told(metrics.samples()) == {("refit_errors_total",): 0}
    parameters = make_set(published_at=NOW, fitted_at=NOW)
    metrics.published(parameters, 0.5, math.nan)
    metrics.published(parameters, 0.2, -3.0)
    metrics.failed(2)
    found, coin = told(metrics.samples()), parameters.coin
    assert found["refits_total", coin] == 2
    assert found["refit_errors_total",] == 2
    assert found["refit_duration_seconds", coin] == 0.2
    assert found["clock_offset_seconds", coin] == -3.0
    assert found["parameters_published_timestamp_seconds", coin] == NOW.timestamp()
    assert found["parameters_fitted_timestamp_seconds", coin] == NOW.timestamp()
    assert found["refit_status", coin, "kappa", parameters.kappa.status] == 1
    assert found["lambda_per_second", coin, "ask"] == parameters.lambda_.lambda_plus
    assert found["kappa_per_quote", coin, "bid"] == parameters.kappa.kappa_minus
    assert found["epsilon_quote", coin, "ask"] == parameters.epsilon.epsilon_fill_plus


def test_an_unknown_offset_is_not_told(make_set):
    metrics = RefitMetrics()
    metrics.published(make_set(published_at=NOW, fitted_at=NOW), 0.5, math.nan)
    assert not [s for s in metrics.samples() if s.metric == "clock_offset_seconds"]


def test_what_the_bots_earned_adds_up(tmp_path, make_set):
    metrics = RefitMetrics()
    earned = EarnedMetrics(tmp_path / "journal", tmp_path / "data", metrics)
    assert list(earned.samples()) == [], "no coin yet"
    metrics.published(make_set("r", published_at=NOW, fitted_at=NOW), 0.5, math.nan)
    (coin,) = metrics.coins()
    assert list(earned.samples()) == [], "no journal yet"
    at = earned._running[coin]._clock_ms() + 1000
    who = {"coin": coin, "bot": "b"}
    write_journal(
        tmp_path / "journal",
        [
            look(at, mid=100.0, what="start", equity=1000.0, **who),
            quote(at + 1, "o", "bid", price=99.0, mid=100.0, depth=1.0, expected_edge=0.5, **who),
            fill(at + 2, "o", "bid", price=99.0, mid=100.0, **who),
            look(at + 3, 1.0, 100.5, **who),
        ],
        "b",
    )
    earned._running[coin]._next_s = -math.inf
    found = told(earned.samples())
    parts = {key[2]: value for key, value in found.items() if key[0] == "profit_part_quote"}
    assert set(parts) == {"spread_captured", "adverse_selection", "inventory", "fees", "funding"}
    assert parts["spread_captured"] == pytest.approx(1.0)
    assert sum(parts.values()) == pytest.approx(found["profit_quote", coin])
