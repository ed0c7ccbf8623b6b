"""What a running session has earned so far and why, as a part of the live screen or as words."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance import EarnedSoFar, LatestFill, Parts
from advanced_mm.report.performance_table import PART_LABELS, part_text

__all__ = ["earnings_line", "earnings_panel", "shown_parts", "sparkline"]

_BARS: Final = "▁▂▃▄▅▆▇█"
_DASH: Final = "–"
_TOTAL: Final = "equity change"
_LEAST_SPARKLINE: Final = 10
_WIDE: Final = 106
_LARGE_SIZE: Final = 10_000


def earnings_panel(earned: EarnedSoFar | None, width: int) -> RenderableType:
    """Compose the parts of the P&L, the latest fills, the path of equity and the edges.

    ``width`` is what there is, in columns; 76 are enough for all of it.
    """
    if earned is None:
        return Text("P&L: nothing was traded yet", style="dim")
    wide = width >= _WIDE
    sides = Table.grid(padding=(0, 8 if wide else 2, 0, 0))
    sides.add_row(_parts_table(earned.parts), _fills_table(earned.latest, wide))
    return Group(sides, _path(earned, width), Text(_edges(earned)))


def earnings_line(earned: EarnedSoFar | None) -> str:
    """Return the P&L, its parts and the edges in one line."""
    if earned is None:
        return f"P&L {_DASH}"
    shown = shown_parts(earned.parts)
    parts = ", ".join(f"{name} {text}" for name, text in shown.items() if name != _TOTAL)
    return f"P&L {shown[_TOTAL]} USDC ({parts}), {_edges(earned)}"


def shown_parts(parts: Parts) -> dict[str, str]:
    """Return the change of equity and its parts by their labels, rounded so that they add up.

    What rounding leaves over, at most two of the last digit, is put to the inventory. Funding is
    left out where there is none; a part that takes mids that nobody saw is a dash and counts 0.
    """
    amounts = {name: value for name, value in parts.parts.items() if name != "funding" or value}
    digits = 4 if max(map(abs, [*amounts.values(), parts.equity_change])) < 10 else 2
    total = round(parts.equity_change, digits)
    rounded = {name: round(value, digits) for name, value in amounts.items()}
    others = math.fsum(value for name, value in rounded.items() if name != "inventory")
    rounded["inventory"] = round(total - others, digits)
    texts = {
        PART_LABELS[name]: _DASH if part_text(parts, name) == _DASH else _signed(value, digits)
        for name, value in rounded.items()
    }
    return texts | {_TOTAL: _signed(total, digits)}


def sparkline(time_ms: Int1D, values: Float1D, width: int) -> str:
    """Draw values as they stood at evenly spaced times, from the lowest bar to the highest."""
    times = np.linspace(time_ms[0], time_ms[-1], width)
    shown = values[np.searchsorted(time_ms, times, side="right") - 1]
    low, span = float(shown.min()), float(np.ptp(shown))
    if not span > 0:
        return _BARS[0] * width
    places = np.round((shown - low) / span * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[place] for place in places.tolist())


def _parts_table(parts: Parts) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("P&L")
    table.add_column("USDC", justify="right", no_wrap=True)
    for label, text in shown_parts(parts).items():
        last = label == _TOTAL
        table.add_row(label, text, style=f"bold {_colour(parts.equity_change)}" if last else None)
    return table


def _fills_table(latest: Sequence[LatestFill], wide: bool) -> RenderableType:
    if not latest:
        return Text("no fills yet", style="dim")
    table = Table(box=None, pad_edge=False, padding=(0, 3 if wide else 1, 0, 0))
    edges = ("expected edge", "10 s markout") if wide else ("expected", "in 10 s")
    unit = " bp" if wide else ""
    for name in ("UTC", "fill", "price", "size", *edges):
        table.add_column(name, justify="left" if name in ("UTC", "fill") else "right", no_wrap=True)
    for fill in latest:
        table.add_row(
            f"{datetime.fromtimestamp(fill.time_ms / 1000, UTC):%H:%M:%S}",
            "buy" if fill.bought else "sell",
            f"{fill.price:.6g}",
            f"{fill.size:.4g}" if fill.size < _LARGE_SIZE else f"{fill.size:.0f}",
            _number(fill.expected_bp, unit),
            Text(_number(fill.markout_bp, unit), style=_colour(fill.markout_bp)),
        )
    return table


def _path(earned: EarnedSoFar, width: int) -> Text:
    low, high = float(earned.equity.min()), float(earned.equity.max())
    digits = 4 if max(abs(low), abs(high)) < 10 else 2
    ends = f"  low {_signed(low, digits)}, high {_signed(high, digits)}"
    room = max(width - len(_TOTAL) - 1 - len(ends), _LEAST_SPARKLINE)
    line = sparkline(earned.time_ms, earned.equity, room)
    return Text.assemble(f"{_TOTAL} ", (line, "cyan"), ends, no_wrap=True, overflow="crop")


def _edges(earned: EarnedSoFar) -> str:
    if not earned.judged:
        return "edge a fill: known ten seconds after the first"
    fills = "fill" if earned.judged == 1 else "fills"
    return (
        f"edge a fill: expected {_number(earned.expected_bp)} bp, realised "
        f"{_number(earned.realised_bp)} bp over {earned.judged} {fills}"
    )


def _signed(amount: float, digits: int) -> str:
    text = f"{amount:+,.{digits}f}" if round(amount, digits) else f"{0:.{digits}f}"
    return text.replace("-", "−")


def _number(value: float, unit: str = "") -> str:
    return f"{value:.2f}{unit}".replace("-", "−") if math.isfinite(value) else _DASH


def _colour(value: float) -> str:
    return "red" if value < 0 else "green" if value > 0 else "default"
