"""The loopback venue's scripted market, and keys."""

from tests.venue.conftest import scripted, wallet

__all__ = ["scripted", "wallet"]
