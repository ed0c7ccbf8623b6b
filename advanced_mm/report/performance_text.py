"""The performance report as a terminal shows it: the table, and what it rests on."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console

from advanced_mm.performance import BreakEven, Performance, account_change
from advanced_mm.report.performance_page import account_sentence, basis_of, headline_of
from advanced_mm.report.performance_table import break_even_table, columns_of, performance_table

__all__ = ["print_performance", "print_sentences", "wide_console"]

_TABLE_WIDTH: Final = 110
"""Columns that a table with intervals needs."""


def wide_console() -> Console:
    """Return a console that does not cut the table where it is not a terminal."""
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    return console


def print_performance(
    console: Console,
    several: Sequence[Performance],
    horizon_s: float,
    found: Sequence[BreakEven] = (),
) -> None:
    """Print the table, and below it what it rests on; ``found`` has one for each coin, or none."""
    headline = headline_of(several, horizon_s)
    console.print(performance_table(columns_of(several), headline.verdict, horizon_s))
    for one, costs_found in zip(several, found, strict=bool(found)):
        console.print(break_even_table(costs_found, one.record.coin))
    told = [headline.why, account_sentence(account_change(several))]
    told += [sentence for one in several for sentence in basis_of(one)]
    print_sentences(console, told)


def print_sentences(console: Console, sentences: Iterable[str]) -> None:
    """Print each sentence once."""
    for sentence in dict.fromkeys(sentences):
        console.print(sentence, markup=False, highlight=False)
