"""A market maker for Freqtrade on Hyperliquid: model, calibration, quoting, loopback venue."""

__version__ = "0.1.0"
