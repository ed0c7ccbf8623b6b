"""A live session as reported by the venue: money, queues, orders, requests."""

from typing import Any

from rich.table import Table

from advanced_mm.session.bots import BotLook
from advanced_mm.session.budget_log import BudgetLog

__all__ = ["trading_line", "trading_table"]

_DASH = "–"
_WIDE = ("", "realised", "fees", "open", "fills", "waited", "ahead", "orders", "requests")
_NARROW = ("", "realised", "open", "fills", "waited", "ahead", "orders", "requests")


def trading_table(bots: tuple[BotLook, ...], budget: BudgetLog, wide: bool = True) -> Table:
    """Return a table with one row per bot.

    Realised and open profit and fees are the venue's (USDC, maker + taker fees). Fills are maker +
    taker, with the share filled in parts. Waited and ahead are medians: how long a filled order had
    rested, and the size ahead of it when it was placed (base currency), with the share that had
    none. Orders: filled, cancelled, refused as post-only. Requests: used of those allowed to the
    address. A table that is not ``wide`` leaves out the fees and what stands in brackets.
    """
    weight = _DASH if budget.weight is None else f"{budget.weight} of 1200"
    actions = budget.actions_a_minute
    rate = "" if actions is None else f" and {actions:.1f} actions"
    title = f"at the venue · REST weight {weight}{rate} a minute"
    table = Table(
        expand=True, box=None, pad_edge=False, title=title, title_justify="left",
        title_style="bold", padding=(0, 1, 0, 0),
    )  # fmt: skip
    columns = _WIDE if wide else _NARROW
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for bot in bots:
        cells = _cells(bot.record, wide) if bot.record else {}
        table.add_row(bot.name, *(cells.get(name, _DASH) for name in columns[1:]))
    return table


def trading_line(bots: tuple[BotLook, ...], budget: BudgetLog) -> str:
    """Return a one-line summary of all bots."""
    money = [bot.record["money"] for bot in bots if bot.record]
    if not money:
        return "venue –"
    realised = sum(one["realised"] for one in money)
    fees = sum(one["maker_fees"] + one["taker_fees"] for one in money)
    open_pnl = sum(one["open"] for one in money)
    fills = sum(one["maker_fills"] + one["taker_fills"] for one in money)
    return (
        f"venue: fills {fills} realised {realised:+.2f} open {open_pnl:+.2f} fees {fees:.2f} "
        f"weight {_DASH if budget.weight is None else budget.weight}/min"
    )


def _cells(record: dict[str, Any], wide: bool) -> dict[str, str]:
    money, queue, orders = record["money"], record["queue"], record["orders"]
    cells = {
        "realised": f"{money['realised']:+.2f}",
        "fees": f"{money['maker_fees']:.2f}+{money['taker_fees']:.2f}",
        "open": f"{money['open']:+.2f}",
        "fills": f"{money['maker_fills']}+{money['taker_fills']}",
        "orders": f"{orders['filled']} / {orders['cancelled']} / {orders['post_only_refused']}",
        "requests": f"{record['requests_used']}",
    }
    if queue:
        cells["waited"] = f"{queue['waited_median_ms'] / 1000:.1f} s"
        cells["ahead"] = f"{queue['ahead_median']:.3g}"
    if wide:
        cells["requests"] += f" of {record['requests_allowed']}"
    if wide and queue:
        cells["fills"] += f" ({queue['partial_share']:.0%} parts)"
        cells["ahead"] += f" ({queue['alone_share']:.0%} none)"
    return cells
