"""A live bot's account at the venue: its money, its requests, and who else uses it."""

from collections.abc import Iterator
from typing import Any, Final

from advanced_mm.doctor.keys import Keys
from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.patient import Patient
from advanced_mm.doctor.venue import Venue
from advanced_mm.errors import VenueError
from advanced_mm.quoting.exchange.reserved_requests import RESERVED_REQUESTS
from advanced_mm.quoting.legs import account_of_leg

__all__ = ["account_capital", "examine_account"]

_FEW: Final = 2000
"""With fewer actions left the tolerance of quotes is widened much."""
_TRADE: Final = "each USDC traded adds one; a higher requote_loss_percent spends fewer"


def account_capital(patient: Patient, keys: Keys, venue: Venue) -> float | None:
    """Return what the account has for trading, USDC, as Freqtrade will count it.

    Raises
    ------
    VenueError
        It does not answer.
    """
    if keys.account is None:
        return None
    state = venue.ask("clearinghouseState", user=keys.account)
    try:
        value = float(state["marginSummary"]["accountValue"])
    except (TypeError, LookupError, ValueError):
        raise VenueError("the venue's answer has no account value") from None
    limit = patient.config.get("available_capital")
    usable = value * float(patient.config.get("tradable_balance_ratio", 0.99))
    return usable if limit is None else min(float(limit), usable)


def examine_account(patient: Patient, keys: Keys, coins: list[str], venue: Venue) -> Iterator[Line]:
    """Check the requests that are left, and whether another bot trades on the same address.

    Raises
    ------
    VenueError
        It does not answer.
    """
    if keys.account is None:
        return
    limit = venue.ask("userRateLimit", user=keys.account)
    try:
        used, cap = int(limit["nRequestsUsed"]), int(limit["nRequestsCap"])
    except (TypeError, LookupError, ValueError):
        raise VenueError("the venue's answer has no requests") from None
    text = f"{cap - used} of {cap} left"
    if cap - used < RESERVED_REQUESTS:
        yield fault("requests", f"{text}, all kept for closing: nothing is opened", _TRADE)
    elif cap - used < _FEW:
        yield warning("requests", text, _TRADE)
    else:
        yield ok("requests", text)
    yield from _others(patient, keys, coins, venue)


def _others(patient: Patient, keys: Keys, coins: list[str], venue: Venue) -> Iterator[Line]:
    leg = patient.settings.leg
    if leg is not None:
        other = account_of_leg(patient.parameter_folder, "short" if leg == "long" else "long")
        if other is not None and other.lower() == keys.account:
            yield fault(
                "two bots",
                "both legs trade from one account, where their positions net",
                "give each an account or sub-account of its own",
            )
            return
    orders = venue.ask("frontendOpenOrders", user=keys.account)
    state = venue.ask("clearinghouseState", user=keys.account)
    foreign = sorted({*_coins_of(orders), *_held(state)} - set(coins))
    if foreign:
        yield warning(
            "two bots",
            f"the account has orders or positions in {', '.join(foreign)}, which this bot does "
            "not trade: two bots on one address share its requests and its money",
            "give each bot a sub-account, or close them on the venue's page",
        )
    else:
        yield ok("two bots", "the account has nothing in other coins")


def _coins_of(orders: Any) -> set[str]:
    rows = orders if isinstance(orders, list) else []
    return {str(row["coin"]) for row in rows if isinstance(row, dict) and "coin" in row}


def _held(state: Any) -> set[str]:
    rows = state.get("assetPositions", []) if isinstance(state, dict) else []
    return _coins_of([row.get("position") for row in rows if isinstance(row, dict)])
