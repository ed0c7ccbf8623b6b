"""The journal: one store of typed events, written by a bot, a maker or a replay."""

from advanced_mm.journal.events import (
    EVENTS,
    AccountMarked,
    BadRowsCounted,
    ClockJumped,
    Event,
    Fill,
    Funding,
    GuardChanged,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
)
from advanced_mm.journal.filled_ages import FilledAge, FilledAges
from advanced_mm.journal.folders import JOURNAL_FOLDER, event_folders, journal_coins, last_written_s
from advanced_mm.journal.follower import JournalFollower
from advanced_mm.journal.growing import GrowingJournal
from advanced_mm.journal.last_loop import last_loop_ms
from advanced_mm.journal.reader import Journal, JournalNotes, NoJournalError, read_journal
from advanced_mm.journal.writer import JournalWriter

__all__ = [
    "EVENTS",
    "JOURNAL_FOLDER",
    "AccountMarked",
    "BadRowsCounted",
    "ClockJumped",
    "Event",
    "Fill",
    "FilledAge",
    "FilledAges",
    "Funding",
    "GrowingJournal",
    "GuardChanged",
    "Journal",
    "JournalFollower",
    "JournalNotes",
    "JournalWriter",
    "Look",
    "NoJournalError",
    "QuoteEnded",
    "QuoteSent",
    "RefusalChanged",
    "RequestsUsed",
    "event_folders",
    "journal_coins",
    "last_loop_ms",
    "last_written_s",
    "read_journal",
]
