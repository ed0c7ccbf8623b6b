"""The loopback venues: a matching engine, the protocols in front of it, and their conditions.

From the ground up: `engine` keeps orders, accounts and margin, without I/O; `protocol` translates
between the engine and Hyperliquid's wire format; `conditions` limits, disturbs, saves and opens a
venue; `server` puts it on a socket. `spot` keeps wallets instead of margin over the same books, and
`binance` is the Binance spot exchange in front of it.
"""
