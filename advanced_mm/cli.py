"""Common parts of all scripts: logging, times, and errors as one sentence with exit code 2."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from advanced_mm.errors import AdvancedMMError, InputError

__all__ = ["configure_logging", "moment", "names_in", "port", "progress", "run", "writing_page"]

T = TypeVar("T")


def configure_logging(verbose: bool = False) -> None:
    """Log to standard error from level INFO, or DEBUG if ``verbose``."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("matplotlib", "numba", "numexpr", "asyncio", "schedule"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def run(main: Callable[[list[str] | None], int]) -> int:
    """Run ``main`` and return its exit code; print errors that the user can fix as one sentence."""
    try:
        return main(None)
    except AdvancedMMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def progress(steps: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """Show a progress bar on standard error while iterating; it disappears at the end.

    ``total`` is the number of steps, by default their length. A standard error that is no terminal
    gets nothing.
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(
        steps, title, total, console=console, transient=True, disable=not console.is_terminal
    )


@contextmanager
def writing_page(path: Path, *, quiet: bool) -> Iterator[None]:
    """Print where the page of ``--html`` was written; on standard error if ``quiet``.

    Raises
    ------
    InputError
        It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"--html {path} cannot be written: {error.strerror}") from None
    print(f"written to {path}", file=sys.stderr if quiet else sys.stdout)


def names_in(text: str | None) -> list[str]:
    """Return the names in a list such as ``ETH, WLFI``, none for None or an empty text."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def port(text: str) -> int:
    """Return the number of a port that can be named, 1 to 65535.

    Raises
    ------
    argparse.ArgumentTypeError
        It is none.
    """
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def moment(text: str) -> int:
    """Return a time in ISO 8601, UTC unless it names a zone, as epoch milliseconds.

    Raises
    ------
    argparse.ArgumentTypeError
        It is no time.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-11-28 or 2026-11-28T13:00:00"
        ) from None
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
