"""Simulated markets whose truth is known."""

import numpy as np
import pandas as pd

from advanced_mm.research.candles import CANDLE_COLUMNS, Candles


def candles_of(close, step=1, name="made up", tick=None, **columns):
    """Candles with these closes and further columns, the rest NaN."""
    index = pd.date_range("2026-01-01", periods=len(close), freq=f"{step}s", tz="UTC")
    frame = pd.DataFrame(dict.fromkeys(CANDLE_COLUMNS, np.nan), index=index)
    for column in ("open", "high", "low", "close"):
        frame[column] = close
    for column, values in columns.items():
        frame[column] = values
    return Candles(frame, step, name, tick=tick)


def fractional_noise(count, hurst, rng):
    """Changes of fractional Brownian motion, exact in law (Davies and Harte)."""
    k = np.arange(count + 1.0)
    covariance = 0.5 * ((k + 1) ** (2 * hurst) - 2 * k ** (2 * hurst) + abs(k - 1) ** (2 * hurst))
    row = np.concatenate([covariance, covariance[-2:0:-1]])
    eigenvalues = np.fft.fft(row).real
    assert eigenvalues.min() > -1e-9
    noise = rng.normal(size=len(row)) + 1j * rng.normal(size=len(row))
    scaled = np.sqrt(np.maximum(eigenvalues, 0) / len(row)) * noise
    return np.fft.fft(scaled).real[:count]
