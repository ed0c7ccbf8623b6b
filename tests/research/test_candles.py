"""Candles have no holes, and a frame that has some is a bug."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.errors import InputError
from advanced_mm.research.candles import CANDLE_COLUMNS, Candles, without_holes


def rows(seconds, **columns):
    index = pd.to_datetime(np.asarray(seconds) * 10**9, utc=True)
    return pd.DataFrame(columns, index=index)


def test_holes_become_rows_without_trades():
    found, missing, longest = without_holes(
        rows(
            [0, 60, 240], open=[1.0, 2, 3], high=[4.0, 5, 6], low=1.0, close=[2.0, 3, 4], volume=7.0
        ),
        60,
        "made up",
    )
    assert (missing, longest) == (2, 2)
    assert tuple(found) == CANDLE_COLUMNS
    assert found["close"].to_list() == [2, 3, 3, 3, 4]
    assert found["high"].to_list() == [4, 5, 3, 3, 6]
    assert found["volume"].to_list() == [7, 7, 0, 0, 7]
    assert found["trades"].isna().all()
    assert (np.diff(found.index) == pd.Timedelta(seconds=60)).all()
    Candles(found, 60, "made up")


def test_no_rows_and_rows_too_far_apart_are_refused():
    with pytest.raises(InputError, match="made up has no candles"):
        without_holes(rows([], close=[]), 1, "made up")
    with pytest.raises(InputError, match="is the unit of its times right"):
        without_holes(rows([0, 10**9], close=[1.0, 2.0]), 1, "made up")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="trades"), "columns missing"),
        (lambda frame: frame.iloc[:0], "no rows"),
        (lambda frame: frame.tz_localize(None), "in UTC"),
        (lambda frame: frame.reset_index(drop=True), "DatetimeIndex"),
        (lambda frame: frame.drop(frame.index[1]), "leave holes"),
        (lambda frame: frame[::-1], "leave holes or overlap"),
    ],
)
def test_a_frame_of_another_form_is_a_bug(change, words):
    frame, _, _ = without_holes(rows([0, 1, 2, 3], close=1.0), 1, "made up")
    with pytest.raises(ValueError, match=words):
        Candles(change(frame), 1, "made up")
