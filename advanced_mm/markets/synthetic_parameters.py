"""Parameters of the synthetic market, and what an estimator can observe of them."""

import math
from dataclasses import dataclass
from typing import Self

from advanced_mm.errors import InputError
from advanced_mm.markets.coin_figures import CoinFigures, figures_of, tick_of
from advanced_mm.markets.grid import FEWEST_TICKS, MOST_TICKS, StepGrid
from advanced_mm.markets.market import CoinSpec, MarginMode

__all__ = ["ObservableTruth", "SyntheticParameters"]

_PERPETUAL_DECIMALS = 6
_LONGEST_BLOCK_MS = 60_000
_GREATEST_LEVERAGE = 1_000
_FURTHEST_MOVE = 10  # move of the price in a second, in start prices
_FURTHEST_REACH = 10_000  # ticks a market order walks on average
_MOST_LEVELS = 2_000  # levels that one side's market orders trade in a block on average
_MOST_IMBALANCE = 0.95
_MOST_LOTS = 10**15  # per price level


@dataclass(frozen=True, slots=True)
class ObservableTruth:
    """What an estimator that sees only the published stream should find.

    ``lambda`` is the rate of market orders that print, ``lambda0`` the fill intensity extrapolated
    to depth 0 (both per second), ``kappa`` the decay of the fill curve (per quote currency),
    ``epsilon`` the mean permanent move per market order (quote currency).
    """

    lambda_plus: float
    lambda_minus: float
    lambda0_plus: float
    lambda0_minus: float
    kappa_plus: float
    kappa_minus: float
    epsilon_plus: float
    epsilon_minus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticParameters:
    """The model of Cartea, Jaimungal & Penalva (2015), 10.2 and 10.4.1, on a tick grid.

    dS = (drift + imbalance_drift I) dt + sigma dW + J+ dM+ - J- dM-, where M+ and M- count buy and
    sell market orders, and I is the imbalance of the sizes at the touch. A market order reaches
    D ~ Exp(kappa) from S. "plus" stands for buys, which lift the ask.

    Attributes
    ----------
    coin, size_decimals, max_leverage, margin_mode
        As the venue's ``meta`` gives them; sizes are multiples of 10**-size_decimals.
    tick
        Price step, quote currency. Every price of the band must keep five significant figures.
    start_price
        Latent mid S at the start, quote currency.
    band
        S is reflected at ``start_price * (1 +- band)``, so that it stays in the range of the tick
        for days. Sessions of minutes to hours do not reach the bounds.
    sigma
        Volatility of S without the jumps, quote currency per square root of a second.
    drift
        Trend of S without the jumps, quote currency per second.
    lambda_plus, lambda_minus
        Arrival rate of buy and sell market orders, printed or not, per second.
    kappa_plus, kappa_minus
        Decay of the reach of buys and sells, per quote currency.
    jump_probability_plus, jump_probability_minus
        Probability that a market order moves S.
    jump_alpha
        Tail index of the Pareto jumps; above 1, so that their mean exists.
    jump_minimum
        Smallest jump, quote currency; None: one tick.
    level_size
        Base currency resting at every tick. In a flat book, exponential order sizes give
        exponential reaches: an order of size v walks v / level_size ticks beyond the touch.
    imbalance, imbalance_seconds
        The sizes at the touch are level_size * (1 + I) on the bid and level_size * (1 - I) on the
        ask, where I is ``imbalance`` or its negative and turns after ``imbalance_seconds`` on
        average. 0: both are the level's.
    imbalance_drift
        Trend of S per unit of I, quote currency per second.
    block_ms
        Time between two blocks, ms.
    """

    coin: str = "ETH"
    size_decimals: int = 4
    max_leverage: int = 25
    margin_mode: MarginMode = ""
    tick: float = 0.1
    start_price: float = 3000.0
    band: float = 0.3
    sigma: float = 1.0
    drift: float = 0.0
    lambda_plus: float = 1.0
    lambda_minus: float = 1.0
    kappa_plus: float = 2.0
    kappa_minus: float = 2.0
    jump_probability_plus: float = 0.6
    jump_probability_minus: float = 0.6
    jump_alpha: float = 3.0
    jump_minimum: float | None = 0.2
    level_size: float = 5.0
    imbalance: float = 0.0
    imbalance_seconds: float = 3.0
    imbalance_drift: float = 0.0
    block_ms: int = 100

    def __post_init__(self) -> None:
        """Refuse values that the model, price rules or computer cannot handle (InputError)."""
        for name in (
            *("tick", "start_price", "kappa_plus", "kappa_minus", "level_size"),
            "imbalance_seconds",
        ):
            self._require(name, getattr(self, name) > 0, "a positive number")
        for name in ("jump_probability_plus", "jump_probability_minus"):
            self._require(name, 0 <= getattr(self, name) <= 1, "between 0 and 1")
        self._require("band", 0 < self.band < 1, "between 0 and 1")
        self._require("imbalance", 0 <= self.imbalance <= _MOST_IMBALANCE, "between 0 and 0.95")
        self._require("jump_alpha", self.jump_alpha > 1, "above 1, where the mean jump exists")
        for name, least, most in (
            ("block_ms", 1, _LONGEST_BLOCK_MS),
            ("size_decimals", 0, _PERPETUAL_DECIMALS),
            ("max_leverage", 1, _GREATEST_LEVERAGE),
        ):
            self._require(name, least <= getattr(self, name) <= most, f"between {least} and {most}")
        self._check_grid()
        self._check_moves()
        self._check_flow()

    def _check_moves(self) -> None:
        most = _FURTHEST_MOVE * self.start_price
        within = f"{most:g}, {_FURTHEST_MOVE} times the start price"
        self._require("sigma", self.sigma >= 0, "zero or more")
        self._require("sigma", self.sigma <= most, f"at most {within}")
        for name in ("drift", "imbalance_drift"):
            self._require(name, abs(getattr(self, name)) <= most, f"between -{most:g} and {within}")
        smallest = self.jump_minimum
        self._require("jump_minimum", smallest is None or smallest > 0, "positive or None")
        self._require("jump_minimum", self.smallest_jump <= most, f"at most {within}")

    def _check_grid(self) -> None:
        self._require(
            "tick",
            self.start_price * (1 + self.band) <= self.tick * MOST_TICKS
            and StepGrid(self.tick).decimals <= _PERPETUAL_DECIMALS - self.size_decimals,
            "coarse enough for 5 significant figures and 6 - size_decimals decimals",
        )
        lowest = FEWEST_TICKS * self.tick / (1 - self.band)
        self._require(
            "start_price",
            self.start_price >= lowest,
            f"at least {lowest:g}: {FEWEST_TICKS} ticks at the lower end of its band",
        )
        narrowest = self.tick / self.start_price
        self._require("band", self.band >= narrowest, f"at least {narrowest:g}: a tick of room")
        lots = self.level_size * 10**self.size_decimals
        self._require("level_size", lots >= 1, "at least one size step, 10**-size_decimals")
        self._require("level_size", lots <= _MOST_LOTS, f"at most {_MOST_LOTS:g} size steps")

    def _check_flow(self) -> None:
        for side in ("plus", "minus"):
            name, rate = f"lambda_{side}", getattr(self, f"lambda_{side}")
            self._require(name, rate >= 0, "zero or more")
            if rate == 0:
                continue
            reach = 1 / (getattr(self, f"kappa_{side}") * self.tick)
            least = 1 / (_FURTHEST_REACH * self.tick)
            self._require(
                f"kappa_{side}",
                reach <= _FURTHEST_REACH,
                f"at least {least:g}, or market orders walk {_FURTHEST_REACH} ticks",
            )
            most = _MOST_LEVELS / (1 + reach) / (self.block_ms / 1000)
            self._require(
                name, rate <= most, f"at most {most:g} with its block_ms, kappa_{side} and tick"
            )

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        value = getattr(self, name)
        if not holds or (isinstance(value, float) and not math.isfinite(value)):
            raise InputError(f"synthetic market: {name} = {value!r} must be {wanted}")

    @property
    def spec(self) -> CoinSpec:
        """The coin as the venue's ``meta`` describes it."""
        return CoinSpec(
            self.coin, self.size_decimals, self.max_leverage, self.tick, self.margin_mode
        )

    @property
    def smallest_jump(self) -> float:
        """Minimum of the Pareto distribution, quote currency."""
        return self.tick if self.jump_minimum is None else self.jump_minimum

    @property
    def mean_jump(self) -> float:
        """Mean of one Pareto jump, quote currency: u alpha / (alpha - 1)."""
        return self.smallest_jump * self.jump_alpha / (self.jump_alpha - 1)

    def truth(self) -> ObservableTruth:
        """Return the parameters as the published stream shows them.

        An order whose reach ends before the touch does not print. With S uniform between two
        ticks, it prints at rate lambda (1 - e^{-kappa tick}) / (kappa tick). The fill curve itself
        extrapolates to all orders, so lambda0 is lambda; epsilon is the mean move of S per order.
        """
        return ObservableTruth(
            lambda_plus=self.lambda_plus * self._share_that_prints(self.kappa_plus),
            lambda_minus=self.lambda_minus * self._share_that_prints(self.kappa_minus),
            lambda0_plus=self.lambda_plus,
            lambda0_minus=self.lambda_minus,
            kappa_plus=self.kappa_plus,
            kappa_minus=self.kappa_minus,
            epsilon_plus=self.jump_probability_plus * self.mean_jump,
            epsilon_minus=self.jump_probability_minus * self.mean_jump,
        )

    def beta(self, horizon_seconds: float) -> float:
        """Return the mid's expected move per unit of imbalance, quote currency.

        I keeps its sign with probability (1 + e^{-2 t / imbalance_seconds}) / 2 after t seconds; it
        turns between blocks.
        """
        if self.imbalance == 0:
            return 0.0
        block = self.block_ms / 1000
        kept = 1 - 2 * self.turning_probability
        blocks = round(horizon_seconds / block)
        return self.imbalance_drift * block * (1 - kept**blocks) / (1 - kept)

    @property
    def turning_probability(self) -> float:
        """Probability that the imbalance has turned from one block to the next."""
        return -math.expm1(-2 * self.block_ms / 1000 / self.imbalance_seconds) / 2

    def _share_that_prints(self, kappa: float) -> float:
        return -math.expm1(-kappa * self.tick) / (kappa * self.tick)

    @classmethod
    def for_coin(cls, coin: str, figures: CoinFigures | None = None) -> Self:
        """Return the default market at a coin's scale, from ``figures`` or the coin's known ones.

        Raises
        ------
        InputError
            If the coin has no known figures, or the given ones are not valid for a market.
        """
        scale = figures_of(coin) if figures is None else figures
        default = cls()
        if not 0 < scale.price < math.inf:
            raise InputError(
                f"synthetic market: start_price = {scale.price!r} must be a positive number"
            )
        tick = tick_of(scale.price * (1 + default.band), scale.size_decimals)
        length = scale.width * scale.price / default.start_price
        # USDC within a reach, as for ETH apart from the depth; a level is one tick of it.
        within = default.level_size * default.start_price / (default.tick * default.kappa_plus)
        kappa = default.kappa_plus / length
        level_size = scale.depth * within * tick * kappa / scale.price
        return cls(
            coin=coin,
            size_decimals=scale.size_decimals,
            max_leverage=scale.max_leverage,
            margin_mode=scale.margin_mode,
            tick=tick,
            start_price=scale.price,
            sigma=default.sigma * length,
            kappa_plus=kappa,
            kappa_minus=kappa,
            jump_minimum=0.2 * length,
            level_size=max(round(level_size, scale.size_decimals), 10.0**-scale.size_decimals),
        )
