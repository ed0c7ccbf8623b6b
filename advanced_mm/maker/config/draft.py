"""A new maker's file, from a few answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import yaml

from advanced_mm.maker.config.keys import ExchangeKind
from advanced_mm.maker.config.settings import MAKER_FILE_VERSION
from advanced_mm.policies import KINDS

__all__ = ["HEDGES", "Answers", "HedgeChoice", "file_text", "policy_words", "rounded"]

HedgeChoice = Literal["none", "active", "passive", "both"]
HEDGES: Final = get_args(HedgeChoice)

_BASIS_POINT: Final = 1e-4
_ORDERS_A_SIDE: Final = 10
"""How many orders of a unit the capital is good for, each way."""
_HEDGE_EXCHANGE: Final = "hyperliquid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a new maker is asked.

    Parameters
    ----------
    name
        The maker's name.
    kind, url
        Its exchange, and the address of a loopback venue; None: the real one.
    symbol
        ccxt's unified symbol.
    price
        What one costs now, about, quote currency: sizes follow from it.
    capital
        What it may use, quote currency; on spot half of it as base currency.
    policy
        One of `advanced_mm.policies.KINDS`.
    spread_bp
        Distance between bid and ask, bp.
    hedge, hedge_url
        How the inventory is hedged on Hyperliquid's perpetual, and that venue's address.
    max_daily_loss
        Share of the capital after whose loss in a day nothing is opened.
    """

    name: str
    kind: ExchangeKind
    symbol: str
    price: float
    capital: float
    policy: str
    spread_bp: float
    url: str | None = None
    hedge: HedgeChoice = "none"
    hedge_url: str | None = None
    max_daily_loss: float = 0.03

    @property
    def spot(self) -> bool:
        """Whether it trades a spot market."""
        return self.kind == "binance_spot"

    @property
    def neutral(self) -> float:
        """Inventory that counts as none, base currency: half of the capital on spot."""
        return rounded(self.capital / 2 / self.price) if self.spot else 0.0

    @property
    def most(self) -> float:
        """Farthest that the inventory may be from there, base currency."""
        return rounded(self.capital / 2 / self.price)


def rounded(number: float) -> float:
    """Return a number to three significant digits."""
    return float(f"{number:.3g}")


def policy_words() -> dict[str, str]:
    """Return what each kind of policy does, in a few words."""
    return {kind: _WORDS[kind] for kind in KINDS}


def file_text(answers: Answers) -> str:
    """Return the text of the maker's file."""
    market: dict[str, Any] = {
        "exchange": answers.kind,
        "symbol": answers.symbol,
        "policy": {"kind": answers.policy, **_policy(answers)},
        "limits": {
            "max_daily_loss": answers.max_daily_loss,
            "capital": answers.capital,
            "target_inventory": answers.neutral,
            "max_position_value": rounded(answers.most * answers.price),
            # Orders that are off by less keep their place in the queue, and save requests.
            "price_tolerance_bp": rounded(answers.spread_bp / 10),
        },
    }
    exchanges = {answers.kind: _exchange(answers.kind, answers.url, answers.capital)}
    if answers.hedge != "none":
        if answers.kind != _HEDGE_EXCHANGE:
            hedging = _exchange(_HEDGE_EXCHANGE, answers.hedge_url, answers.capital / 2)
            exchanges[_HEDGE_EXCHANGE] = hedging
        market["hedge"] = _hedge(answers)
    contents = {
        "version": MAKER_FILE_VERSION,
        "name": answers.name,
        "exchanges": exchanges,
        "markets": [market],
    }
    return (
        "# A maker's file, begun by scripts/init_maker.py. docs/maker.md explains each setting.\n"
        "# Keys never belong here: they are read from the environment.\n"
        + yaml.safe_dump(contents, sort_keys=False)
    )


def _exchange(kind: str, url: str | None, capital: float) -> dict[str, Any]:
    address = {} if url is None else {"url": url}
    return {"kind": kind, **address, "dry": {"capital": capital}}


def _policy(answers: Answers) -> dict[str, Any]:
    write = _WRITERS.get(answers.policy)
    return {} if write is None else write(answers)


def _bins(answers: Answers) -> dict[str, Any]:
    step = answers.spread_bp / 2
    reach = round(_ORDERS_A_SIDE * step * _BASIS_POINT, 6)
    block = {
        "bin_step": step,
        "price_up_pct_limit": reach,
        "price_down_pct_limit": reach,
        "init_iqv_ratio": 0.5,
    }
    # A perpetual has no balance to sell from: as much may be sold short as the capital would buy.
    return block if answers.spot else {**block, "perpetual_inventory": 2 * answers.most}


def _simple(answers: Answers) -> dict[str, Any]:
    spread = answers.spread_bp * _BASIS_POINT * answers.price
    return {
        "base_spread": rounded(spread),
        "risk_aversion": rounded(spread / 2 / answers.most),
        "base_size": rounded(answers.most / _ORDERS_A_SIDE),
        "max_inventory": answers.most,
        "target_inventory": answers.neutral,
    }


def _basis_points(answers: Answers) -> dict[str, Any]:
    return {
        "spread_bps": answers.spread_bp,
        "skew_factor": rounded(answers.spread_bp / 2 * _BASIS_POINT),
        "order_size": rounded(answers.most / _ORDERS_A_SIDE),
        "max_inventory": answers.most,
        "target_inventory": answers.neutral,
    }


def _units(answers: Answers) -> dict[str, Any]:
    return {
        "order_size": rounded(answers.most / _ORDERS_A_SIDE),
        "max_inventory": answers.most,
        "target_inventory": answers.neutral,
        "levels": 3,
    }


def _kappa(answers: Answers) -> float:
    """Return the decay of fills at which half the spread is the best depth, per quote currency."""
    return rounded(2 / (answers.spread_bp * _BASIS_POINT * answers.price))


def _cartea_jaimungal(answers: Answers) -> dict[str, Any]:
    kappa = _kappa(answers)
    return _units(answers) | {
        "lambda_plus": 0.2,
        "lambda_minus": 0.2,
        "kappa_plus": kappa,
        "kappa_minus": kappa,
        "risk_aversion": 0.01,
    }


def _avellaneda_stoikov(answers: Answers) -> dict[str, Any]:
    kappa = _kappa(answers)
    return _units(answers) | {
        "gamma": rounded(kappa / 100),
        "kappa": kappa,
        "horizon": "rolling",
        "horizon_seconds": 600,
    }


def _glft(answers: Answers) -> dict[str, Any]:
    kappa = _kappa(answers)
    return _units(answers) | {"gamma": rounded(kappa / 100), "kappa": kappa, "intensity": 0.2}


_WORDS: Final[Mapping[str, str]] = {
    "spot": "the same size at each distance: little to look after",
    "curve": "largest orders next to the mid: for calm markets",
    "bid_ask": "largest orders far from the mid: for volatile markets",
    "auto": "curve, spot or bid_ask, by the volatility",
    "cartea_jaimungal": "optimal depths with fees and adverse selection: for calibrated markets",
    "avellaneda_stoikov": "a spread around the price at which the inventory is welcome",
    "glft": "optimal depths for a long horizon, as a formula",
    "simple": "one order a side, moved against the inventory",
    "basis_points": "a fixed spread in basis points, moved against the inventory",
}
"""What each kind of policy does, for who chooses one."""

_WRITERS: Final[Mapping[str, Callable[[Answers], dict[str, Any]]]] = {
    "spot": _bins,
    "curve": _bins,
    "bid_ask": _bins,
    "auto": _bins,
    "simple": _simple,
    "basis_points": _basis_points,
    "cartea_jaimungal": _cartea_jaimungal,
    "avellaneda_stoikov": _avellaneda_stoikov,
    "glft": _glft,
}
"""Each kind's settings; one that is not here begins with its defaults."""


def _hedge(answers: Answers) -> dict[str, Any]:
    base = answers.symbol.partition("/")[0]
    block: dict[str, Any] = {
        "exchange": _HEDGE_EXCHANGE,
        "symbol": f"{base}/USDC:USDC",
        "ratio": 1.0,
        "init_iqv_ratio": 0.5,
    }
    if answers.hedge in ("active", "both"):
        block["active"] = {"active_hedge_iqv_ratio": 0.3, "dual_sided_hedge": False}
    if answers.hedge in ("passive", "both"):
        block["passive"] = {
            "passive_hedge_ratio": 0.03,
            "passive_hedge_sp_ratio": 0.015,
            "passive_hedge_proportion": 0.5,
            "passive_hedge_refresh_iqv_ratio": 0.1,
        }
    return block
