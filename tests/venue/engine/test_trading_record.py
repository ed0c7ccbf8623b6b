"""An account's trading statistics in a scripted market."""

import pytest

from advanced_mm.venue.engine.orders import TimeInForce
from advanced_mm.venue.engine.trading_record import trading_record

ME = "0x" + "a1" * 20


def record(bench):
    return trading_record(bench.exchange, bench.exchange.accounts.open(ME))


def test_before_anything_there_is_nothing_to_divide_by(bench):
    record_ = record(bench)
    assert record_["queue"] == {}
    assert record_["money"]["value"] == 10_000.0
    assert record_["requests_allowed"] == 10_000


def test_a_queue_a_part_fill_a_reject_a_cancel_and_a_taker(bench):
    bench.resting(ME, +1, 100.0, 2.0, tif=TimeInForce.ALO)  # behind the 5 that are shown
    assert bench.place(ME, +1, 100.1, 1.0, TimeInForce.ALO).error is not None
    bench.cancel(ME, bench.resting(ME, -1, 100.3, 1.0))
    bench.wait(400)
    bench.block((100.0, 6.0, -1))  # 5 in front, 1 of ours
    first = record(bench)
    assert first["money"]["maker_fills"] == 1
    assert first["money"]["positions"] == {"ETH": 1.0}
    assert first["money"]["open"] == pytest.approx(1.0 * (100.05 - 100.0), abs=0.06)
    assert first["orders"]["placed"] == 2
    assert first["orders"]["cancelled"] == first["orders"]["post_only_refused"] == 1
    assert first["queue"]["waited_median_ms"] == 500
    assert first["queue"]["ahead_median"] == 5.0
    assert (first["queue"]["alone_share"], first["queue"]["partial_share"]) == (0.0, 1.0)
    bench.place(ME, -1, 99.8, 1.0, TimeInForce.IOC)  # sells what it bought to the best bid
    last = record(bench)["money"]
    assert last["maker_fees"] == pytest.approx(100.0 * 0.00015)
    assert last["taker_fees"] == pytest.approx(100.0 * 0.00045, rel=0.01)
    assert last["taker_fills"] == 1
    assert last["positions"] == {}
    gained = last["realised"] - last["maker_fees"] - last["taker_fees"]
    assert last["value"] == pytest.approx(10_000 + gained, abs=1e-6)
