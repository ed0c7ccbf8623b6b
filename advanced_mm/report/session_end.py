"""The end of a session: what it earned, and whether the venue's own accounts say the same."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from advanced_mm.errors import InputError
from advanced_mm.performance import HORIZON_S, Performance, total_of
from advanced_mm.performance.as_json import parts_json
from advanced_mm.performance.assess import end_mark
from advanced_mm.performance.judge import Wanted, judge_journal
from advanced_mm.report.performance_page import PageInput, write_performance_page
from advanced_mm.report.performance_text import print_performance
from advanced_mm.session.live_account import AccountMoney
from advanced_mm.session.session import PaperSession

__all__ = ["SessionEnd", "VenueCheck", "judge_session", "venue_check"]

_LARGEST_GAP: Final = 1e-6  # USDC
_LARGEST_REST: Final = 1e-9
"""Share of the turnover that the sum of the parts may differ by: rounding."""

Accounts = Mapping[str, AccountMoney | None]


@dataclass(frozen=True)
class VenueCheck:
    """The report's change of equity beside the venue's own, USDC.

    Attributes
    ----------
    reported
        By the report.
    venue
        By the accounts at the venue, their positions valued at the report's last mark; None where
        the venue does not say, or holds a position that the report has no price of.
    rest
        What the report's parts leave unexplained of ``reported``.
    turnover
        Σ price·size.
    why
        What is missing where ``venue`` is None.
    """

    reported: float
    venue: float | None
    rest: float
    turnover: float
    why: str = ""

    @property
    def agrees(self) -> bool:
        """Whether both are the same to the last micro-USDC, and the parts add up to it."""
        return (
            self.venue is not None
            and abs(self.venue - self.reported) <= _LARGEST_GAP
            and abs(self.rest) <= _LARGEST_REST * self.turnover
        )

    def sentence(self) -> str:
        """Say it."""
        told = f"equity change {self.reported:+.6f} USDC"
        if self.venue is None:
            return f"warning: {told}, but it cannot be checked: {self.why}"
        if abs(self.venue - self.reported) > _LARGEST_GAP:
            return (
                f"warning: {told}, but the venue's own is {self.venue:+.6f}: fills or payments are "
                "missing in the journal"
            )
        if not self.agrees:
            return f"warning: {told}, but its parts differ from it by {self.rest:+.3g}"
        return f"{told}, the venue's own agrees within {_LARGEST_GAP:g}"


@dataclass(frozen=True)
class SessionEnd:
    """A session's performance; without a fill there is none, and ``why`` says so.

    ``check`` is None in a dry run, of which the venue knows nothing, and where it ended before an
    account was opened.
    """

    several: Sequence[Performance]
    why: str
    check: VenueCheck | None

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against the figures."""
        return self.check is None or self.check.agrees

    def write_page(self, path: Path) -> None:
        """Write the report's page.

        Raises
        ------
        InputError
            It cannot be written.
        """
        try:
            write_performance_page(path, PageInput(self.several, HORIZON_S))
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.") from None

    def print_on(self, console: Console) -> None:
        """Print the report's table, or why there is none, and what the venue says."""
        if self.several:
            print_performance(console, self.several, HORIZON_S)
        else:
            console.print(self.why, markup=False, highlight=False, soft_wrap=True)
        if self.check is not None:
            style = None if self.check.agrees else "bold red"
            told = self.check.sentence()
            console.print(told, style=style, markup=False, highlight=False, soft_wrap=True)

    def to_json(self) -> dict[str, Any]:
        """Return the total of the report, and with real orders what the venue says."""
        told: dict[str, Any] = parts_json(total_of(one.parts for one in self.several))
        if self.check is not None:
            told["venue_equity_change"] = self.check.venue
            told["venue_agrees"] = self.check.agrees
        return told


def judge_session(session: PaperSession) -> SessionEnd:
    """Judge a session after `PaperSession.end_bots`."""
    options = session.options
    several, why = [], ""
    try:
        wanted = Wanted(since_ms=session.started_ms, horizon_s=HORIZON_S, data_dir=options.data_dir)
        several = judge_journal(options.folder, wanted)
    except InputError as error:
        why = str(error)
    check = venue_check(several, session.opened, session.closed) if session.opened else None
    return SessionEnd(several, why, check)


def venue_check(several: Sequence[Performance], opened: Accounts, closed: Accounts) -> VenueCheck:
    """Compare the report with the accounts at the venue.

    Parameters
    ----------
    several
        The report, coin by coin; none where nothing was filled.
    opened, closed
        By bot, what its account held before it started, when it has no position yet, and after
        it ended.
    """
    parts = total_of(one.parts for one in several)
    rest = parts.equity_change - math.fsum(parts.parts.values())
    marks = {
        (bot.name, one.record.coin): end_mark(bot, one.marks)
        for one in several
        for bot in one.record.bots
    }
    changes, missing = [], []
    for bot, before in opened.items():
        after = closed.get(bot)
        if before is None or after is None:
            missing.append(f"the venue does not say what {bot} holds")
            continue
        changes.append(after.cash - before.cash)
        for coin, held in after.positions.items():
            if (bot, coin) in marks:
                changes.append(held * marks[bot, coin])
            else:
                missing.append(f"{bot} holds {held:+g} {coin}, of which the journal is silent")
    venue = None if missing else math.fsum(changes)
    return VenueCheck(parts.equity_change, venue, rest, parts.turnover, "; ".join(missing))
