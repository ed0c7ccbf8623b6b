"""An account's trading statistics, including queueing costs that no client can observe."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from advanced_mm.markets.units import MICROS_PER_USDC, CoinUnits
from advanced_mm.venue.engine.accounts import Account
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import Fill, OrderStatus

__all__ = ["trading_record"]

POST_ONLY = "Post only order would have immediately matched"


def trading_record(exchange: Exchange, account: Account) -> dict[str, Any]:
    """Summarize an account's money, orders and queue positions; USDC, base units and ms.

    Order counts cover the account's whole life. Figures about fills cover the last 10 000 fills,
    and the count of part-filled cancelled orders the last 2000 orders.
    """
    fills = list(account.fills)
    units = {coin: book.units for coin, book in exchange.books.items()}
    return {
        "address": account.address,
        "money": _money(exchange, account, fills),
        "orders": _orders(account),
        "queue": _queue(fills, units, _sizes(account)),
        "requests_used": account.requests_used,
        "requests_allowed": 10_000 + account.volume // MICROS_PER_USDC,
    }


def _money(exchange: Exchange, account: Account, fills: Sequence[Fill]) -> dict[str, Any]:
    margin = exchange.margin
    open_pnl = sum(one.unrealized(margin.mark(one.coin)) for one in account.positions.values())
    makers = [fill for fill in fills if not fill.crossed]
    takers = [fill for fill in fills if fill.crossed]
    return {
        "value": margin.value(account) / MICROS_PER_USDC,
        "volume": account.volume / MICROS_PER_USDC,
        "realised": sum(fill.closed_pnl for fill in fills) / MICROS_PER_USDC,
        "open": open_pnl / MICROS_PER_USDC,
        "funding": sum(payment.usdc for payment in account.funding) / MICROS_PER_USDC,
        "maker_fees": sum(fill.fee for fill in makers) / MICROS_PER_USDC,
        "taker_fees": sum(fill.fee for fill in takers) / MICROS_PER_USDC,
        "maker_fills": len(makers),
        "taker_fills": len(takers),
        "positions": {
            coin: exchange.books[coin].units.size(position.lots)
            for coin, position in account.positions.items()
        },
    }


def _orders(account: Account) -> dict[str, Any]:
    """Count orders; all but the part-filled count cover the account's whole life."""
    ended, refused = account.ended_counts, dict(account.refused)
    taken_in = sum(count for status, count in ended.items() if not status.refused)
    known = [one for one in account.history() if one.status is OrderStatus.CANCELED]
    return {
        "placed": len(account.orders) + taken_in,
        "filled": ended[OrderStatus.FILLED],
        "cancelled": ended[OrderStatus.CANCELED],
        "cancelled_partly_filled": sum(order.filled > 0 for order in known),
        "post_only_refused": refused.pop(POST_ONLY, 0),
        "otherwise_refused": refused,
    }


def _queue(
    fills: Sequence[Fill], units: dict[str, CoinUnits], sizes: dict[int, int]
) -> dict[str, Any]:
    """Summarize maker fills: waiting time, size ahead, share of partial fills."""
    makers = [fill for fill in fills if not fill.crossed]
    if not makers:
        return {}
    ahead = [units[fill.coin].size(1) * fill.ahead_at_start for fill in makers]
    partial = [fill.lots < sizes.get(fill.oid, fill.lots) for fill in makers]
    return {
        "waited_median_ms": median(fill.waited_ms for fill in makers),
        "waited_longest_ms": max(fill.waited_ms for fill in makers),
        "ahead_median": median(ahead),
        "ahead_most": max(ahead),
        "alone_share": sum(size == 0 for size in ahead) / len(makers),
        "partial_share": sum(partial) / len(makers),
    }


def _sizes(account: Account) -> dict[int, int]:
    return {order.oid: order.request.lots for order in account.history()}
