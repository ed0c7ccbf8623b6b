"""Settings of Freqtrade that contradict quoting, found at start instead of by what they cost.

Freqtrade reads its configuration from files, the environment, the command line and the strategy,
and where two of them set the same, the configuration wins over the strategy. So what is judged is
the whole of it as the bot will read it, after all have been merged. `settings_rules.RULES` are the
rules; ``docs/freqtrade_settings.md`` is their table.
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
"""Freqtrade's run modes in which there is something to lose or to be misled by."""

UNIT_OVER_MINIMUM: Final = 3
"""A unit is at least three venue minimums, so that a partly filled one can still be closed."""

USUAL_SPREAD: Final = 0.001
"""Share of the price between both sides' quotes, fees included, where no parameters are known."""

_VERDICTS: Final[Mapping[frozenset[Mode], str]] = {
    MODES: "refused",
    frozenset(): "warned of",
    frozenset({"live"}): "refused live, else warned of",
    frozenset({"backtest", "hyperopt"}): "refused in backtests, else warned of",
    MODES - {"live"}: "warned of live, else refused",
}


@dataclass(frozen=True)
class ConfiguredBot:
    """What there is to judge.

    ``config`` is Freqtrade's configuration with the strategy's attributes merged into it,
    ``settings`` our own block of it; ``spread`` the distance between the quotes of both sides, fees
    included, as a share of the price; ``capital`` what may be staked in all (stake currency), None
    where it is what ``dry_run_wallet`` says.
    """

    config: Mapping[str, Any]
    settings: Settings
    mode: Mode
    spread: float = USUAL_SPREAD
    capital: float | None = None

    @property
    def trades(self) -> bool:
        """Whether it looks at a market now, rather than at candles of the past."""
        return self.mode in ("live", "dry_run")

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path; the default where it is absent or null."""
        value: Any = self.config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return default if value is None else value


@dataclass(frozen=True)
class Rule:
    """One setting that contradicts quoting.

    ``setting`` is its name in the configuration, ``happens`` what Freqtrade then does, ``remedy``
    what to do about it; ``refused_in`` the run modes in which the bot does not start with it, in
    all others it is warned of. ``value`` tells the value where the rule is broken, None where not.
    """

    setting: str
    happens: str
    remedy: str
    value: Callable[[ConfiguredBot], str | None]
    refused_in: frozenset[Mode] = frozenset()

    @property
    def verdict(self) -> str:
        """What becomes of a bot with such a setting, in words."""
        return _VERDICTS[self.refused_in]


@dataclass(frozen=True)
class Finding:
    """A rule that a configuration breaks, and the value with which."""

    rule: Rule
    value: str
    refused: bool

    def __str__(self) -> str:
        """One sentence: name, value, why, remedy."""
        return f"{self.rule.setting} = {self.value}: {self.rule.happens}; {self.rule.remedy}."


def find_contradictions(bot: ConfiguredBot, rules: Sequence[Rule]) -> list[Finding]:
    """Every rule that a configuration breaks, the refused ones first."""
    found = []
    for rule in rules:
        value = rule.value(bot)
        if value is not None:
            found.append(Finding(rule, value, bot.mode in rule.refused_in))
    return sorted(found, key=lambda finding: not finding.refused)


def told(findings: Sequence[Finding]) -> str:
    """All findings in one message, a line each."""
    refused = [f"- {finding}" for finding in findings if finding.refused]
    warned = [f"- {finding}" for finding in findings if not finding.refused]
    parts = []
    if refused:
        parts.append("Freqtrade's settings contradict quoting, the bot does not start with them:")
    parts += refused
    if warned:
        parts.append("Also warned of:" if refused else "Freqtrade's settings hinder quoting:")
    return "\n".join(parts + warned)


def quoted_spread(parameters: ParameterSet, fee_rate: float) -> float | None:
    """The distance between both sides' quotes, two fees included, as a share of the price.

    The depth of a quote is about 1/kappa + epsilon + fee; None where any of them was not fitted.
    """
    kappa, epsilon, mid = parameters.kappa, parameters.epsilon, parameters.kappa.mid
    if not (kappa.kappa_plus and kappa.kappa_minus and mid):
        return None
    if epsilon.epsilon_fill_plus is None or epsilon.epsilon_fill_minus is None:
        return None
    depths = 1 / kappa.kappa_plus + 1 / kappa.kappa_minus
    depths += epsilon.epsilon_fill_plus + epsilon.epsilon_fill_minus
    return depths / mid + 2 * max(fee_rate, 0.0)
