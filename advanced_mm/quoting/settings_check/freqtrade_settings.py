"""Check at start for Freqtrade settings that conflict with quoting, before they cost money.

Freqtrade merges its configuration from files, the environment, the command line and the strategy;
the configuration takes precedence over the strategy. The check therefore runs on the merged
configuration. `settings_rules.RULES` holds the rules; ``docs/freqtrade_settings.md`` lists them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from advanced_mm.parameter_files import ParameterSet, Settings

__all__ = [
    "MODES",
    "UNIT_OVER_MINIMUM",
    "USUAL_SPREAD",
    "ConfiguredBot",
    "Finding",
    "Mode",
    "Rule",
    "find_contradictions",
    "quoted_spread",
    "told",
]

Mode = Literal["live", "dry_run", "backtest", "hyperopt"]
MODES: Final[frozenset[Mode]] = frozenset(("live", "dry_run", "backtest", "hyperopt"))
"""Run modes of Freqtrade in which the settings are checked."""

UNIT_OVER_MINIMUM: Final = 3
"""A unit is at least three venue minimums, so that a partly filled one can still be closed."""

USUAL_SPREAD: Final = 0.001
"""Assumed distance between the two quotes without parameters: share of the price, with fees."""

_VERDICTS: Final[Mapping[frozenset[Mode], str]] = {
    MODES: "refused",
    frozenset(): "warning",
    frozenset({"live"}): "refused live, otherwise a warning",
    frozenset({"backtest", "hyperopt"}): "refused in backtests, otherwise a warning",
    MODES - {"live"}: "a warning live, otherwise refused",
}


@dataclass(frozen=True)
class ConfiguredBot:
    """The configuration to check.

    ``config`` is Freqtrade's configuration, merged with the strategy's attributes; ``settings`` is
    our own block of it. ``spread`` is the distance between the two quotes, fees included, as a
    share of the price. ``capital`` is the total available stake (stake currency); None means it
    follows from ``dry_run_wallet``.
    """

    config: Mapping[str, Any]
    settings: Settings
    mode: Mode
    spread: float = USUAL_SPREAD
    capital: float | None = None

    @property
    def trades(self) -> bool:
        """Whether the bot runs on a live market rather than on historical candles."""
        return self.mode in ("live", "dry_run")

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value at a dotted path, or the default if it is absent or null."""
        value: Any = self.config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return default if value is None else value


@dataclass(frozen=True)
class Rule:
    """A setting that conflicts with quoting.

    ``setting`` is its name in the configuration, ``happens`` the effect and ``remedy`` what to do.
    The bot does not start in the run modes ``refused_in``; in all others it logs a warning.
    ``value`` returns the offending value as text, or None if the rule is not broken.
    """

    setting: str
    happens: str
    remedy: str
    value: Callable[[ConfiguredBot], str | None]
    refused_in: frozenset[Mode] = frozenset()

    @property
    def verdict(self) -> str:
        """How the bot reacts to the setting, as shown in the documentation."""
        return _VERDICTS[self.refused_in]


@dataclass(frozen=True)
class Finding:
    """A rule that a configuration breaks, and the offending value."""

    rule: Rule
    value: str
    refused: bool

    def __str__(self) -> str:
        """One sentence: name, value, effect, remedy."""
        return f"{self.rule.setting} = {self.value}: {self.rule.happens}; {self.rule.remedy}."


def find_contradictions(bot: ConfiguredBot, rules: Sequence[Rule]) -> list[Finding]:
    """Return every rule that a configuration breaks, refused settings first."""
    found = []
    for rule in rules:
        value = rule.value(bot)
        if value is not None:
            found.append(Finding(rule, value, bot.mode in rule.refused_in))
    return sorted(found, key=lambda finding: not finding.refused)


def told(findings: Sequence[Finding]) -> str:
    """Format all findings as one message with a line each; empty if there are none."""
    refused = [f"- {finding}" for finding in findings if finding.refused]
    warned = [f"- {finding}" for finding in findings if not finding.refused]
    parts = []
    if refused:
        parts.append("Freqtrade settings conflict with quoting; the bot does not start:")
    parts += refused
    if warned:
        parts.append("Also, as warnings:" if refused else "Freqtrade settings hinder quoting:")
    return "\n".join(parts + warned)


def quoted_spread(parameters: ParameterSet, fee_rate: float) -> float | None:
    """Return the distance between the two quotes, two fees included, as a share of the price.

    The depth of a quote is about 1/kappa + epsilon + fee. None if any estimate is missing.
    """
    kappa, epsilon, mid = parameters.kappa, parameters.epsilon, parameters.kappa.mid
    if not (kappa.kappa_plus and kappa.kappa_minus and mid):
        return None
    if epsilon.epsilon_fill_plus is None or epsilon.epsilon_fill_minus is None:
        return None
    depths = 1 / kappa.kappa_plus + 1 / kappa.kappa_minus
    depths += epsilon.epsilon_fill_plus + epsilon.epsilon_fill_minus
    return depths / mid + 2 * max(fee_rate, 0.0)
