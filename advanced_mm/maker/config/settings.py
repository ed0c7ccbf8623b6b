"""What a maker's file may say: frozen, validated, every field with its meaning."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from advanced_mm.hedging import HedgeSettings
from advanced_mm.maker.config.keys import ExchangeKind
from advanced_mm.maker.config.yaml_file import FieldPath
from advanced_mm.maker.dry import Fees
from advanced_mm.maker.limits import Limits
from advanced_mm.policies.volatility import VolatilitySettings

__all__ = [
    "MAKER_FILE_VERSION",
    "DrySettings",
    "ExchangeSettings",
    "MakerSettings",
    "MarketSettings",
    "PolicyBlock",
]

MAKER_FILE_VERSION: Final = 1
"""Raised when a setting changes its meaning or unit, or is no longer there."""

Problem = tuple[FieldPath, str]
"""Where something is wrong, and what, with the remedy; it follows on the field's value."""

_BASIS_POINT: Final = Decimal("0.0001")
_USUAL_FEES_BP: Final[Mapping[ExchangeKind, tuple[Decimal, Decimal]]] = {
    "binance_spot": (Decimal(10), Decimal(10)),
    "hyperliquid": (Decimal("1.5"), Decimal("4.5")),
}
"""Maker's and taker's of each exchange's lowest tier, bp."""
_SPOT_SYMBOL: Final = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
_PERPETUAL_SYMBOL: Final = re.compile(r"[A-Za-z0-9-]+/[A-Z0-9]+:[A-Z0-9]+")


def _address(value: str) -> str:
    if not re.fullmatch(r"(http|ws)s?://[^/\s]+\S*", value):
        raise ValueError("it should be an address such as http://127.0.0.1:8792")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", value):
        raise ValueError("it should be letters, digits, _ and -, at most 64, and no space")
    return value


Url = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(_name)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DrySettings(_Form):
    """The account that is made up without ``--live``."""

    capital: Decimal = Field(
        Decimal(1000),
        gt=0,
        description="what it begins with, quote currency; on spot half of it is held as base",
    )
    leverage: Decimal = Field(
        Decimal(5), gt=0, le=100, description="most value of positions, times the equity"
    )
    maker_fee_bp: Decimal | None = Field(
        None, ge=-100, le=100, description="bp of the value; null: the exchange's lowest tier"
    )
    taker_fee_bp: Decimal | None = Field(
        None, ge=-100, le=100, description="bp of the value; null: the exchange's lowest tier"
    )
    latency_ms: float = Field(50.0, ge=0, le=10_000, description="from a request to its effect, ms")

    def fees(self, kind: ExchangeKind) -> Fees:
        """Return the fees at an exchange of this kind, as fractions."""
        maker, taker = _USUAL_FEES_BP[kind]
        return Fees(
            (maker if self.maker_fee_bp is None else self.maker_fee_bp) * _BASIS_POINT,
            (taker if self.taker_fee_bp is None else self.taker_fee_bp) * _BASIS_POINT,
        )


class ExchangeSettings(_Form):
    """One exchange, with one account."""

    kind: ExchangeKind = Field(description="which one")
    url: Url | None = Field(
        None, description="address of a loopback venue; null: the exchange's own"
    )
    dry: DrySettings = Field(DrySettings(), description="the account without --live")


class PolicyBlock(BaseModel):
    """A policy's kind, and its settings beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(description="which policy quotes")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings without the kind."""
        return dict(self.model_extra or {})


class MarketSettings(_Form):
    """One market: what quotes it, within which limits, and what hedges it."""

    exchange: str = Field(description="name of one of the exchanges")
    symbol: str = Field(description="SUI/USDC on spot, SUI/USDC:USDC for a perpetual")
    policy: PolicyBlock = Field(description="what wants the ladder")
    volatility: VolatilitySettings = Field(
        VolatilitySettings(), description="how the volatility is measured"
    )
    limits: Limits = Field(Limits(), description="what is allowed, whatever the policy wants")
    hedge: HedgeSettings | None = Field(None, description="what hedges it; null: nothing")
    other_makers: bool = Field(
        False,
        description="whether makers of other names may trade there, and where it is hedged, with "
        "the same account; what each holds can then not be told apart",
    )

    @field_validator("volatility", "limits", mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        return {} if value is None else value


class MakerSettings(_Form):
    """A maker."""

    version: int = Field(
        MAKER_FILE_VERSION, ge=1, description="version of the file's form; a later one is refused"
    )
    name: Name = Field(description="the maker's name, in the journal and in its orders' ids")
    exchanges: dict[Name, ExchangeSettings] = Field(
        min_length=1, description="exchanges by a name of your choice"
    )
    markets: list[MarketSettings] = Field(min_length=1, description="the markets it quotes")
    journal: Path | None = Field(
        None,
        description="folder of its journal, with _dry behind its name without --live; null: "
        "user_data/journal/NAME",
    )
    kill_file: Path | None = Field(
        None,
        description="when this file appears, all orders are withdrawn and the maker ends; null: "
        "user_data/makers/NAME.stop",
    )

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port of 127.0.0.1 at which metrics are offered to Prometheus; null: none",
    )

    def journal_in(self, *, live: bool) -> Path:
        """Return where events are written; those of dry runs lie beside the real ones."""
        folder = self.journal or Path("user_data") / "journal" / self.name
        return folder if live else folder.with_name(f"{folder.name}_dry")

    @property
    def kill_path(self) -> Path:
        """The file whose presence withdraws all orders."""
        return self.kill_file or Path("user_data") / "makers" / f"{self.name}.stop"

    def problems(self) -> list[Problem]:
        """Return where parts contradict each other, as (path, what is wrong and the remedy)."""
        found: list[Problem] = []
        seen: dict[tuple[str, str], int] = {}
        for number, market in enumerate(self.markets):
            at = ("markets", number)
            found += self._place(at, market.exchange, market.symbol)
            first = seen.setdefault((market.exchange, market.symbol), number)
            if first != number:
                found.append(((*at, "symbol"), f"is markets[{first}] once more: remove one"))
            if market.hedge is not None:
                found += self._place((*at, "hedge"), market.hedge.exchange, market.hedge.symbol)
        return found + self._shared_accounts()

    def _place(self, at: FieldPath, exchange: str, symbol: str) -> list[Problem]:
        settings = self.exchanges.get(exchange)
        if settings is None:
            known = ", ".join(self.exchanges)
            return [((*at, "exchange"), f"is none of the exchanges: use one of {known}")]
        form, example = (
            (_SPOT_SYMBOL, "SUI/USDC")
            if settings.kind == "binance_spot"
            else (_PERPETUAL_SYMBOL, "SUI/USDC:USDC")
        )
        if form.fullmatch(symbol):
            return []
        return [((*at, "symbol"), f"is no market of {settings.kind}: write it like {example}")]

    def _shared_accounts(self) -> list[Problem]:
        seen: dict[tuple[str, str | None], str] = {}
        found: list[Problem] = []
        for name, one in self.exchanges.items():
            first = seen.setdefault((one.kind, one.url), name)
            if first != name:
                found.append((("exchanges", name), f"is {first} once more: they share one account"))
        return found
