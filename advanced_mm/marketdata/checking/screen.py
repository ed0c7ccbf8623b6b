"""The findings of a check as tables on a terminal."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

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
    table = Table(title=f"Recording of {escape(found.coin)}", title_justify="left")
    table.add_column("")
    for name in ("rows", "files", "MB", "from (UTC)", "to (UTC)", "covered", "lag p50", "p99"):
        table.add_column(name, justify="right")
    table.add_column("versions")
    table.add_column("told again", justify="right")
    table.add_column("faults")
    for kind, kinds in found.kinds.items():
        faults = "\n".join(f"{count} {name}" for name, count in kinds.faults().items())
        table.add_row(
            kind,
            f"{kinds.rows:,}",
            f"{kinds.files:,}",
            f"{kinds.bytes / 1e6:,.1f}",
            _moment(kinds.first_ms),
            _moment(kinds.last_ms),
            "" if kinds.coverage is None else f"{kinds.coverage:.2%}",
            _milliseconds(kinds.lag_p50_ms),
            _milliseconds(kinds.lag_p99_ms),
            ", ".join(f"{version or 'none'}: {n}" for version, n in sorted(kinds.versions.items())),
            f"{kinds.told_again:,}" if kind == "trades" else "",
            f"[red]{escape(faults)}[/]" if faults else "",
        )
    return table


def _gaps(found: CoinFindings) -> Table:
    longest = sorted(found.holes, key=lambda hole: -hole.seconds)[:_MOST_SHOWN]
    shown = f", the longest {_MOST_SHOWN}" if len(found.holes) > _MOST_SHOWN else ""
    table = Table(title=f"{len(found.holes)} gaps{shown}", title_justify="left")
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
