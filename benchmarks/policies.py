"""Every policy on the same markets, with the same capital and fees: what each earns, and from what.

Synthetic markets are those of tests/scenarios (calm, trending, toxic flow, volatile), whose regimes
repeat; recordings are replayed with the parameters that were known when the replay begins. Each
policy's nearest quotes lie 1/kappa from the price at its target inventory, which is where a maker
without inventory or adverse selection would quote; each order is worth about 5% of the capital, and
at most half of it is at risk. Spot policies begin with half of the capital in the coin, the others
flat: what holding that half would have gained by itself is not counted. Settings are not tuned, so
that no policy is better chosen than another; none of this says what tuned ones would earn.

Columns: USDC per hour with its interval, and its four parts: spread captured, adverse selection in
ten seconds, inventory, fees; how far the inventory was from that of the start. Below each market:
who earns, and where nobody should quote.

    python benchmarks/policies.py --html user_data/plot/policies.html    # an hour of each: minutes
    python benchmarks/policies.py --quick                                # twenty minutes of each
    python benchmarks/policies.py --recordings user_data/data --fee-bp 0
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from advanced_mm.calibration.recalibrate import RecalibrationPlan, recalibrate
from advanced_mm.cli import progress, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.synthetic import SyntheticMarket
from advanced_mm.markets.synthetic_regimes import Regime, Regimes
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.policies import KINDS, MarketState
from advanced_mm.replay import QUEUES, Queue, ReplayOptions
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.ladders import LadderOptions, run_ladder
from advanced_mm.replay.ladders.setup import LadderSetup, account_for
from advanced_mm.replay.ladders.suited import (
    MarketFigures,
    figures_known,
    suited_settings,
)
from advanced_mm.report.policies_page import (
    HEADER,
    DrawnLadder,
    Outcome,
    outcome_rows,
    verdict_on_market,
    write_policies_page,
)
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.scenario import load_scenario

SCENARIOS = Path(__file__).parents[1] / "tests" / "scenarios"
SYNTHETIC = ("calm", "trending", "toxic_flow", "volatile")
START_MS = 1_790_000_000_000
CAPITAL = 10_000.0
BINS = 10
LEVELS = 3
SHORTEST_MINUTES = 10.0
LONGER = 0.25  # of the capital: where ladders are drawn away from the target


@dataclass(frozen=True)
class Arena:
    """A market to compare policies on; ``figures`` None: its parameters could not be fitted."""

    name: str
    backtest: Backtest
    figures: MarketFigures | None

    @property
    def mid(self) -> float:
        """The first mid, quote currency."""
        found = self.backtest.mids.at(self.backtest.start_ms)
        return float(self.backtest.mids.mid[0]) if found is None else found

    @property
    def size_step(self) -> float:
        """Step of sizes, base currency."""
        return float(f"1e-{self.backtest.data.grid.size_decimals}")


def synthetic_arena(name: str, minutes: float, folder: Path) -> Arena:
    """Record a scenario's market for some time, its regimes repeated, and load it."""
    recipe = load_scenario(SCENARIOS / f"{name}.yaml").recipes(START_MS)[0]
    assert recipe.synthetic is not None
    end_ms = round(minutes * 60_000)
    regimes = tuple(repeated(recipe.regimes, START_MS - recipe.start_ms, end_ms, recipe.synthetic))
    market = SyntheticMarket(Regimes(recipe.synthetic, regimes), START_MS, recipe.seed)
    data = folder / name
    recorder = Recorder(ShardStore(data), [market.spec.coin], {market.spec.coin: market.spec.tick})
    lay_history(market, recorder, START_MS + end_ms)
    truth = MarketFigures.of_truth(recipe.synthetic.truth())
    return Arena(name.replace("_", " "), Backtest.load(data, market.spec.coin), truth)


def repeated(regimes: Sequence[Regime], past_ms: int, end_ms: int, base: Any) -> Iterator[Regime]:
    """Yield a scenario's regimes over and over, from its first second on, until ``end_ms``.

    A round is as long as the last change plus the mean time between changes.
    """
    changes = [replace(one, from_ms=one.from_ms - past_ms) for one in regimes]
    if not changes:
        return
    first, last = changes[0].from_ms, changes[-1].from_ms
    gap = (last - first) / max(len(changes) - 1, 1)
    block = base.block_ms
    length = round((last + max(gap, 1000)) / block) * block
    for begin in range(0, end_ms, length):
        if begin:
            yield Regime(begin, base)
        yield from (replace(one, from_ms=begin + one.from_ms) for one in changes)


def recorded_arenas(recordings: Path, folder: Path) -> Iterator[Arena]:
    """Load each coin's recording and refit it; short ones are left out."""
    copied = folder / "recordings"
    shutil.copytree(recordings, copied, copy_function=shutil.copy)
    for path in copied.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    copied.chmod(0o755)
    settings = Settings()
    for coin in sorted(one.name for one in copied.iterdir() if one.is_dir()):
        history = CalibrationHistory(folder / "history" / coin)
        try:
            whole = Backtest.load(copied, coin)
            if whole.hours * 60 < SHORTEST_MINUTES:
                minutes = f"{60 * whole.hours:.0f} minutes"
                print(f"{coin}: left out, {minutes} of data are too few", file=sys.stderr)
                continue
            recalibrate(
                ShardStore(copied), coin, settings, history, RecalibrationPlan(step_seconds=60.0)
            )
            backtest = Backtest.load(copied, coin, history)
        except InputError as error:
            print(f"{coin}: left out, {error}", file=sys.stderr)
            continue
        name = f"{coin}, {backtest.hours * 60:.0f} minutes recorded"
        yield Arena(name, backtest, figures_known(backtest))


def contestants(arena: Arena) -> Mapping[str, LadderSetup]:
    """Return the policies by their names in tables, with comparable settings."""
    distance = 2e-4 * arena.mid if arena.figures is None else 1 / arena.figures.kappa
    step = round(1e4 * distance / arena.mid, 3)  # bp
    reach = (BINS + 0.5) * step * 1e-4
    bins = {"bin_step": step, "price_up_pct_limit": reach, "price_down_pct_limit": reach}
    order = max(round(0.05 * CAPITAL / arena.mid / arena.size_step), 1) * arena.size_step
    tiers = [{"offset_bps": step * (i + 1), "size": order} for i in range(LEVELS)]
    given: dict[str, tuple[str, dict[str, Any]]] = {
        **{kind: (kind, bins) for kind in ("spot", "curve", "bid_ask", "auto")},
        "cartea_jaimungal": ("cartea_jaimungal", {"levels": LEVELS}),
        "avellaneda_stoikov": ("avellaneda_stoikov", {"levels": LEVELS}),
        "avellaneda_stoikov (no end)": (
            "avellaneda_stoikov",
            {"levels": LEVELS, "horizon": "infinite"},
        ),
        "glft": ("glft", {"levels": LEVELS}),
        "simple": ("simple", {"base_spread": 2 * distance}),
        "basis_points": ("basis_points", {"levels": tiers, "skew_factor": step * 1e-4}),
    }
    given |= {kind: (kind, {}) for kind in KINDS if kind not in {one for one, _ in given.values()}}
    return {name: LadderSetup(kind, settings) for name, (kind, settings) in given.items()}


def suited(arena: Arena, setup: LadderSetup, fee_rate: float) -> LadderSetup:
    """Complete a setup with sizes and parameters of the market."""
    settings = suited_settings(
        setup.kind,
        setup.settings,
        capital=CAPITAL,
        mid=arena.mid,
        size_step=arena.size_step,
        fee_rate=fee_rate,
        figures=arena.figures,
    )
    return replace(setup, settings=settings)


def compete(
    arena: Arena, name: str, setup: LadderSetup, fee_bp: float, look_s: float, queue: Queue
) -> Outcome:
    """Replay one policy on one market."""
    market = f"{arena.name}, fee {fee_bp:g} bp"
    options = ReplayOptions(
        size=arena.size_step,
        look_ms=round(1000 * look_s),
        feed_latency_ms=50.0,
        fee_rate=fee_bp * 1e-4,
    )
    ready = suited(arena, setup, options.fee_rate)
    try:
        ready.policy()
    except InputError as error:
        return Outcome.none(market, name, str(error))
    ladder = LadderOptions(account=account_for(ready, CAPITAL))
    return Outcome.of_run(
        market, name, run_ladder(arena.backtest, ready.policy, options, ladder, (queue,))
    )


def drawn_ladders(arena: Arena, fee_bp: float) -> Iterator[DrawnLadder]:
    """Ask each policy for its ladder at the start, and a quarter of the capital longer."""
    mid, half_tick = arena.mid, 0.5 * arena.backtest.data.tick
    for name, setup in contestants(arena).items():
        ready = suited(arena, setup, fee_bp * 1e-4)
        opening = account_for(ready, CAPITAL).opening(mid, arena.size_step)
        longer = LONGER * CAPITAL / mid
        ladders = []
        for title, more in (("at the start", 0.0), ("a quarter of the capital longer", longer)):
            state = MarketState(
                START_MS,
                bids=((mid - half_tick, 1.0),),
                asks=((mid + half_tick, 1.0),),
                inventory=opening.inventory + more,
                quote_balance=opening.cash - more * mid,
                volatility=1e-4,
                usual_volatility=1e-4,
            )
            try:
                ladders.append((title, ready.policy().ladder(state)))
            except InputError:  # parameters that this market could not give
                continue
        if ladders:
            yield DrawnLadder(name, mid, ladders)


WAITS = {
    "front": "They are first in the queue at their price, which flatters.",
    "model": "They join the queue at their price at its end, and move up as orders ahead leave.",
    "back": "They are last in the queue at their price, whoever leaves.",
}
"""What a queue means for an order, for the page."""


def main(argv: list[str] | None = None) -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="twenty minutes of each market")
    parser.add_argument("--minutes", type=float, metavar="MIN", help="of each (default: 60)")
    parser.add_argument(
        "--markets", nargs="*", default=SYNTHETIC, choices=SYNTHETIC, help="synthetic ones"
    )
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="also these recordings")
    parser.add_argument(
        "--fee-bp",
        type=float,
        nargs="+",
        default=[1.5, 0.0],
        metavar="BP",
        help="maker fees (default: 1.5 and 0)",
    )
    parser.add_argument("--look", type=float, default=1.0, metavar="SECONDS", help="(default: 1)")
    parser.add_argument("--queue", choices=QUEUES, default="model", help="(default: model)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the page with the ladders")
    options = parser.parse_args(argv)
    minutes = options.minutes or (20.0 if options.quick else 60.0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        arenas = [
            synthetic_arena(name, minutes, folder)
            for name in progress(options.markets, "recording markets")
        ]
        if options.recordings is not None:
            arenas += recorded_arenas(options.recordings, folder)
        if not arenas:
            raise InputError("there is no market to compare on: name --markets or --recordings")
        tasks = [
            (arena, name, setup, fee)
            for arena in arenas
            for fee in options.fee_bp
            for name, setup in contestants(arena).items()
        ]
        outcomes = [
            compete(arena, name, setup, fee, options.look, options.queue)
            for arena, name, setup, fee in progress(tasks, "replaying")
        ]
        _show(outcomes)
        if options.html is not None:
            ladders = list(drawn_ladders(arenas[0], options.fee_bp[0]))
            lead = (
                f"Every policy begins with {CAPITAL:g} USDC, for {minutes:g} minutes of each "
                f"synthetic market. It looks every {options.look:g} s, and its orders take 50 ms "
                f"to the venue. {WAITS[options.queue]}"
            )
            write_policies_page(options.html, lead, outcomes, ladders, _notes())
    return 0


def _notes() -> list[str]:
    """Return the paragraphs of this module's description, the commands left out."""
    return [" ".join(part.split()) for part in (__doc__ or "").split("\n\n")[:-1]]


def _show(outcomes: Sequence[Outcome]) -> None:
    console = Console()
    console.width = max(console.width, 120)
    for market in dict.fromkeys(one.market for one in outcomes):
        table = Table(title=market, title_justify="left")
        for column in HEADER:
            table.add_column(column, justify="left" if column == "policy" else "right")
        mine = [one for one in outcomes if one.market == market]
        for row in outcome_rows(mine):
            table.add_row(*row)
        console.print(table)
        console.print(verdict_on_market(mine), markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(run(main))
