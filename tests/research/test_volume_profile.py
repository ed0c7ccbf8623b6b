"""Volume by price against pandas, and closed forms."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.research.volume_profile import volume_profile
from tests.research.random_candles import GAP, candles_of, random_candles


def test_the_profile_is_that_of_pandas_cut_with_the_lowest_price_in_it():
    candles = random_candles()
    profile = volume_profile(candles)
    frame = candles.frame
    edges = np.linspace(frame["low"].min(), frame["high"].max(), 51)
    bucket = pd.cut(frame["close"], edges, labels=False, include_lowest=True)
    np.testing.assert_array_equal(profile.price_bucket, bucket.fillna(-1))
    assert (profile.price_bucket[GAP] == -1).all()
    expected = frame.groupby(bucket).agg({"volume": "sum", "trades": "sum", "close": "mean"})
    expected = expected.reindex(range(50))
    shown = profile.frame
    np.testing.assert_allclose(shown["volume"], expected["volume"].fillna(0))
    np.testing.assert_allclose(shown["trades"], expected["trades"].fillna(0))
    np.testing.assert_allclose(shown["close"], expected["close"])
    assert shown["volume"].sum() == pytest.approx(frame["volume"].sum())
    top = np.sort(shown["volume"])[-10:].sum() / frame["volume"].sum()
    assert profile.concentration_pct == pytest.approx(100 * top)


def test_a_uniform_profile_has_a_fifth_in_its_top_fifth():
    close = np.tile(np.arange(50) + 0.5, 20)
    candles = candles_of(
        close=close,
        low=np.minimum(close, 0.0),
        high=np.maximum(close, 50.0),
        volume=1.0,
        trades=1.0,
    )
    profile = volume_profile(candles)
    assert profile.concentration_pct == pytest.approx(20.0)
    np.testing.assert_allclose(profile.frame["close"], np.arange(50) + 0.5)


def test_a_price_that_never_moved_is_in_one_bucket():
    profile = volume_profile(candles_of(close=np.full(5, 3.0), volume=2.0, trades=1.0))
    assert profile.frame["volume"].iloc[0] == 10
    assert profile.concentration_pct == 100


def test_without_volume_there_is_no_concentration():
    profile = volume_profile(candles_of(close=np.array([1.0, 2.0, 3.0])))
    assert np.isnan(profile.concentration_pct)
    still = volume_profile(candles_of(close=np.array([1.0, 2.0]), volume=0.0, trades=0.0))
    assert np.isnan(still.concentration_pct)
