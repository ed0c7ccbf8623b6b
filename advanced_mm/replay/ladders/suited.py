"""Settings that suit a market and a capital, where nobody gives any: sizes, limits, parameters.

They make policies comparable and give `--policy KIND` something to begin with. They are not tuned:
what they earn says nothing about what settings chosen for a market would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from advanced_mm.markets.synthetic_parameters import ObservableTruth
from advanced_mm.parameter_files import ParameterSet
from advanced_mm.policies import settings_of
from advanced_mm.replay.account import Account
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.ladders.setup import LadderSetup

__all__ = ["MarketFigures", "figures_known", "needs_figures", "suited_settings", "suited_to"]

_ORDER: Final = 0.05  # of the capital
_HELD: Final = 10  # orders, at most
_SPREAD: Final = 10e-4  # of the mid: where a policy has only an amount for it
_AVERSION: Final = 0.05
"""γ·order_size by κ: half spreads are then 2.4% below 1/κ, and ten orders move quotes far."""
_HORIZON_S: Final = 10.0


@dataclass(frozen=True)
class MarketFigures:
    """What the papers' policies need to know of a market.

    Rates of fills at depth 0 (a second), their decay with the depth (per quote currency) and the
    mean move against a fill (quote currency); "plus" is the ask's.
    """

    lambda_plus: float
    lambda_minus: float
    kappa_plus: float
    kappa_minus: float
    epsilon_plus: float
    epsilon_minus: float

    @classmethod
    def of_fit(cls, fit: ParameterSet) -> Self | None:
        """Take those of a calibration; None where it could not fit them."""
        rates, decay, moves = fit.lambda_, fit.kappa, fit.epsilon
        found = (
            *(rates.lambda0_plus, rates.lambda0_minus),
            *(decay.kappa_plus, decay.kappa_minus),
            *(moves.epsilon_plus, moves.epsilon_minus),
        )
        known = [float(one) for one in found if one is not None]
        return cls(*known) if len(known) == len(found) else None

    @classmethod
    def of_truth(cls, truth: ObservableTruth) -> Self:
        """Take those of a synthetic market."""
        return cls(
            *(truth.lambda0_plus, truth.lambda0_minus),
            *(truth.kappa_plus, truth.kappa_minus),
            *(truth.epsilon_plus, truth.epsilon_minus),
        )

    @property
    def kappa(self) -> float:
        """Mean of both sides, per quote currency."""
        return (self.kappa_plus + self.kappa_minus) / 2

    @property
    def intensity(self) -> float:
        """Mean of both sides, per second."""
        return (self.lambda_plus + self.lambda_minus) / 2


def needs_figures(kind: str, given: Mapping[str, Any]) -> bool:
    """Whether the settings of a kind of policy include a market's figures that are not given."""
    names = {"kappa", "kappa_plus", "kappa_minus", "lambda_plus", "lambda_minus", "intensity"}
    return any(name in names and name not in given for name in settings_of(kind).model_fields)


def suited_settings(
    kind: str,
    given: Mapping[str, Any],
    *,
    capital: float,
    mid: float,
    size_step: float,
    fee_rate: float,
    figures: MarketFigures | None = None,
) -> dict[str, Any]:
    """Return a kind's settings: those given, and of the others those that depend on the market.

    Parameters
    ----------
    kind
        One of `policies.KINDS`.
    given
        Taken as they are.
    capital, mid, size_step, fee_rate
        Of the account and the market; orders are a twentieth of the capital, and at most ten of
        them are held.
    figures
        None: those that a policy requires stay missing, and `policies.build` says so.
    """
    steps = max(round(_ORDER * capital / mid / size_step), 1)
    order = round(float(given.get("order_size", given.get("base_size", steps * size_step))), 12)
    held = round(float(given.get("max_inventory", _HELD * order)), 12)
    spread = float(given.get("base_spread", _SPREAD * mid))
    suited: dict[str, Any] = {
        "order_size": order,
        "base_size": order,
        "max_inventory": held,
        "fee_rate": fee_rate,
    }
    if kind == "simple":
        suited |= {"base_spread": spread, "risk_aversion": spread / 2 / held}
    if figures is not None:
        suited |= {
            **{name: getattr(figures, name) for name in MarketFigures.__dataclass_fields__},
            "kappa": figures.kappa,
            "intensity": figures.intensity,
            "gamma": _AVERSION * figures.kappa / order,
        }
    if given.get("horizon", "rolling") != "infinite" and kind == "avellaneda_stoikov":
        suited["horizon_seconds"] = _HORIZON_S
    known = settings_of(kind).model_fields
    return {name: value for name, value in suited.items() if name in known} | dict(given)


def figures_known(backtest: Backtest) -> MarketFigures | None:
    """Return the figures of the newest complete refit known at the start; None without one."""
    figures = None
    if backtest.refits is not None:
        refits = zip(backtest.refits.published_ms.tolist(), backtest.refits.sets, strict=True)
        for published_ms, fit in refits:
            if published_ms <= backtest.start_ms and isinstance(fit, ParameterSet):
                figures = MarketFigures.of_fit(fit) or figures
    return figures


def suited_to(
    backtest: Backtest, setup: LadderSetup, account: Account, fee_rate: float
) -> LadderSetup:
    """Return a setup with the settings that suit a recording, see `suited_settings`."""
    mid = backtest.mids.at(backtest.start_ms)
    settings = suited_settings(
        setup.kind,
        setup.settings,
        capital=account.capital,
        mid=float(backtest.mids.mid[0]) if mid is None else mid,
        size_step=float(f"1e-{backtest.data.grid.size_decimals}"),
        fee_rate=fee_rate,
        figures=figures_known(backtest),
    )
    return replace(setup, settings=settings)
