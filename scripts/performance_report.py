"""Report what a session earned and why: the parts of its profit, its figures, and the model."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from advanced_mm.cli import configure_logging, moment, progress, run, writing_page
from advanced_mm.errors import InputError
from advanced_mm.performance import (
    HORIZON_S,
    BreakEven,
    Performance,
    StatedCosts,
    break_even,
)
from advanced_mm.performance.as_json import break_even_json, report_json
from advanced_mm.performance.judge import Wanted, judge_database, judge_journal
from advanced_mm.report.performance_comparison import (
    Side,
    break_even_columns,
    side_column,
    write_comparison_page,
)
from advanced_mm.report.performance_page import PageInput, basis_of, write_performance_page
from advanced_mm.report.performance_table import compared_break_even_table, performance_table
from advanced_mm.report.performance_text import print_performance, print_sentences, wide_console


def main(argv: list[str] | None = None) -> int:
    """Read, judge and show."""
    options = parse(argv)
    configure_logging()
    refuse_idle_costs(options)
    if options.compare:
        return compare(options)
    several = judged(options)
    found = break_evens(options, several)
    if options.html is not None:
        with writing_page(options.html, quiet=options.json):
            write_performance_page(options.html, PageInput(several, options.horizon, found))
    if options.json:
        print(json.dumps(side_json(several, found, options), indent=1, allow_nan=False))
        return 0
    print_performance(wide_console(), several, options.horizon, found)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--journal",
        type=Path,
        default=Path("user_data"),
        metavar="DIR",
        help="folder with the journal, or the journal itself (default: %(default)s)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--db",
        type=Path,
        metavar="FREQTRADE.sqlite",
        help="Freqtrade's database, for a bot that wrote no journal; it holds less",
    )
    source.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="two folders with journals, or two bots of the one journal, side by side",
    )
    parser.add_argument("--coin", help="one coin, in any spelling (default: all)")
    parser.add_argument("--bot", help="one bot of the journal (default: all, as one book)")
    parser.add_argument("--since", type=moment, metavar="TIME", help="ISO 8601, UTC by default")
    parser.add_argument("--until", type=moment, metavar="TIME", help="ISO 8601, UTC by default")
    parser.add_argument(
        "--horizon",
        type=float,
        default=HORIZON_S,
        metavar="SECONDS",
        help="the mid's move within it counts as adverse selection (default: %(default)g)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("scripts/HL_data"),
        metavar="DIR",
        help="recording to take mids from where it has the coin (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page")
    costs = parser.add_argument_group("the least spread that pays")
    costs.add_argument("--break-even", action="store_true", help="show it, with all its costs")
    costs.add_argument(
        "--fee", type=float, metavar="RATE", help="share of the price (default: as was paid)"
    )
    costs.add_argument("--slippage-bp", type=float, metavar="BP", help="of one side (as measured)")
    costs.add_argument("--adverse-bp", type=float, metavar="BP", help="of one side (as measured)")
    costs.add_argument(
        "--monthly-cost",
        action="append",
        default=[],
        type=named_amount,
        metavar="NAME=USDC",
        help="a fixed cost, such as server=20, data=0 or api=5; may be repeated",
    )
    return parser.parse_args(argv)


def named_amount(text: str) -> tuple[str, float]:
    """A cost's name and its amount."""
    name, _, amount = text.partition("=")
    try:
        return name, float(amount)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no cost; write a name and an amount, as in server=20"
        ) from None


def judged(options: argparse.Namespace) -> list[Performance]:
    """Judge what the options ask for."""
    wanted = wanted_of(options)
    if options.db is None:
        return judge_journal(options.journal, wanted)
    if options.bot is not None:
        raise InputError("--bot is for a journal; a database of Freqtrade's has one bot.")
    return judge_database(options.db, wanted)


def wanted_of(options: argparse.Namespace, bot: str | None = None) -> Wanted:
    """Collect what restricts the record."""
    if None not in (options.since, options.until) and options.since > options.until:
        raise InputError("--since lies after --until: no time is left between them.")
    return Wanted(
        coin=options.coin,
        bot=bot or options.bot,
        since_ms=options.since,
        until_ms=options.until,
        horizon_s=options.horizon,
        data_dir=options.data_dir,
        track=progress,
        reading=lambda: Console(stderr=True).status("reading …"),
    )


def stated_costs(options: argparse.Namespace) -> StatedCosts:
    """Collect the costs that are stated."""
    return StatedCosts(
        fee_rate=options.fee,
        slippage_bp=options.slippage_bp,
        adverse_bp=options.adverse_bp,
        monthly=dict(options.monthly_cost),
    )


def compare(options: argparse.Namespace) -> int:
    """Show two sessions or two bots side by side."""
    if len(set(options.compare)) == 1:
        raise InputError(f"--compare names {options.compare[0]} twice: name two.")
    first, second = (judged_side(options, name) for name in options.compare)
    sides = (first, second)
    if options.html is not None:
        with writing_page(options.html, quiet=options.json):
            write_comparison_page(options.html, sides, options.horizon)
    if options.json:
        told = {side.name: side_json(side.several, side.break_even, options) for side in sides}
        print(json.dumps(told, indent=1, allow_nan=False))
        return 0
    console = wide_console()
    columns = [side_column(side) for side in sides]
    console.print(performance_table(columns, "Side by side", options.horizon))
    if options.break_even:
        console.print(compared_break_even_table(*break_even_columns(sides)))
    for side in sides:
        print_sentences(console, (sentence for one in side.several for sentence in basis_of(one)))
    return 0


def refuse_idle_costs(options: argparse.Namespace) -> None:
    """Refuse stated costs that nothing would use."""
    stated = (options.fee, options.slippage_bp, options.adverse_bp)
    if not options.break_even and (options.monthly_cost or any(one is not None for one in stated)):
        raise InputError("Costs are stated for --break-even, which is missing: add it.")


def judged_side(options: argparse.Namespace, name: str) -> Side:
    """Judge a folder with a journal, or a bot of the one journal."""
    if Path(name).is_dir():
        several = judge_journal(Path(name), wanted_of(options))
    else:
        if options.bot is not None:
            raise InputError(f"--compare {name} is no folder and so a bot: leave out --bot.")
        several = judge_journal(options.journal, wanted_of(options, bot=name))
    return Side(name, several, break_evens(options, several))


def break_evens(options: argparse.Namespace, several: Sequence[Performance]) -> list[BreakEven]:
    """List the costs of each coin, if they are asked for."""
    costs = stated_costs(options)
    return [break_even(one, costs) for one in several] if options.break_even else []


def side_json(
    several: Sequence[Performance], found: Sequence[BreakEven], options: argparse.Namespace
) -> dict[str, Any]:
    """Return the report as plain values, with the costs where they are asked for."""
    told = report_json(several, horizon_s=options.horizon)
    for one, costs in zip(several, found, strict=bool(found)):
        told["coins"][one.record.coin]["break_even"] = break_even_json(costs)
    return told


if __name__ == "__main__":
    sys.exit(run(main))
