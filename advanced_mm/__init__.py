"""A market maker for Freqtrade on Hyperliquid: model, calibration, quoting, loopback venue."""
