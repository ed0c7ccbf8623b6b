"""Scenario files in YAML: markets and their events, accounts, rules, limits and faults.

All times are seconds after the venue starts listening. Market events (regimes, gaps) take effect in
the exact block; faults begin by the computer's clock. ``tests/scenarios`` has commented examples.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
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
from advanced_mm.instruments import is_coin_name
from advanced_mm.markets.candles import MINUTE_MS
from advanced_mm.markets.coin_figures import KNOWN_COINS, CoinFigures, margin_mode_of
from advanced_mm.markets.listing import MAIN_DEX, Listing
from advanced_mm.markets.price_gaps import Gap, GapMarket, after_gap
from advanced_mm.markets.recipes import MarketRecipe, coin_seed
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime
from advanced_mm.markets.units import MICROS_PER_USDC
from advanced_mm.venue.conditions.faults import DelistedCoin, Fault, HaltedCoin
from advanced_mm.venue.conditions.gateway import TimedFault
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import MAX_HISTORY_MINUTES, replay_past_ms
from advanced_mm.venue.engine.accounts import Account, Accounts
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.client_json import shortened

__all__ = [
    "AccountPlan",
    "Scenario",
    "SubAccountPlan",
    "check_dexs",
    "load_scenario",
    "open_accounts",
]

Address = Annotated[
    str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{40}$", to_lower=True, strict=True)
]
MOST_MONEY = 10**12  # USDC
Money = Annotated[Decimal, Field(ge=0, le=MOST_MONEY)]


def _coin_name(value: str) -> str:
    if not is_coin_name(value):
        raise ValueError("must be a coin name like ETH, kPEPE or xyz:XYZ100")
    return value


CoinName = Annotated[str, AfterValidator(_coin_name)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FlowSettings(_Form):
    """Parameters of the synthetic market that may change; omitted ones keep their value."""

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
    imbalance: float | None = None
    imbalance_seconds: float | None = None
    imbalance_drift: float | None = None

    @field_validator("*")
    @classmethod
    def _given(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name not in _MAY_BE_EMPTY:
            raise ValueError("must be a number; give one or omit the field")
        return value

    def on(self, base: SyntheticParameters) -> SyntheticParameters:
        """Return ``base`` with these settings applied."""
        return replace(base, **self.model_dump(exclude_unset=True, exclude=_NOT_PARAMETERS))


_NOT_PARAMETERS = {"at_seconds", "for_seconds"}
_MAY_BE_EMPTY = {"jump_minimum", "for_seconds"}  # empty: one tick; until the next regime


class SyntheticSettings(FlowSettings):
    """A synthetic market; omitted fields take the coin's defaults.

    A coin without known figures needs start_price, size_decimals and max_leverage; its order flow
    is scaled to them.
    """

    size_decimals: int | None = None
    max_leverage: int | None = None
    tick: float | None = None
    start_price: float | None = None
    band: float | None = None
    block_ms: int | None = None


class RegimeSettings(FlowSettings):
    """Parameters that hold from ``at_seconds`` on, for ``for_seconds`` or until the next regime."""

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
                "replay cannot be combined with synthetic parameters or regimes: omit them"
            )
        return self


class _Purse(_Form):
    """Money at builder-deployed exchanges, USDC by exchange name, or DEX abstraction."""

    dex_money: dict[str, Money] = {}
    dex_abstraction: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "_Purse":
        if self.dex_abstraction and self.dex_money:
            raise ValueError(
                "dex_money cannot be combined with dex_abstraction, which keeps all money at the "
                "main exchange: omit one of them"
            )
        return self

    def fill(self, account: Account) -> None:
        """Apply these settings to a new account."""
        for dex, money in self.dex_money.items():
            account.deposit(dex, int(money * MICROS_PER_USDC))
        if self.dex_abstraction is not None or self.dex_money:
            account.dex_abstraction = self.dex_abstraction


class SubAccountPlan(_Purse):
    """A sub-account and its initial play money, USDC."""

    name: str
    play_money: Money = Decimal(0)


class AccountPlan(_Purse):
    """An account that exists from the start; ``play_money`` in USDC, None for the rules' amount."""

    address: Address
    play_money: Money | None = None
    sub_accounts: tuple[SubAccountPlan, ...] = ()


class LimitSettings(_Form):
    """Which rate limits are enforced."""

    rest: bool = True
    websocket: bool = True
    address: bool = True


class FaultTime(_Form):
    """A fault and its start time; in the file, the fault's fields are beside ``at_seconds``."""

    at_seconds: float = Field(ge=0)
    fault: Fault


def _split_time(value: Any) -> Any:
    """Split ``{at_seconds, kind, …}`` into the time and the fault."""
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
    def _no_duplicates(self) -> "Scenario":
        if doubled := _doubled(market.coin for market in self.markets):
            raise ValueError(f"coin {doubled} has two markets: remove one")
        if doubled := _doubled(account.address for account in self.accounts):
            raise ValueError(f"account {doubled} is listed twice: remove one")
        return self

    @model_validator(mode="after")
    def _coins_of_faults(self) -> "Scenario":
        coins = [market.coin for market in self.markets]
        for number, one in enumerate(self.faults):
            if isinstance(one.fault, HaltedCoin | DelistedCoin) and one.fault.coin not in coins:
                raise ValueError(
                    f"faults.{number}.coin = {one.fault.coin!r} has no market: give one of "
                    f"{', '.join(coins)}"
                )
        return self

    @model_validator(mode="after")
    def _dexs_of_accounts(self) -> "Scenario":
        for number, account in enumerate(self.accounts):
            with _of_field(f"accounts.{number}"):
                check_dexs(account, Listing(market.coin for market in self.markets))
        return self

    @property
    def switches(self) -> LimitSwitches:
        """Which limits are enforced."""
        return LimitSwitches(**self.limits.model_dump())

    @property
    def schedule(self) -> tuple[TimedFault, ...]:
        """The faults with their times."""
        return tuple(TimedFault(one.at_seconds, one.fault) for one in self.faults)

    def recipes(self, now_ms: int) -> tuple[MarketRecipe, ...]:
        """Return the markets for a venue that starts listening at ``now_ms`` (exchange ms).

        Raises
        ------
        InputError
            If parameters are inconsistent or a recording cannot be used.
        """
        recipes = []
        for number, market in enumerate(self.markets):
            with _of_field(f"markets.{number}"):
                recipes.append(self._recipe(number, market, now_ms))
        return tuple(recipes)

    def check(self) -> None:
        """Check that values valid by themselves are also consistent.

        Raises
        ------
        InputError
            If they are not.
        """
        if self.rules.play_money > MOST_MONEY:
            raise InputError(
                f"rules.play_money is {self.rules.play_money}, must not exceed {MOST_MONEY}"
            )
        for number, recipe in enumerate(self.recipes(10**12)):
            gaps = self.markets[number].gaps
            with _of_field(f"markets.{number}"):
                if recipe.synthetic is not None:
                    self._check_leverage(recipe.synthetic)
                if gaps or recipe.regimes:
                    _check_gaps(recipe.make(), gaps)

    def _check_leverage(self, market: SyntheticParameters) -> None:
        share, leverage = self.rules.maintenance_share, market.max_leverage
        if share >= leverage:
            raise InputError(
                f"max_leverage = {leverage} with rules.maintenance_share = {share} leaves no room "
                "between a position's initial and maintenance margin: raise max_leverage or lower "
                "maintenance_share"
            )

    def _recipe(self, number: int, market: MarketSettings, now_ms: int) -> MarketRecipe:
        past_ms = int(self.history_minutes * MINUTE_MS)
        if market.replay is not None:
            past_ms = min(past_ms, replay_past_ms(market.replay, market.coin))
        seed = coin_seed(self.seed, number, market.coin) if market.seed is None else market.seed
        gaps = tuple(Gap(now_ms + round(1000 * g.at_seconds), g.percent) for g in market.gaps)
        recipe = MarketRecipe(
            coin=market.coin, seed=seed, start_ms=now_ms - past_ms, replay=market.replay,
            synthetic=None if market.replay else _synthetic(market), gaps=gaps,
        )  # fmt: skip
        if recipe.synthetic is None:
            return recipe
        regimes = _regimes(market.regimes, recipe.synthetic, past_ms)
        return replace(recipe, regimes=regimes)


def _synthetic(market: MarketSettings) -> SyntheticParameters:
    """Return a market's parameters: the coin's, known or given, with the settings applied."""
    settings, figures = market.synthetic or SyntheticSettings(), None
    price, decimals = settings.start_price, settings.size_decimals
    leverage = settings.max_leverage
    if (
        market.coin not in KNOWN_COINS
        and price is not None
        and decimals is not None
        and leverage is not None
    ):
        figures = CoinFigures(
            price=price,
            size_decimals=decimals,
            max_leverage=leverage,
            margin_mode=margin_mode_of(market.coin),
        )
    return settings.on(SyntheticParameters.for_coin(market.coin, figures))


def _doubled(names: Iterable[str]) -> str | None:
    """Return the first name that occurs twice, None if all are distinct."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


@contextmanager
def _of_field(name: str) -> Iterator[None]:
    """Prefix the message of an InputError with the name of the field."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _check_gaps(market: GapMarket, gaps: tuple[GapSettings, ...]) -> None:
    """Check that the tick fits after each gap, if nothing else moved the price (InputError)."""
    price = market.mid
    for number, gap in sorted(enumerate(gaps), key=lambda one: one[1].at_seconds):
        with _of_field(f"gaps.{number}.percent = {gap.percent:g}"):
            price = after_gap(market.spec, price, gap.percent)


def _regimes(
    settings: tuple[RegimeSettings, ...], base: SyntheticParameters, past_ms: int
) -> tuple[Regime, ...]:
    """Return the regimes in time order; after one with ``for_seconds``, ``base`` holds again."""

    def block_ms(seconds: float) -> int:
        return round((past_ms + 1000 * seconds) / base.block_ms) * base.block_ms

    begins: dict[int, SyntheticParameters] = {}
    for number, one in enumerate(settings):
        with _of_field(f"regimes.{number}"):
            begins[block_ms(one.at_seconds)] = one.on(base)
    if len(begins) < len(settings):
        raise InputError(f"market {base.coin}: two regimes begin at the same time: move one")
    ends = {
        block_ms(one.at_seconds + one.for_seconds): base
        for one in settings
        if one.for_seconds is not None
    }
    return tuple(Regime(ms, market) for ms, market in sorted((ends | begins).items()))


def check_dexs(plan: AccountPlan, listing: Listing) -> None:
    """Check that money is only given at exchanges of this venue.

    Raises
    ------
    InputError
        If ``dex_money`` names another one.
    """
    for one in (plan, *plan.sub_accounts):
        for dex in one.dex_money:
            if dex not in listing.dexs[1:]:
                known = ", ".join(listing.dexs[1:]) or "none"
                raise InputError(
                    f"dex_money: {dex!r} is not a builder-deployed exchange of this venue "
                    f"(it has: {known})"
                )


def open_accounts(plans: tuple[AccountPlan, ...], accounts: Accounts) -> None:
    """Open the accounts of a scenario."""
    for plan in plans:
        money = None if plan.play_money is None else int(plan.play_money * MICROS_PER_USDC)
        is_new = accounts.existing(plan.address) is None
        account = accounts.open(plan.address, money)
        if is_new:
            plan.fill(account)
        for sub in plan.sub_accounts:
            account = accounts.open(accounts.add_sub(plan.address, sub.name))
            account.deposit(MAIN_DEX, int(sub.play_money * MICROS_PER_USDC))
            sub.fill(account)


class _UniqueKeys(yaml.SafeLoader):
    """A YAML loader that refuses keys that are not words, and duplicates, which YAML would drop."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            complaint = None
            if not isinstance(key, str):
                complaint = f"{key!r} is not a field name: write a word"
            elif key in seen:
                complaint = f"{key!r} is given twice: remove one"
            if complaint is not None:
                raise yaml.constructor.ConstructorError(None, None, complaint, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_NO_VALUES = (ValueError, LookupError, TypeError, AttributeError)
"""Errors of the YAML library for impossible dates, numbers without a digit and the like."""


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; a relative ``replay`` folder is relative to the file's folder.

    Raises
    ------
    InputError
        If it cannot be read or is invalid; the message names the field and its value.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        raise InputError(f"scenario {path} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"scenario {path} is not valid YAML: it is nested too deeply") from None
    except (yaml.YAMLError, *_NO_VALUES) as error:
        reason = " ".join(str(error).split())
        if not isinstance(error, yaml.YAMLError | UnicodeDecodeError):
            reason = f"it has a value that cannot be read ({reason})"
        raise InputError(f"scenario {path} is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise InputError(f"scenario {path} must be a mapping with at least `markets`")
    try:
        scenario = Scenario.model_validate(content, context={"folder": path.parent})
        scenario.check()
    except ValidationError as error:
        raise InputError(f"scenario {path}: {_first_error(error)}") from None
    except InputError as error:
        raise InputError(f"scenario {path}: {error}") from None
    return scenario


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"{field} is not a known field: see tests/scenarios for examples"
    if first["type"] == "missing":
        return f"{field} is missing"
    if first["type"] == "value_error" and isinstance(first["input"], Mapping):
        reason = str(first["ctx"]["error"])  # it names the inconsistent fields
        return f"{field}: {reason}" if first["loc"] else reason
    return f"{field} = {shortened(repr(first['input']))}: {first['msg']}"
