"""A loopback Binance spot exchange: its REST interface, websocket API, streams and faults.

`local.spot_venue` starts one inside a program; `scripts/paper_exchange.py` serves one beside the
loopback Hyperliquid.
"""
