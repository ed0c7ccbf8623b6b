"""Money movements and account values over time, in Hyperliquid's wire format."""

from bisect import bisect_right
from collections.abc import Sequence

from advanced_mm.markets.units import micros_text
from advanced_mm.venue.engine.accounts import Account, Sample
from advanced_mm.venue.engine.money import MoneyMoved
from advanced_mm.venue.protocol.messages.order_messages import NO_HASH
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["ledger_entry", "portfolio", "spot_state"]

DAY_MS = 86_400_000
PERIODS_MS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS, "allTime": None}


def ledger_entry(moved: MoneyMoved) -> dict[str, Json]:
    """Return a ledger entry, as in ``userNonFundingLedgerUpdates``."""
    return {
        "time": moved.time_ms,
        "hash": NO_HASH,
        "delta": {"type": moved.kind, **_what_moved(moved)},
    }


def _what_moved(moved: MoneyMoved) -> dict[str, Json]:
    usdc, fee = {"usdc": micros_text(moved.micros)}, {"fee": micros_text(moved.fee)}
    between = {"user": moved.sender, "destination": moved.receiver}
    match moved.kind:
        case "deposit":
            return {**usdc}
        case "accountClassTransfer":
            return {**usdc, "toPerp": moved.to_perp}
        case "withdraw":
            return {**usdc, "nonce": moved.nonce, **fee}
        case "subAccountTransfer":
            return {**usdc, **between}
        case "internalTransfer":
            return {**usdc, **between, **fee}
        case "send":
            return {
                **between,
                "sourceDex": moved.source_dex,
                "destinationDex": moved.destination_dex,
                "token": "USDC",
                "amount": usdc["usdc"],
                "usdcValue": usdc["usdc"],
                **fee,
                "nativeTokenFee": "0.0",
                "nonce": moved.nonce,
                "feeToken": "",
            }


def spot_state(account: Account) -> dict[str, Json]:
    """Return an account's spot balances: USDC, if any."""
    if account.spot_usdc == 0:
        return {"balances": []}
    total = micros_text(account.spot_usdc)
    usdc = {"coin": "USDC", "token": 0, "total": total, "hold": "0.0", "entryNtl": "0.0"}
    return {"balances": [usdc]}


def portfolio(account: Account, now: Sample) -> list[Json]:
    """Return value and gain of the last day, week, month and all time: total, then perpetuals.

    ``now`` is the account's present value; past values are hourly.
    """
    past = [Sample(account.created_ms, _opening(account), 0, 0, 0), *account.samples]
    answer: list[Json] = []
    for perp in (False, True):
        for name, length_ms in PERIODS_MS.items():
            since_ms = past[0].time_ms if length_ms is None else now.time_ms - length_ms
            title = f"perp{name[0].upper()}{name[1:]}" if perp else name
            answer.append([title, _period(_within(past, since_ms), now, perp)])
    return answer


def _opening(account: Account) -> int:
    first = account.money[0] if account.money else None
    return first.micros if first is not None and first.kind == "deposit" else 0


def _within(past: Sequence[Sample], since_ms: int) -> Sequence[Sample]:
    """Return the samples since a time, preceded by the last one before it."""
    first = bisect_right(past, since_ms, key=lambda one: one.time_ms)
    return past[max(0, first - 1) :]


def _period(samples: Sequence[Sample], now: Sample, perp: bool) -> dict[str, Json]:
    first, shown = samples[0], [*samples, now]

    def values(one: Sample) -> int:
        return one.value if perp else one.value + one.spot

    return {
        "accountValueHistory": [[one.time_ms, micros_text(values(one))] for one in shown],
        "pnlHistory": [[one.time_ms, micros_text(one.gain - first.gain)] for one in shown],
        "vlm": micros_text(now.volume - first.volume),
    }
