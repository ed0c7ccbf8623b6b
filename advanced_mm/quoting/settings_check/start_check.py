"""Check of the bot's merged configuration at start, with all rules of `settings_rules`."""

from collections.abc import Iterable, Mapping
from typing import Any

from advanced_mm.parameter_files import ParameterSet, Settings
from advanced_mm.quoting.settings_check.freqtrade_settings import (
    USUAL_SPREAD,
    ConfiguredBot,
    Finding,
    Mode,
    find_contradictions,
    quoted_spread,
)
from advanced_mm.quoting.settings_check.settings_rules import RULES

__all__ = ["check_settings", "configured_bot"]


def check_settings(
    config: Mapping[str, Any],
    settings: Settings,
    mode: Mode,
    published: Iterable[ParameterSet],
    capital: float | None,
) -> list[Finding]:
    """Return every rule that a configuration breaks, refused settings first.

    Parameters
    ----------
    config
        Freqtrade's configuration, merged with the strategy's attributes.
    settings
        Our own block of it.
    mode
        Run mode.
    published
        Published parameters of the pairs; the widest spread among them is used, or
        `USUAL_SPREAD` if there is none.
    capital
        Total available stake (stake currency); None if it follows from ``dry_run_wallet``.
    """
    return find_contradictions(configured_bot(config, settings, mode, published, capital), RULES)


def configured_bot(
    config: Mapping[str, Any],
    settings: Settings,
    mode: Mode,
    published: Iterable[ParameterSet],
    capital: float | None,
) -> ConfiguredBot:
    """Return what the rules look at; the arguments are those of `check_settings`."""
    spreads = [quoted_spread(parameters, settings.fee_rate) for parameters in published]
    known = [spread for spread in spreads if spread is not None]
    return ConfiguredBot(config, settings, mode, max(known, default=USUAL_SPREAD), capital)
