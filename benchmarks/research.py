"""Time to compute the research report's columns on a day of one-second candles.

Beside them the cells of the notebook that the columns come from, as they are, in the same process
and on the same day, by processor time. The notebook's score is timed on some rows and scaled to
the day: in full it takes minutes.

    python benchmarks/research.py                             # ten seconds
    python benchmarks/research.py --rows 2592000 --scored 0   # a month of seconds, and its memory
"""

import argparse
import contextlib
import io
import resource
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
from advanced_mm.research import flow, making, microstructure, volatility
from advanced_mm.research.candles import Candles
from advanced_mm.research.columns import COLUMNS, columns
from benchmarks.research_notebook import CELLS, SCORE

__all__ = ["main"]

LIMIT_S: Final = 1.5
LEAST_FACTOR: Final = 5.0
GROUPS: Final = {
    "volatility and ranges": volatility.TABLE,
    "volume and flow": flow.TABLE,
    "microstructure": microstructure.TABLE,
    "making": making.TABLE,
}


def a_day(rows: int, seed: int = 7) -> Candles:
    """Return candles of a second of a quiet market: a trade a second on average."""
    rng = np.random.default_rng(seed)
    trades = rng.poisson(1.0, rows)
    price = 0.27 * np.exp(np.cumsum(rng.normal(0.0, 3e-5, rows)))
    traded = np.round(price + rng.choice([-1e-4, 1e-4], rows) / 2, 4)
    traded[0], trades[0] = np.round(price[0], 4), 1
    last = np.maximum.accumulate(np.where(trades > 0, np.arange(rows), 0))
    close = traded[last]
    opened = np.where(trades > 1, close + rng.choice([-1e-4, 0.0, 1e-4], rows), close)
    volume = trades * rng.exponential(500.0, rows)
    bought = volume * rng.uniform(size=rows)
    average = (opened + close) / 2
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": volume,
            "quote_volume": volume * average,
            "trades": trades.astype(float),
            "taker_buy_volume": bought,
            "taker_buy_quote_volume": bought * average,
        },
        index=pd.date_range("2025-09-08", periods=rows, freq="s", tz="UTC"),
    )
    return Candles(frame, 1, "a quiet market")


def of_the_notebook(candles: Candles) -> pd.DataFrame:
    """Return the candles as the notebook has them."""
    names = {"trades": "n_trades", "taker_buy_volume": "taker_buy_base_volume"}
    return candles.frame.rename(columns=names)


def notebook_seconds(candles: Candles, scored: int) -> tuple[dict[str, float], float]:
    """Run the notebook's cells; return processor time of each group, and of its score for a day."""
    names: dict[str, Any] = {
        "candles": SimpleNamespace(data=of_the_notebook(candles)),
        "np": np,
        "pd": pd,
    }
    spent = {}
    score = 0.0
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group, cells in CELLS.items():
            spent[group] = 0.0
            for cell in cells:
                code = compile(cell, group, "exec")
                started = time.process_time()
                exec(code, names)
                spent[group] += time.process_time() - started
                if "mm_opportunity_score" in names and not score:
                    part = dict(names, df=names["df"].iloc[-scored:])
                    started = time.process_time()
                    values = eval(SCORE, part)
                    score = (time.process_time() - started) * len(candles.frame) / scored
                    names["df"]["mm_opportunity_score"] = values
    return spent, score


def seconds_of(candles: Candles, names: Iterable[str]) -> float:
    """Return the processor time of some of our columns."""
    started = time.process_time()
    columns(candles, names)
    return time.process_time() - started


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 1 if all columns took too long or were not enough faster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=86_400, help="candles (default: a day)")
    parser.add_argument(
        "--scored", type=int, default=500, help="rows scored by the notebook; 0 leaves it out"
    )
    options = parser.parse_args(argv)
    console = Console()
    candles = a_day(options.rows)
    columns(a_day(100))  # compiles
    ours = {"all": seconds_of(candles, COLUMNS)}
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    console.print(f"{options.rows:,} candles: {ours['all']:.2f} s, {peak_gb:.2f} GB at most")
    if not options.scored:
        return 0
    ours["all but the score"] = seconds_of(candles, COLUMNS.keys() - {"mm_opportunity_score"})
    for group, table in GROUPS.items():
        ours[group] = seconds_of(candles, table)
    theirs, score = notebook_seconds(candles, min(options.scored, options.rows))
    theirs["all but the score"] = sum(theirs.values())
    theirs["making"] += score
    theirs["all"] = theirs["all but the score"] + score
    shown = Table("", "ours, s", "notebook, s", "times")
    for group in (*GROUPS, "all but the score", "all"):
        factor = theirs[group] / ours[group]
        shown.add_row(group, f"{ours[group]:.3f}", f"{theirs[group]:.3f}", f"{factor:,.1f}")
    console.print(shown)
    fast = ours["all"] < LIMIT_S and theirs["all"] > LEAST_FACTOR * ours["all"]
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())
