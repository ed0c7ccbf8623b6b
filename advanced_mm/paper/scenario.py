"""Scenario files: markets, what happens to them, accounts, rules, limits and faults, in YAML.

All times are seconds after the venue begins to listen. What happens to a market (regimes, gaps)
comes at its time to the block; faults begin by the computer's clock. Examples with comments are in
``tests/scenarios``.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from advanced_mm.errors import InputError
from advanced_mm.paper.candles import MINUTE_MS
from advanced_mm.paper.exchange.accounts import Accounts
from advanced_mm.paper.exchange.rules import Rules
from advanced_mm.paper.exchange.units import MICROS_PER_USDC
from advanced_mm.paper.faults import Fault
from advanced_mm.paper.gaps import Gap
from advanced_mm.paper.gate import TimedFault
from advanced_mm.paper.limits import LimitSwitches
from advanced_mm.paper.opening import MAX_HISTORY_MINUTES, replay_past_ms
from advanced_mm.paper.recipes import MarketRecipe, coin_seed
from advanced_mm.paper.synthetic import SyntheticParameters
from advanced_mm.paper.synthetic_regimes import Regime

__all__ = ["AccountPlan", "Scenario", "SubAccountPlan", "load_scenario", "open_accounts"]

Address = Annotated[
    str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{40}$", to_lower=True, strict=True)
]
CoinName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$")]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FlowSettings(_Form):
    """Parameters of the synthetic market that may change; what is left out stays as it is."""

    sigma: float | None = None
    drift: float | None = None
    lambda_plus: float | None = None
    lambda_minus: float | None = None
    kappa_plus: float | None = None
    kappa_minus: float | None = None
    jump_probability_plus: float | None = None
    jump_probability_minus: float | None = None
    jump_alpha: float | None = None
    jump_minimum: float | None = None
    level_size: float | None = None

    def on(self, base: SyntheticParameters) -> SyntheticParameters:
        """These settings in place of those of ``base``."""
        return replace(base, **self.model_dump(exclude_unset=True, exclude=_NOT_PARAMETERS))


_NOT_PARAMETERS = {"at_seconds", "for_seconds"}


class SyntheticSettings(FlowSettings):
    """A synthetic market; what is left out is the default of the coin."""

    size_decimals: int | None = None
    max_leverage: int | None = None
    tick: float | None = None
    start_price: float | None = None
    band: float | None = None
    block_ms: int | None = None


class RegimeSettings(FlowSettings):
    """Other parameters from ``at_seconds`` on, for ``for_seconds`` or until the next regime."""

    at_seconds: float = Field(ge=0)
    for_seconds: float | None = Field(default=None, gt=0)


class GapSettings(_Form):
    """A jump of the price by ``percent``."""

    at_seconds: float = Field(gt=0)
    percent: float = Field(gt=-100, le=100)


class MarketSettings(_Form):
    """One coin: synthetic (the default) or the recording in the folder ``replay``."""

    coin: CoinName
    synthetic: SyntheticSettings | None = None
    replay: Path | None = None
    seed: int | None = Field(default=None, ge=0)
    regimes: tuple[RegimeSettings, ...] = ()
    gaps: tuple[GapSettings, ...] = ()

    @field_validator("replay")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        folder = (info.context or {}).get("folder", Path())
        return None if value is None else Path(folder) / value

    @model_validator(mode="after")
    def _one_market(self) -> "MarketSettings":
        if self.replay is not None and (self.synthetic is not None or self.regimes):
            raise ValueError(
                "a replay has neither synthetic parameters nor regimes: leave them out"
            )
        return self


class SubAccountPlan(_Form):
    """A sub-account and the play money it begins with, USDC."""

    name: str
    play_money: Decimal = Field(default=Decimal(0), ge=0)


class AccountPlan(_Form):
    """An account that exists from the start; ``play_money`` in USDC, None: as the rules say."""

    address: Address
    play_money: Decimal | None = Field(default=None, ge=0)
    sub_accounts: tuple[SubAccountPlan, ...] = ()


class LimitSettings(_Form):
    """Which rate limits hold."""

    rest: bool = True
    websocket: bool = True
    address: bool = True


class FaultTime(_Form):
    """A fault and when it begins; its own fields stand beside ``at_seconds``."""

    at_seconds: float = Field(ge=0)
    fault: Fault


def _split_time(value: Any) -> Any:
    """``{at_seconds, kind, …}`` as the time and the fault."""
    if not isinstance(value, Mapping) or "fault" in value:
        return value
    fault = {name: one for name, one in value.items() if name != "at_seconds"}
    return {"at_seconds": value.get("at_seconds", 0), "fault": fault}


def _switches(value: Any) -> Any:
    return dict.fromkeys(LimitSettings.model_fields, value) if isinstance(value, bool) else value


class Scenario(_Form):
    """The content of a scenario file."""

    about: str = ""
    seed: int = Field(default=1, ge=0)
    history_minutes: float = Field(default=30.0, ge=0, le=MAX_HISTORY_MINUTES)
    markets: tuple[MarketSettings, ...] = Field(min_length=1)
    rules: Rules = Rules()
    limits: Annotated[LimitSettings, BeforeValidator(_switches)] = LimitSettings()
    accounts: tuple[AccountPlan, ...] = ()
    faults: tuple[Annotated[FaultTime, BeforeValidator(_split_time)], ...] = ()

    @model_validator(mode="after")
    def _coins_once(self) -> "Scenario":
        coins = [market.coin for market in self.markets]
        doubled = {coin for coin in coins if coins.count(coin) > 1}
        if doubled:
            raise ValueError(f"coin {min(doubled)} has two markets: leave one out")
        return self

    @property
    def switches(self) -> LimitSwitches:
        """Which limits hold."""
        return LimitSwitches(**self.limits.model_dump())

    @property
    def schedule(self) -> tuple[TimedFault, ...]:
        """The faults with their times."""
        return tuple(TimedFault(one.at_seconds, one.fault) for one in self.faults)

    def recipes(self, now_ms: int) -> tuple[MarketRecipe, ...]:
        """The markets, for a venue that begins to listen at ``now_ms`` (exchange ms).

        Raises
        ------
        InputError
            If parameters do not fit together or a recording cannot be used.
        """
        return tuple(
            self._recipe(number, market, now_ms) for number, market in enumerate(self.markets)
        )

    def _recipe(self, number: int, market: MarketSettings, now_ms: int) -> MarketRecipe:
        past_ms = int(self.history_minutes * MINUTE_MS)
        if market.replay is not None:
            past_ms = min(past_ms, replay_past_ms(market.replay, market.coin))
        seed = coin_seed(self.seed, number, market.coin) if market.seed is None else market.seed
        gaps = tuple(Gap(now_ms + round(1000 * g.at_seconds), g.percent) for g in market.gaps)
        recipe = MarketRecipe(
            coin=market.coin, seed=seed, start_ms=now_ms - past_ms, replay=market.replay,
            synthetic=None if market.replay else SyntheticParameters.for_coin(market.coin),
            gaps=gaps,
        )  # fmt: skip
        if recipe.synthetic is None:
            return recipe
        base = (market.synthetic or SyntheticSettings()).on(recipe.synthetic)
        return replace(recipe, synthetic=base, regimes=_regimes(market.regimes, base, past_ms))


def _regimes(
    settings: tuple[RegimeSettings, ...], base: SyntheticParameters, past_ms: int
) -> tuple[Regime, ...]:
    """The regimes in time order; the first parameters come back where one ends by itself."""

    def block_ms(seconds: float) -> int:
        return round((past_ms + 1000 * seconds) / base.block_ms) * base.block_ms

    begins = {block_ms(one.at_seconds): one.on(base) for one in settings}
    if len(begins) < len(settings):
        raise InputError(f"market {base.coin}: two regimes begin at the same time")
    ends = {
        block_ms(one.at_seconds + one.for_seconds): base
        for one in settings
        if one.for_seconds is not None
    }
    return tuple(Regime(ms, market) for ms, market in sorted((ends | begins).items()))


def open_accounts(plans: tuple[AccountPlan, ...], accounts: Accounts) -> None:
    """Open the accounts of a scenario."""
    for plan in plans:
        money = None if plan.play_money is None else int(plan.play_money * MICROS_PER_USDC)
        accounts.open(plan.address, money)
        for sub in plan.sub_accounts:
            address = accounts.add_sub(plan.address, sub.name)
            accounts.open(address).usdc = int(sub.play_money * MICROS_PER_USDC)


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which no key may appear twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; a relative ``replay`` folder is looked for beside the file.

    Raises
    ------
    InputError
        If it cannot be read or is wrong somewhere; the message names the field and its value.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        raise InputError(f"scenario {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"scenario {path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"scenario {path} must be a mapping with at least `markets`")
    try:
        scenario = Scenario.model_validate(content, context={"folder": path.parent})
        scenario.recipes(10**12)  # parameters that do not fit together show only here
    except ValidationError as error:
        raise InputError(f"scenario {path}: {_first_error(error)}") from None
    except InputError as error:
        raise InputError(f"scenario {path}: {error}") from None
    return scenario


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"{field} is unknown: look at tests/scenarios for the fields there are"
    if first["type"] == "missing":
        return f"{field} is missing"
    return f"{field} = {first['input']!r}: {first['msg']}"
