"""Hyperliquid's wire protocol: what clients send to the engine, and what they are sent.

`messages` writes the engine's state in the wire format; `info` answers ``/info``; `actions` reads
and executes what is signed and posted to ``/exchange``; `subscriptions` are the websocket channels.
"""
