"""The loopback Hyperliquid: a matching engine, the protocol in front of it, and its conditions.

From the ground up: `engine` keeps orders, accounts and margin, without I/O; `protocol` translates
between the engine and Hyperliquid's wire format; `conditions` limits, disturbs, saves and opens a
venue; `server` puts it on a socket.
"""
