"""Verification of a recording: what it covers, what is missing, and what is wrong with it."""

from advanced_mm.marketdata.checking.check import Check
from advanced_mm.marketdata.checking.findings import CoinFindings, Hole, KindFindings

__all__ = ["Check", "CoinFindings", "Hole", "KindFindings"]
