"""Market making on Hyperliquid with Freqtrade: the model, its calibration, quoting and a loopback venue."""
