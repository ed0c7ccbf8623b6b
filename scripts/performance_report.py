"""Tell what a session earned and why: the parts of its profit, figures, the model's word."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from advanced_mm.cli import configure_logging, moment, run
from advanced_mm.errors import InputError
from advanced_mm.performance import (
    BreakEven,
    Performance,
    StatedCosts,
    account_change,
    break_even,
    total_of,
)
from advanced_mm.performance.as_json import break_even_json, report_json
from advanced_mm.performance.judge import Wanted, judge_database, judge_journal
from advanced_mm.report.performance_page import (
    PageInput,
    account_sentence,
    basis_of,
    headline_of,
    write_performance_page,
)
from advanced_mm.report.performance_table import (
    Column,
    break_even_table,
    columns_of,
    performance_table,
)

TABLE_WIDTH = 110  # columns a table with intervals needs


def main(argv: list[str] | None = None) -> int:
    """Read, judge and show."""
    options = parse(argv)
    configure_logging()
    if options.compare:
        return compare(options)
    several = judged(options)
    costs = stated_costs(options)
    found = [break_even(one, costs) for one in several] if options.break_even else []
    if options.html is not None:
        write_html(options, several, found)
    if options.json:
        told = report_json(several, horizon_s=options.horizon)
        for one, costs_found in zip(several, found, strict=bool(found)):
            told["coins"][one.record.coin]["break_even"] = break_even_json(costs_found)
        print(json.dumps(told, indent=1, allow_nan=False))
        return 0
    show(options, several, found)
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
        help="Freqtrade's database, for a bot that wrote no journal; it tells less",
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
        default=10.0,
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
        track=_progress,
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
    if options.html is not None or options.break_even:
        raise InputError(
            "--compare shows a table or --json; ask for --html and --break-even of one."
        )
    sides: dict[str, list[Performance]] = {}
    for name in options.compare:
        if Path(name).is_dir():
            sides[name] = judge_journal(Path(name), wanted_of(options))
        else:
            sides[name] = judge_journal(options.journal, wanted_of(options, bot=name))
    if options.json:
        told = {name: report_json(side, horizon_s=options.horizon) for name, side in sides.items()}
        print(json.dumps(told, indent=1, allow_nan=False))
        return 0
    columns = [side_column(name, side) for name, side in sides.items()]
    console = _console()
    console.print(performance_table(columns, "Side by side", options.horizon))
    for side in sides.values():
        for one in side:
            for sentence in basis_of(one):
                console.print(sentence, markup=False, highlight=False)
    return 0


def side_column(name: str, side: Sequence[Performance]) -> Column:
    """One side of a comparison; figures where it has a single coin."""
    if len(side) == 1:
        (one,) = side
        return Column(name, one.parts, one.figures, one.truth.line.slope)
    return Column(name, total_of(one.parts for one in side))


def show(
    options: argparse.Namespace, several: Sequence[Performance], found: Sequence[BreakEven]
) -> None:
    """Print the table, and below it what it rests on."""
    console = _console()
    headline = headline_of(several, options.horizon)
    console.print(performance_table(columns_of(several), headline.verdict, options.horizon))
    for one, costs_found in zip(several, found, strict=bool(found)):
        console.print(break_even_table(costs_found, one.record.coin))
    told = [headline.why, account_sentence(account_change(several))]
    told += [sentence for one in several for sentence in basis_of(one)]
    for sentence in dict.fromkeys(told):
        console.print(sentence, markup=False, highlight=False)


def write_html(
    options: argparse.Namespace, several: Sequence[Performance], found: Sequence[BreakEven]
) -> None:
    """Write the page."""
    try:
        write_performance_page(options.html, PageInput(several, options.horizon, found))
    except OSError as error:
        raise InputError(f"--html {options.html} cannot be written: {error.strerror}.") from None
    print(f"written to {options.html}", file=sys.stderr if options.json else sys.stdout)


def _console() -> Console:
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    return console


def _progress(steps: Sequence[int], title: str) -> Iterable[int]:
    return track(steps, title, console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    sys.exit(run(main))
