"""Replay a recording tick by tick: what a configuration would have earned, and how sure that is."""

import argparse
import json
import sys
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from rich.console import Console

from advanced_mm.calibration.command import add_history_options, asked_coin, recalibrated_history
from advanced_mm.cli import configure_logging, progress, run, writing_page
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import FairPrice, Settings, load_settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.performance import HORIZON_S
from advanced_mm.policies import KINDS
from advanced_mm.replay import QUEUES, FundingRates, Queue, ReplayOptions
from advanced_mm.replay.backtest import OPTIMAL, Backtest, Policy
from advanced_mm.replay.journal import write_journal
from advanced_mm.replay.ladders import FairPrices, LadderOptions, run_ladder
from advanced_mm.replay.ladders.setup import LadderSetup, account_for, ladder_setup
from advanced_mm.replay.ladders.suited import needs_figures, suited_to
from advanced_mm.replay.policies import PolicyRun, compare_policies, run_policy
from advanced_mm.report.performance_table import performance_table
from advanced_mm.report.replay_report import (
    ReplayReport,
    notes_of,
    replay_columns,
    replay_json,
    replay_table,
    verdict_of,
    write_replay_page,
)

T = TypeVar("T")

TABLE_WIDTH = 120
HOUR_MS = 3_600_000
STAKE = 100.0
CAPITAL = 10_000.0
RECORDED = "recorded"
LARGEST_FUNDING = 0.04


def main(argv: list[str] | None = None) -> int:
    """Replay and show."""
    options = _parser().parse_args(argv)
    configure_logging()
    if None not in (options.since, options.until) and options.since > options.until:
        raise InputError("--since lies after --until: no time is left between them")
    settings, configured = load_settings(options.config)
    settings = _changed(settings, options)
    coin = asked_coin(options, configured)
    quoted = _asked(options, coin)
    history = None
    if _needs_refits(quoted, options):
        history = CalibrationHistory(recalibrated_history(options, settings))
    backtest = Backtest.load(
        options.data_dir, coin, history, options.since, options.until, progress
    )
    if isinstance(quoted, LadderSetup):
        runs = _ladders(backtest, quoted, settings, options)
    else:
        runs = _runs(backtest, quoted, settings, options)
    judged = {
        queue: runs[0].performance(backtest, queue, options.horizon) for queue in runs[0].results
    }
    report = ReplayReport(backtest, runs, judged, options.horizon)
    if options.html is not None:
        with writing_page(options.html, quiet=options.json):
            write_replay_page(options.html, report)
    if options.journal is not None:
        for queue, result in runs[0].results.items():
            write_journal(result.renamed(queue), options.journal)
    if options.json:
        print(json.dumps(replay_json(report), indent=1, allow_nan=False))
    else:
        _show(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add_history_options(parser)
    parser.add_argument(
        "--policy",
        default=OPTIMAL,
        metavar="optimal|fixed:BP|KIND",
        help="the model's depths, always the same distance from the mid, or a policy's ladder: "
        f"{', '.join(KINDS)} (default: optimal)",
    )
    parser.add_argument(
        "--policy-settings",
        metavar="FILE|JSON",
        help="settings of a ladder's policy: JSON, a file of JSON or YAML, or a maker's file "
        "(default: the policy's own)",
    )
    parser.add_argument(
        "--capital",
        type=float,
        metavar="USDC",
        help=f"of a ladder's account (default: {CAPITAL:g})",
    )
    parser.add_argument(
        "--account",
        choices=("spot", "perpetual"),
        help="of a ladder: spot sells only what it holds (default: spot for policies with a target "
        "share of inventory, else perpetual)",
    )
    parser.add_argument(
        "--init-ratio",
        type=float,
        metavar="SHARE",
        help="of the capital that is inventory at the start (default: the policy's target)",
    )
    parser.add_argument(
        "--leverage",
        type=float,
        metavar="TIMES",
        help="bound of a perpetual position, in multiples of the capital (default: 1)",
    )
    parser.add_argument(
        "--fair-price",
        choices=get_args(FairPrice),
        help="price that distances are from: mid, or imbalance, the mid moved by what the sizes at "
        "the touch foretell by the newest parameters (default: setting fair_price for the model's "
        "depths, mid for a fixed distance)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also replay the optimal depths without the limits on edge and toxicity, fixed "
        "spreads of 1, 2, 3 and 5 bp, and of the same mean depth; with a ladder: the other "
        "policies' with their own settings and the same capital",
    )
    parser.add_argument(
        "--queue",
        choices=(*QUEUES, "all"),
        default="all",
        help="assumed place in the queue (default: all three)",
    )
    parser.add_argument(
        "--look", type=float, default=1.0, metavar="SECONDS", help="between two looks (default: 1)"
    )
    latency = parser.add_mutually_exclusive_group()
    latency.add_argument(
        "--latency-ms",
        type=float,
        default=50.0,
        metavar="MS",
        help="to place and to cancel (default: 50)",
    )
    latency.add_argument(
        "--latencies",
        type=Path,
        metavar="FILE",
        help="draw the latency from this file instead: one number of milliseconds a line",
    )
    parser.add_argument(
        "--feed-latency-ms",
        type=_feed_latency,
        metavar="MS|recorded",
        help="age of the book as we see it; recorded: as the recorder received it (default: as "
        "long as an order takes)",
    )
    parser.add_argument(
        "--stake", type=float, metavar="USDC", help=f"of an order (default: {STAKE:g})"
    )
    parser.add_argument(
        "--inventory",
        metavar="LOW:HIGH",
        help="units of the stake that may be held, as in --inventory=-3:3 (default: settings q_min "
        "and q_max)",
    )
    parser.add_argument(
        "--fee-bp",
        type=float,
        metavar="BP",
        help="maker fee, negative for a rebate (default: setting fee_rate)",
    )
    parser.add_argument(
        "--funding-rate",
        type=float,
        metavar="RATE",
        help="share of the position's value that longs pay at each whole hour (default: none)",
    )
    parser.add_argument(
        "--horizon",
        type=float,
        default=HORIZON_S,
        metavar="SECONDS",
        help="the mid's move within it counts as adverse selection (default: %(default)g)",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="DIR",
        help="also write each replay as a journal of its own, bots front, model and back, for "
        "scripts/performance_report.py",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page")
    return parser


def _asked(options: argparse.Namespace, coin: str) -> Policy | LadderSetup:
    """Return the policy asked for."""
    kind = options.policy.lower().replace("-", "_")
    _check_ladder_options(options, kind in KINDS)
    if kind in KINDS:
        return ladder_setup(kind, options.policy_settings, coin)
    policy = Policy.parse(options.policy)
    if options.fair_price == "imbalance" and policy.fixed_bp is not None:
        return policy.from_fair()
    return policy


def _needs_refits(asked: Policy | LadderSetup, options: argparse.Namespace) -> bool:
    """Whether the replay reads what was calibrated."""
    if isinstance(asked, LadderSetup):
        needs = options.compare or needs_figures(asked.kind, asked.settings)
        return bool(needs or options.fair_price == "imbalance")
    return asked.fixed_bp is None or options.compare or options.fair_price is not None


def _check_ladder_options(options: argparse.Namespace, ladder: bool) -> None:
    """Refuse options that would play no part."""
    own = ("policy_settings", "capital", "account", "init_ratio", "leverage")
    others = ("stake", "inventory")
    for name in others if ladder else own:
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} plays no part with --policy {options.policy}: "
                + ("the policy's settings and --capital bound its orders" if ladder else "")
                + ("" if ladder else f"it is for ladders, --policy {'|'.join(KINDS)}")
            )


def _changed(settings: Settings, options: argparse.Namespace) -> Settings:
    """Return the settings with what the command line says otherwise."""
    changes: dict[str, float | int | str | None] = {}
    if options.fair_price is not None:
        changes["fair_price"] = options.fair_price
    if options.fee_bp is not None:
        changes["fee_rate"] = options.fee_bp / 1e4
    if options.inventory is not None:
        low, _, high = options.inventory.partition(":")
        try:
            changes |= {"q_min": int(low), "q_max": int(high)}
            if settings.inventory_mode is not None:  # it would contradict the bounds asked for
                changes |= {"inventory_mode": None, "leg": None, "sides": "both", "size": None}
        except ValueError:
            raise InputError(
                f"--inventory {options.inventory!r} must be LOW:HIGH in whole units, such as 0:1"
            ) from None
    if not changes:
        return settings
    return Settings.from_config({"market_making": settings.model_dump() | changes})


def _runs(
    backtest: Backtest, policy: Policy, settings: Settings, options: argparse.Namespace
) -> list[PolicyRun]:
    size = backtest.order_size(STAKE if options.stake is None else options.stake)
    market = _market(backtest, settings, options, size)
    compared: list[PolicyRun] = []
    if options.compare:
        compared = compare_policies(backtest, settings, market, _queues(options), progress)
        if compared[0].name == policy.name:
            return compared
    return [run_policy(backtest, policy, settings, market, _queues(options)), *compared]


def _ladders(
    backtest: Backtest, first: LadderSetup, settings: Settings, options: argparse.Namespace
) -> list[PolicyRun]:
    """Replay a policy's ladder, then with --compare those of the other kinds."""
    market = _market(backtest, settings, options, backtest.data.lot)
    asked = [first]
    if options.compare:
        asked += [LadderSetup(kind, {}, first.volatility) for kind in KINDS if kind != first.kind]
    fair = None
    if options.fair_price == "imbalance":
        table = backtest.decisions(Policy.fixed(0.0).from_fair(), settings, market.grid)
        assert table.beta is not None
        fair = FairPrices(table.time_ms, table.beta)
    capital = CAPITAL if options.capital is None else options.capital
    runs = []
    for one in progress(asked, "replaying"):
        account = account_for(
            one,
            capital,
            spot=None if options.account is None else options.account == "spot",
            init_ratio=options.init_ratio,
            leverage=1.0 if options.leverage is None else options.leverage,
        )
        ladder = LadderOptions(
            account=account,
            large_order_multiple=settings.large_order_multiple,
            volatility=one.volatility,
        )
        suited = suited_to(backtest, one, account, market.fee_rate)
        runs.append(run_ladder(backtest, suited.policy, market, ladder, _queues(options), fair))
    return runs


def _queues(options: argparse.Namespace) -> tuple[Queue, ...]:
    return QUEUES if options.queue == "all" else (options.queue,)


def _market(
    backtest: Backtest, settings: Settings, options: argparse.Namespace, size: float
) -> ReplayOptions:
    if not 0.001 <= options.look < 86_400:
        raise InputError(f"--look {options.look:g} must be 0.001 to 86400 seconds")
    drawn = _latencies(options.latencies)
    feed = options.feed_latency_ms
    if feed is None:
        feed = options.latency_ms if drawn is None else float(np.median(drawn))
    elif feed == RECORDED:
        feed = None
    return ReplayOptions.of_settings(
        settings,
        size=size,
        look_ms=round(options.look * 1000),
        latency_ms=options.latency_ms,
        feed_latency_ms=feed,
        latencies_ms=drawn,
        funding=_funding(backtest, options.funding_rate),
    )


def _feed_latency(text: str) -> float | str:
    return text if text == RECORDED else float(text)


def _latencies(path: Path | None) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
    if path is None:
        return None
    try:
        return np.array([float(line) for line in path.read_text().split()])
    except OSError as error:
        raise InputError(f"--latencies {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"--latencies {path} must have one number a line: {error}") from None


def _funding(backtest: Backtest, rate: float | None) -> FundingRates | None:
    if rate is None:
        return None
    if not abs(rate) <= LARGEST_FUNDING:
        raise InputError(
            f"--funding-rate {rate:g} is a share of the value an hour, at most {LARGEST_FUNDING:g} "
            "at this venue"
        )
    hours = np.arange(-(-backtest.start_ms // HOUR_MS), backtest.end_ms // HOUR_MS + 1) * HOUR_MS
    return FundingRates(hours.astype(np.int64), np.full(len(hours), rate))


def _show(report: ReplayReport) -> None:
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    console.print(replay_table(report.runs, f"Replay: {report.backtest.data.coin}"))
    title = report.asked.name
    console.print(performance_table(replay_columns(report), title, report.horizon_s))
    for sentence in (verdict_of(report), *notes_of(report)):
        console.print(sentence, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(run(main))
