"""Hyperliquid's wire protocol between clients and the engine.

`messages` writes the engine's state in the wire format; `info` answers ``/info``; `actions` parses
and executes signed requests to ``/exchange``; `subscriptions` are the websocket channels.
"""
