"""The findings of a check as tables on a terminal."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from advanced_mm.marketdata.checking.findings import CoinFindings, KindFindings

__all__ = ["print_findings"]

_MOST_SHOWN: Final = 10


def print_findings(console: Console, coins: Iterable[CoinFindings]) -> None:
    """Print a table of kinds for each coin, its longest gaps, its bad files and its faults."""
    for found in coins:
        console.print(_kinds(found))
        if found.holes:
            console.print(_gaps(found))
        for kind, findings in found.kinds.items():
            _print_files(console, kind, findings)
        faults = found.faults()
        text = "; ".join(faults) if faults else "sound"
        style = "bold red" if faults else "green"
        console.print(
            f"[bold]{escape(found.coin)}[/]: [{style}]{escape(text)}[/]\n", soft_wrap=True
        )


def _kinds(found: CoinFindings) -> Table:
    """Return a table that fits 80 columns; times of each kind are in the JSON only."""
    first = min((kind.first_ms for kind in found.kinds.values() if kind.first_ms), default=None)
    last = max((kind.last_ms for kind in found.kinds.values() if kind.last_ms), default=None)
    table = Table(
        title=f"Recording of {escape(found.coin)}, {_moment(first)} to {_moment(last)} UTC",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for name in ("rows", "files", "MB", "covered", "lag p50", "p99", "told\nagain"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("version", justify="right")
    for kind, kinds in found.kinds.items():
        table.add_row(
            f"[red]{kind}[/]" if kinds.faults() else kind,
            f"{kinds.rows:,}",
            f"{kinds.files:,}",
            f"{kinds.bytes / 1e6:,.1f}",
            "" if kinds.coverage is None else f"{kinds.coverage:.2%}",
            _milliseconds(kinds.lag_p50_ms),
            _milliseconds(kinds.lag_p99_ms),
            f"{kinds.told_again:,}" if kind == "trades" else "",
            ", ".join(str(version or "none") for version in sorted(kinds.versions)),
        )
    return table


def _gaps(found: CoinFindings) -> Table:
    longest = sorted(found.holes, key=lambda hole: -hole.seconds)[:_MOST_SHOWN]
    shown = f", the longest {_MOST_SHOWN}" if len(found.holes) > _MOST_SHOWN else ""
    table = Table(
        title=f"{len(found.holes)} gaps{shown}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("from (UTC)")
    table.add_column("seconds", justify="right")
    table.add_column("channel")
    table.add_column("reason", overflow="fold")
    for hole in longest:
        unnamed = hole in found.unexplained
        table.add_row(
            _moment(hole.start_ms),
            f"{hole.seconds:,.1f}",
            escape(hole.channel),
            escape(hole.reason),
            style="red" if unnamed else None,
        )
    return table


def _print_files(console: Console, kind: str, findings: KindFindings) -> None:
    bad = [f"{path}: {reason}" for path, reason in findings.unreadable.items()]
    bad += [f"{path}: has rows newer than its name" for path in findings.misnamed]
    for line in bad[:_MOST_SHOWN]:
        console.print(f"[red]{escape(line)}[/]", soft_wrap=True)
    if len(bad) > _MOST_SHOWN:
        console.print(f"[red]and {len(bad) - _MOST_SHOWN} more files of {kind}[/]")


def _moment(time_ms: int | None) -> str:
    if time_ms is None:
        return ""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _milliseconds(value: int | None) -> str:
    return "" if value is None else f"{value:,} ms"
