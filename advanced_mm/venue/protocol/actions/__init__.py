"""Requests to ``/exchange``: forms, signatures, execution and replies."""

from advanced_mm.venue.protocol.actions.requests import Requests
from advanced_mm.venue.protocol.actions.signers import Agent, RefusedError, Signers

__all__ = ["Agent", "RefusedError", "Requests", "Signers"]
