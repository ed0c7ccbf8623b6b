"""Quoting logic of the strategy, without Freqtrade, so that it is tested without a bot."""

from advanced_mm.quoting.book import OwnSizes, queue_ahead, touch_of
from advanced_mm.quoting.edge import (
    Side,
    expected_edge,
    no_depth_pays,
    toxicity,
    toxicity_regime,
)
from advanced_mm.quoting.guarded import guarded_decision
from advanced_mm.quoting.parameter_feed import ParameterFeed, ParameterSource
from advanced_mm.quoting.parameter_guards import entry_refusal, quote_refusal
from advanced_mm.quoting.quoter import Quote, Quoter, Refusal, Touch, kind_of

__all__ = [
    "OwnSizes",
    "ParameterFeed",
    "ParameterSource",
    "Quote",
    "Quoter",
    "Refusal",
    "Side",
    "Touch",
    "entry_refusal",
    "expected_edge",
    "guarded_decision",
    "kind_of",
    "no_depth_pays",
    "queue_ahead",
    "quote_refusal",
    "touch_of",
    "toxicity",
    "toxicity_regime",
]
