"""Frames read against their types: the fast way and the careful way agree; nothing crashes.

- a sound frame gives the same rows as the row-by-row decoder, which is the oracle;
- whatever comes, `read_frame` returns what it is, and what is lost is counted;
- contexts: figures that the venue leaves out stay empty, unsound ones cost the message.
"""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.bad_rows import BadRows
from advanced_mm.marketdata.feed.wire import (
    Acknowledged,
    Complaint,
    Data,
    Pong,
    Unsound,
    decode,
    read_frame,
)

CTX = {
    "funding": "0.0000125", "openInterest": "1203.5", "prevDayPx": "99.0", "dayNtlVlm": "5e6",
    "premium": "-0.0003", "oraclePx": "100.4", "markPx": "100.2", "midPx": "100.1",
    "impactPxs": ["100.0", "100.3"], "dayBaseVlm": "50000.0",
}  # fmt: skip

numbers = st.floats(1e-8, 1e12).map(repr)
level = st.fixed_dictionaries({"px": numbers, "sz": numbers, "n": st.integers(0, 9)})
times = st.integers(0, 10**14 - 1)
bbo = st.fixed_dictionaries(
    {"coin": st.text(), "time": times, "bbo": st.lists(st.none() | level, min_size=2, max_size=2)}
)
books = st.fixed_dictionaries(
    {
        "coin": st.text(),
        "time": times,
        "levels": st.lists(st.lists(level, max_size=22), min_size=2, max_size=2),
    },
    optional={"fast": st.booleans()},
)
prints = st.fixed_dictionaries(
    {
        "coin": st.sampled_from(["ETH", "BTC"]),
        "side": st.sampled_from("AB"),
        "px": numbers,
        "sz": numbers,
        "time": times,
        "tid": st.integers(0, 2**63 - 1),
    },
    optional={"hash": st.none() | st.just("0x00ff"), "users": st.just(["0x1", "0x2"])},
)
contexts = st.fixed_dictionaries(
    {"coin": st.text(), "ctx": st.just(CTX) | st.just({"markPx": "1.5", "midPx": None})}
)
message = st.one_of(
    st.tuples(st.just("bbo"), bbo),
    st.tuples(st.just("l2Book"), books),
    st.tuples(st.just("trades"), st.lists(prints, min_size=1, max_size=6)),
    st.tuples(st.sampled_from(["activeAssetCtx", "activeSpotAssetCtx"]), contexts),
)


def values(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (
            one.coin,
            one.kind,
            one.time_ms,
            one.mid,
            [repr(value) for row in one.rows for value in row],
        )
        for one in rows
    ]


@settings(max_examples=40, deadline=None)
@given(message)
def test_a_sound_frame_gives_the_rows_of_the_careful_decoder(given_message: Any) -> None:
    channel, data = given_message
    body = {"channel": channel, "data": data}
    bad_rows = BadRows()
    found = read_frame(json.dumps(body).encode(), bad_rows)
    assert isinstance(found, Data)
    assert (found.dropped, bad_rows.total) == ("", 0)
    assert values(found.rows) == values(decode(body))


@settings(max_examples=40, deadline=None)
@given(st.binary() | st.text(), message, st.integers(0, 400))
def test_no_frame_crashes_and_what_is_of_no_use_is_counted(
    junk: Any, given_message: Any, cut: int
) -> None:
    channel, data = given_message
    half = json.dumps({"channel": channel, "data": data}).encode()[:cut]
    for frame in (junk, half):
        bad_rows = BadRows()
        found = read_frame(frame, bad_rows)
        if not isinstance(found, Unsound):
            assert isinstance(found, Data)  # it was not cut
            continue
        assert bad_rows.total == 1
        if found.readable:  # what is drawn at random may be JSON: "{}"
            json.loads(frame)
        else:
            assert bad_rows.count("frame") == 1


@pytest.mark.parametrize(
    "frame",
    ["[1]", "7", "null", '"bbo"', "{}", '{"channel":["bbo"]}', '{"channel":"news","data":{}}',
     '{"channel":"bbo"}', '{"channel":"bbo","data":null}', '{"channel":"trades","data":[]',
     '{"channel":"bbo","data":' + "[" * 100_000, '{"channel":"activeAssetCtx","data":{"coin":7}}',
     '{"channel":"l2Book","data":{"coin":"ETH","time":NaN,"levels":[[],[]]}}',
     b'{"channel":"bb\xff","data":{}}', b'{"channel":"trades","data":[{"coin":"\xed\xa0\x80"}]}'],
)  # fmt: skip
def test_frames_of_no_use_are_reported_in_words(frame: bytes | str) -> None:
    bad_rows = BadRows()
    found = read_frame(frame, bad_rows)
    assert isinstance(found, Unsound)
    assert "the venue sent" in found.reason
    assert bad_rows.total == 1


def test_prints_beside_an_unsound_one_are_kept_and_the_loss_is_told(wire: SimpleNamespace) -> None:
    body = wire.trades((1000, 1), (1000, 2), (1000, 3))
    body["data"][1]["px"] = "NaN"
    bad_rows = BadRows()
    found = read_frame(json.dumps(body), bad_rows)
    assert isinstance(found, Data)
    assert [row[3] for row in found.rows[0].rows] == ["1", "3"]
    assert found.dropped == "a print was unsound"
    assert bad_rows.count("trades") == 1


def test_a_hash_that_no_shard_can_hold_costs_its_print_only(wire: SimpleNamespace) -> None:
    body = wire.trades((1000, 1), (1000, 2))
    body["data"][0]["hash"] = "ä"
    found = read_frame(json.dumps(body), bad_rows := BadRows())
    assert isinstance(found, Data)
    assert [row[3] for row in found.rows[0].rows] == ["2"]
    assert bad_rows.count("trades") == 1


def test_control_frames() -> None:
    bad_rows = BadRows()
    ack = {"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}}
    assert read_frame('{"channel":"pong"}', bad_rows) == Pong()
    assert read_frame('{"channel":"error","data":"no"}', bad_rows) == Complaint("no")
    frame = json.dumps({"channel": "subscriptionResponse", "data": ack})
    assert read_frame(frame, bad_rows) == Acknowledged("ETH", True)
    assert read_frame('{"channel":"subscriptionResponse"}', bad_rows) == Acknowledged("", False)
    assert bad_rows.total == 0


@pytest.mark.parametrize(("name", "value"), [("markPx", "NaN"), ("openInterest", "-1")])
def test_an_unsound_figure_costs_the_context(name: str, value: Any) -> None:
    body = {"channel": "activeAssetCtx", "data": {"coin": "ETH", "ctx": {**CTX, name: value}}}
    bad_rows = BadRows()
    found = read_frame(json.dumps(body), bad_rows)
    assert isinstance(found, Unsound)
    assert name in found.reason
    assert bad_rows.count("activeAssetCtx message") == 1


def test_a_context_has_the_venues_figures() -> None:
    body = {"channel": "activeAssetCtx", "data": {"coin": "ETH", "ctx": CTX}}
    (one,) = decode(body)
    assert (one.kind, one.time_ms) == ("contexts", None)
    expected = [100.2, 100.1, 100.4, 0.0000125, -0.0003, 1203.5, 100.0, 100.3, 99.0, 5e6, 50_000.0]
    np.testing.assert_allclose(one.rows[0], expected)
