"""The live status of a maker, as a screen (rich) or one plain line."""

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from advanced_mm.maker.views import MarketView

__all__ = ["maker_line", "maker_screen"]

_LEVELS = 5
"""Levels of a ladder that are shown on each side."""
_DASH = "–"


def maker_screen(
    name: str, views: Sequence[MarketView], *, live: bool, elapsed_seconds: float, stop: str
) -> RenderableType:
    """Compose the screen: a line for each market, its ladder, and why it does not quote.

    ``stop`` says how the maker is stopped.
    """
    kind = "orders are sent" if live else "dry: orders and fills are made up"
    clock = f"{int(elapsed_seconds // 60)}:{int(elapsed_seconds % 60):02d}"
    parts: list[RenderableType] = [_markets(views)]
    if not views:
        parts = [Text("waiting for the exchanges …", style="yellow")]
    parts += [_reason(view) for view in views if view.reason]
    parts += [_ladder(view) for view in views]
    parts.append(Text(stop, style="dim"))
    return Panel(Group(*parts), title=f"{name} · {kind}", subtitle=clock)


def maker_line(views: Sequence[MarketView], elapsed_seconds: float) -> str:
    """Return the essentials of the screen in one line, for a log or a pipe."""
    parts = [f"{elapsed_seconds:6.0f} s"]
    for view in views:
        best = (view.bids[0][0] if view.bids else None, view.asks[0][0] if view.asks else None)
        parts += [
            f"{view.exchange} {view.symbol}",
            f"mid {_number(view.mid)}",
            f"quotes {_number(best[0])} / {_number(best[1])} ({len(view.bids)} + {len(view.asks)})",
            f"inventory {_number(view.inventory)}",
            f"fills {view.fills}",
            f"P&L {view.profit:+.4f}",
            *([f"({view.reason})"] if view.reason else []),
        ]
    return "  ".join(parts)


def _markets(views: Sequence[MarketView]) -> Table:
    table = Table(expand=True, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("market", overflow="fold")  # the one to be narrowed on a narrow screen
    for title in ("mid", "inventory", "quote", "fills", "requests", "P&L"):
        table.add_column(title, justify="right", no_wrap=True, min_width=len(title))
    for view in views:
        table.add_row(
            f"{view.symbol} ({view.exchange}, {view.policy})",
            _number(view.mid),
            _number(view.inventory),
            _number(view.quote_balance),
            str(view.fills),
            str(view.requests),
            _signed(view.profit),
        )
    return table


def _reason(view: MarketView) -> Text:
    return Text(f"{view.symbol} ({view.exchange}): {view.reason}", style="yellow")


def _ladder(view: MarketView) -> RenderableType:
    """Show what rests: sizes and distances from the mid, best price first."""
    rows = min(_LEVELS, max(len(view.bids), len(view.asks)))
    if rows == 0:
        return Text(f"{view.symbol}: nothing rests", style="yellow")
    counts = f"{len(view.bids)} bids and {len(view.asks)} asks rest"
    table = Table(
        title=Text(f"{view.symbol}: {counts}", style="bold"), title_justify="left", expand=True,
        box=None, pad_edge=False,
    )  # fmt: skip
    for title in ("bp", "size", "bid", "ask", "size", "bp"):
        table.add_column(title, justify="right" if title != "ask" else "left", no_wrap=True)
    for number in range(rows):
        bid = _level(view.bids, number, view.mid)
        ask = _level(view.asks, number, view.mid)
        table.add_row(bid[2], bid[1], f"[green]{bid[0]}[/]", f"[red]{ask[0]}[/]", ask[1], ask[2])
    return table


def _level(
    levels: Sequence[tuple[float, float]], number: int, mid: float | None
) -> tuple[str, str, str]:
    """Return price, size and distance of a level, empty where there is none."""
    if number >= len(levels):
        return "", "", ""
    price, size = levels[number]
    away = _DASH if mid is None else f"{(price / mid - 1) * 1e4:+.1f}"
    return f"{price:.8g}", _number(size), away


def _signed(profit: float) -> str:
    color = "green" if profit >= 0 else "red"
    return f"[{color}]{profit:+.4f}[/]" if math.isfinite(profit) else _DASH


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.6g}"
