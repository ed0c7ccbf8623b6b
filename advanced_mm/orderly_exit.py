"""Signals end a Freqtrade bot between two of its steps, never in the middle of one.

Freqtrade turns SIGINT and SIGTERM into a ``KeyboardInterrupt`` wherever its main thread happens to
be. Inside a commit that leaves its database session unusable: its clean-up fails, and a resting
order stays at the venue. Here the interrupt waits until the loop is over.
"""

import signal
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from types import CodeType, FrameType
from typing import Any, Final, TypeVar

__all__ = ["OrderlyExit", "interruptible"]

PATIENCE_SECONDS: Final = 8.0
"""How long a loop may delay the end, which often means that it waits for a venue that is silent.
Clean-up follows, for which a minute is left before a container or a session kills the bot."""

AGAIN_SECONDS: Final = 0.02
"""How soon an interrupt that was put off is tried again."""

UNWINDING_SECONDS: Final = 1.0
"""After an interrupt, no other is raised for so long: it could prevent that clean-up begins."""

_BOT, _WORKER, _DATABASE = "freqtrade.freqtradebot", "freqtrade.worker", "sqlalchemy"

_Function = TypeVar("_Function", bound=Callable[..., Any])

_interruptible: set[CodeType] = set()


def interruptible(function: _Function) -> _Function:
    """Decorate a function that only waits: a bot may be ended inside it, though in its loop."""
    _interruptible.add(function.__code__)
    return function


class _Place(Enum):
    """What the main thread is doing."""

    IDLE = auto()
    LOOP = auto()
    UNTOUCHABLE = auto()  # in its database, or cleaning up
    ENDING = auto()


class OrderlyExit:
    """Delays the handlers of SIGINT and SIGTERM until the bot's loop is over; see `install`.

    A loop that lasts longer than ``patience_seconds`` is broken off, except inside the database. A
    clean-up is never broken off, and once the bot is ending further signals change nothing.

    Attributes
    ----------
    broke_off
        Whether a loop was broken off, so that the books may lack an order.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.broke_off = False
        self._patience_seconds = patience_seconds
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._pending: int | None = None
        self._since = 0.0
        self._raised = float("-inf")

    @classmethod
    def install(cls, patience_seconds: float = PATIENCE_SECONDS) -> "OrderlyExit":
        """Return the one of this process, put in front of the handlers that there are.

        Nothing changes outside the main thread, where the system has no timers for it (Windows),
        and for a signal that is ignored or that has the system's own effect.
        """
        known = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        found = next((one for one in map(_owner, known) if one is not None), None)
        exit_ = cls(patience_seconds) if found is None else found
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            for number, handler in zip((signal.SIGINT, signal.SIGTERM), known, strict=True):
                if callable(handler) and _owner(handler) is None:
                    exit_._handlers[number] = handler
                    signal.signal(number, exit_._arrived)
        return exit_

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self._pending is None:
            self._pending, self._since = number, time.monotonic()
        self._try(frame)

    def _again(self, _: int, frame: FrameType | None) -> None:
        self._try(frame)

    def _try(self, frame: FrameType | None) -> None:
        """Raise the interrupt, drop it or put it off."""
        if self._pending is None:
            return
        place, now = _place(frame), time.monotonic()
        if place is _Place.ENDING:
            self._pending = None
            return
        overdue = place is _Place.LOOP and now - self._since >= self._patience_seconds
        if (place is _Place.IDLE or overdue) and now - self._raised >= UNWINDING_SECONDS:
            number, self._pending = self._pending, None
            self._raised = now
            self.broke_off |= overdue
            self._handlers[number](number, frame)  # raises KeyboardInterrupt
            return
        signal.signal(signal.SIGALRM, self._again)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _owner(handler: Any) -> OrderlyExit | None:
    owner = getattr(handler, "__self__", None)
    return owner if isinstance(owner, OrderlyExit) else None


def _place(frame: FrameType | None) -> _Place:
    """Return what a thread is doing, judged by all functions on its stack."""
    looping = waiting = untouchable = False
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__", "")), frame.f_code
        if module == _WORKER and code.co_name == "exit":
            return _Place.ENDING
        if module == _BOT:
            looping = True
            untouchable |= code.co_name == "cleanup"
        untouchable |= module.partition(".")[0] == _DATABASE
        waiting |= code in _interruptible
        frame = frame.f_back
    if untouchable:
        return _Place.UNTOUCHABLE
    return _Place.LOOP if looping and not waiting else _Place.IDLE
