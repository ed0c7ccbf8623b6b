"""Cartea & Jaimungal: the optimal depths with adverse selection, fees and bounds of the inventory.

Cartea, Jaimungal & Penalva, *Algorithmic and High-Frequency Trading* (2015), sections 10.2 and
10.4.1, solved by `advanced_mm.model.solve`.
"""

import math
from typing import Self

from pydantic import Field, model_validator

from advanced_mm.errors import AdvancedMMError, InputError
from advanced_mm.model import ModelParameters, risk_aversion_to_phi, solve
from advanced_mm.policies.state import MarketState
from advanced_mm.policies.units import Depths, UnitPolicy, UnitSettings

__all__ = ["CarteaJaimungalPolicy", "CarteaJaimungalSettings"]

_SIDES = ("plus", "minus")
_MOST_UNITS = 100
_SOLVED = 16  # solutions that are kept
_FEE_STEP = 0.01  # the fee in price follows the mid in steps of this share of it


class CarteaJaimungalSettings(UnitSettings):
    """Order flow, costs and penalties; plus is the ask side, minus the bid side."""

    lambda_plus: float = Field(gt=0, description="fills a second of an ask at the price itself")
    lambda_minus: float = Field(gt=0, description="fills a second of a bid at the price itself")
    kappa_plus: float = Field(gt=0, description="decay with the ask's depth, per quote currency")
    kappa_minus: float = Field(gt=0, description="decay with the bid's depth, per quote currency")
    epsilon_plus: float = Field(
        0.0, description="mean move against an ask after its fill, quote currency"
    )
    epsilon_minus: float = Field(
        0.0, description="mean move against a bid after its fill, quote currency"
    )
    fee_rate: float = Field(
        0.0, ge=-0.01, le=0.01, description="maker fee, share of the price; a rebate is negative"
    )
    risk_aversion: float = Field(
        0.01, ge=0, le=100, description="dimensionless running inventory penalty"
    )
    phi: float | None = Field(
        None,
        ge=0,
        description="running penalty itself, quote currency per order^2 per second for each base "
        "currency in an order (gamma * order_size * sigma^2 / 2 of the other models); null: from "
        "risk_aversion",
    )
    horizon_seconds: float | None = Field(
        None, gt=0, description="time always left, seconds; null: a market without a close"
    )
    alpha: float = Field(
        0.0,
        ge=0,
        description="penalty at the horizon, quote currency per order^2 for each base currency in "
        "an order",
    )
    min_depth: float = Field(0.0, ge=0, description="least depth, quote currency")

    @model_validator(mode="after")
    def _few_units(self) -> Self:
        if self.units > _MOST_UNITS:
            raise ValueError(
                f"max_inventory = {self.max_inventory:g} is {self.units} orders of order_size = "
                f"{self.order_size:g}, but {_MOST_UNITS} are the most: raise order_size"
            )
        if self.alpha and self.horizon_seconds is None:
            raise ValueError(
                f"alpha = {self.alpha:g} counts at horizon_seconds, which is null: set it, or "
                "leave alpha out"
            )
        return self

    @property
    def units(self) -> int:
        """The most whole orders that may be held."""
        return math.floor(self.max_inventory / self.order_size + 1e-9)

    def problem(self, mid: float) -> ModelParameters:
        """Return the control problem at a mid, quote currency, on which only the fee depends."""
        lambda_bar = (self.lambda_plus + self.lambda_minus) / 2.0
        kappa_bar = (self.kappa_plus + self.kappa_minus) / 2.0
        phi = self.phi
        if phi is None:
            phi = risk_aversion_to_phi(self.risk_aversion, lambda_bar, kappa_bar)
        return ModelParameters(
            lambda_plus=self.lambda_plus,
            lambda_minus=self.lambda_minus,
            kappa_plus=self.kappa_plus,
            kappa_minus=self.kappa_minus,
            epsilon_plus=self.epsilon_plus,
            epsilon_minus=self.epsilon_minus,
            phi=phi,
            alpha=self.alpha,
            fee=self.fee_rate * mid,
            q_min=0 if self.long_only else -self.units,
            q_max=self.units,
            horizon_seconds=self.horizon_seconds,
            min_depth=self.min_depth,
        )


class CarteaJaimungalPolicy(UnitPolicy[CarteaJaimungalSettings]):
    """Depths of the two-sided problem on whole orders; the inventory counts to the nearest.

    The fee in price is that of the mid to 1%, as in the bot for Freqtrade, so that the problem is
    solved again only when the price has moved as far.
    """

    kind = "cartea_jaimungal"
    Settings = CarteaJaimungalSettings

    def __init__(self, settings: CarteaJaimungalSettings) -> None:
        super().__init__(settings)
        self._solved: dict[int, tuple[list[float], list[float]] | str] = {}

    @classmethod
    def of(
        cls,
        problem: ModelParameters,
        mid: float,
        order_size: float,
        *,
        levels: int = 1,
        target_inventory: float = 0.0,
    ) -> Self:
        """Return the policy of a control problem, as the calibration publishes it.

        Parameters
        ----------
        problem
            Two-sided, its bounds 0 … N or -N … N, without a drift and slopes of the impact.
        mid
            The mid (quote currency) that its fee belongs to.
        order_size
            One unit, base currency.
        levels, target_inventory
            As in the settings.

        Raises
        ------
        InputError
            The problem is of another kind.
        """
        p = problem
        wrong = {
            "sides": p.sides != "both",
            "q_min": p.q_min not in (0, -p.q_max),
            "mu": p.mu != 0.0,
            "impact_slope_plus": p.impact_slope_plus != 0.0,
            "impact_slope_minus": p.impact_slope_minus != 0.0,
            "terminal_cost": p.terminal_cost != 0.0,
            "min_depth": p.min_depth < 0.0,
        }
        for name, other in wrong.items():
            if other:
                raise InputError(
                    f"{name} = {getattr(p, name)!r} of the problem cannot be quoted as a ladder: "
                    "use both sides, bounds 0 … N or -N … N, no drift, slope or terminal cost."
                )
        names = ("lambda", "kappa", "epsilon")
        flow = {f"{name}_{side}": getattr(p, f"{name}_{side}") for name in names for side in _SIDES}
        rest = {name: getattr(p, name) for name in ("phi", "alpha", "horizon_seconds", "min_depth")}
        own = {
            "fee_rate": p.fee / mid,
            "order_size": order_size,
            "max_inventory": p.q_max * order_size,
            "long_only": p.q_min == 0,
            "levels": levels,
            "target_inventory": target_inventory,
        }
        return cls(CarteaJaimungalSettings.read(flow | rest | own, f"policy.{cls.kind}"))

    def depths(self, state: MarketState, units: float) -> Depths | str:
        """Return the optimal depths at the nearest whole inventory and those beyond it.

        Why not, where the fee at this mid is out of proportion to the other parameters.
        """
        solved = self._depths_near(state.mid)
        if isinstance(solved, str):
            return solved
        bids, asks = solved
        lowest = 0 if self.settings.long_only else -self.settings.units
        at = min(max(round(units) - lowest, 0), len(bids) - 1)
        levels = self.settings.levels
        return Depths(bids[at : at + levels], asks[max(at - levels + 1, 0) : at + 1][::-1])

    def _depths_near(self, mid: float) -> tuple[list[float], list[float]] | str:
        step = round(math.log(mid) / _FEE_STEP) if self.settings.fee_rate else 0
        known = self._solved.get(step)
        if known is None:
            if len(self._solved) >= _SOLVED:
                self._solved.clear()
            try:
                solution = solve(self.settings.problem(math.exp(step * _FEE_STEP)))
                known = (solution.bid_depth.tolist(), solution.ask_depth.tolist())
            except (AdvancedMMError, ArithmeticError) as error:  # kept too: it took seconds to find
                known = f"the problem cannot be solved at a mid of {mid:g}: {error}"
            self._solved[step] = known
        return known
