"""All metrics, in one place: names, types, units, labels and what they mean.

Names follow Prometheus' conventions: a prefix, what is measured, the base unit, ``_total`` where
it only grows. Money is in the quote currency, sizes are in the base currency.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

__all__ = ["BY_NAME", "METRICS", "PREFIX", "Metric", "Sample"]

PREFIX: Final = "advanced_mm_"

Kind = Literal["counter", "gauge"]
Process = Literal["collector", "runner", "bot", "maker"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    ``name`` is without `PREFIX`; ``unit`` and ``means`` are words; ``of`` are the processes that
    have it.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    of: tuple[Process, ...]
    means: str

    @property
    def full_name(self) -> str:
        """The name as Prometheus has it."""
        return PREFIX + self.name


class Sample(NamedTuple):
    """A value of a metric; ``labels`` are in the order of the metric's."""

    metric: str
    value: float
    labels: tuple[str, ...] = ()


_BOT_COIN: Final = ("bot", "coin")
_TRADING: Final[tuple[Process, ...]] = ("bot", "maker")
_COLLECTOR: Final[tuple[Process, ...]] = ("collector",)
_RUNNER: Final[tuple[Process, ...]] = ("runner",)

METRICS: Final = (
    Metric("messages_total", "counter", "messages", (), _COLLECTOR, "received from the venue"),
    Metric("recorded_rows_total", "counter", "rows", (), _COLLECTOR, "written to disk"),
    Metric("recorded_bytes_total", "counter", "bytes", (), _COLLECTOR, "written to disk"),
    Metric("gaps_total", "counter", "gaps", (), _COLLECTOR, "noted in the recording"),
    Metric("unwritten_rows", "gauge", "rows", (), _COLLECTOR, "in memory, not on disk yet"),
    Metric(
        "dropped_rows_total", "counter", "rows", (), _COLLECTOR,
        "given up as the disk could not be written for too long",
    ),
    Metric(
        "lag_seconds", "gauge", "seconds", ("percentile",), _COLLECTOR,
        "from the venue's time to receipt, over the rows of the last status line; 50 and 99",
    ),
    Metric(
        "recording_newest_timestamp_seconds", "gauge", "seconds since 1970", ("coin",), _COLLECTOR,
        "receipt of the newest row on disk",
    ),
    Metric("refits_total", "counter", "refits", ("coin",), _RUNNER, "published"),
    Metric(
        "refit_errors_total", "counter", "errors", (), _RUNNER,
        "coins that could not be fitted, and publications that failed",
    ),
    Metric(
        "refit_duration_seconds", "gauge", "seconds", ("coin",), _RUNNER,
        "reading, fitting and solving, of the newest refit",
    ),
    Metric(
        "refit_status", "gauge", "1", ("coin", "estimate", "status"), _RUNNER,
        "1 for the status that lambda, kappa and epsilon have now",
    ),
    Metric(
        "parameters_published_timestamp_seconds", "gauge", "seconds since 1970", ("coin",),
        ("runner", "bot"), "publication of the newest parameters",
    ),
    Metric(
        "parameters_fitted_timestamp_seconds", "gauge", "seconds since 1970", ("coin",),
        ("runner", "bot"), "newest data that they rest on",
    ),
    Metric("window_seconds", "gauge", "seconds", ("coin",), _RUNNER, "data that were fitted"),
    Metric(
        "lambda_per_second", "gauge", "1 per second", ("coin", "side"), _RUNNER,
        "market orders; side ask: buys, which reach asks",
    ),
    Metric(
        "kappa_per_quote", "gauge", "1 per quote currency", ("coin", "side"), _RUNNER,
        "decay of fills with depth",
    ),
    Metric(
        "epsilon_quote", "gauge", "quote currency", ("coin", "side"), _RUNNER,
        "move of the price with a fill",
    ),
    Metric(
        "clock_offset_seconds", "gauge", "seconds", ("coin",), ("runner", "bot"),
        "this machine's clock ahead of the venue's, the way of messages included; the bot's is the "
        "least of the last minute",
    ),
    Metric(
        "profit_quote", "gauge", "quote currency", ("coin",), _RUNNER,
        "change of equity of all bots since the runner started",
    ),
    Metric(
        "profit_part_quote", "gauge", "quote currency", ("coin", "part"), _RUNNER,
        "its parts: spread_captured, adverse_selection, inventory, fees, funding",
    ),
    Metric(
        "edge_ratio", "gauge", "share of the price", ("coin", "kind"), _RUNNER,
        "mean edge of fills after fees: as expected, and realised (their markout)",
    ),
    Metric("judged_fills", "gauge", "fills", ("coin",), _RUNNER, "those whose edges are known"),
    Metric(
        "quotes_sent_total", "counter", "orders", (*_BOT_COIN, "side"), _TRADING, "sent to rest"
    ),
    Metric(
        "quotes_ended_total", "counter", "orders", (*_BOT_COIN, "outcome"), _TRADING,
        "filled, partial, cancelled or refused",
    ),
    Metric("fills_total", "counter", "fills", (*_BOT_COIN, "side"), _TRADING, "of own orders"),
    Metric(
        "turnover_quote_total", "counter", "quote currency", _BOT_COIN, _TRADING, "value of fills"
    ),
    Metric("fees_quote", "gauge", "quote currency", _BOT_COIN, _TRADING, "paid, less rebates"),
    Metric("funding_quote", "gauge", "quote currency", _BOT_COIN, _TRADING, "received, less paid"),
    Metric(
        "spread_captured_quote", "gauge", "quote currency", _BOT_COIN, _TRADING,
        "by how much fills were better than the mid seen with them",
    ),
    Metric(
        "market_profit_quote", "gauge", "quote currency", _BOT_COIN, ("maker",),
        "since its start, at the mid, fees and hedges included, funding not; what spread_captured "
        "less fees does not explain of it is moves of the price",
    ),
    Metric("inventory_base", "gauge", "base currency", _BOT_COIN, _TRADING, "signed position"),
    Metric(
        "inventory_limit_ratio", "gauge", "share", _BOT_COIN, _TRADING,
        "of what may be held, either way",
    ),
    Metric(
        "account_profit_quote", "gauge", "quote currency", ("bot",), _TRADING,
        "since the first trade, open positions included; of a maker, per market",
    ),
    Metric(
        "drawdown_limit_ratio", "gauge", "share", _BOT_COIN, _TRADING,
        "of the drawdown at which entries pause; no coin where it is of the account",
    ),
    Metric(
        "guard_active", "gauge", "1", (*_BOT_COIN, "guard", "does"), _TRADING,
        "1 while a guard pauses or widens entries",
    ),
    Metric(
        "refused", "gauge", "1", (*_BOT_COIN, "kind"), _TRADING,
        "1 while nothing is quoted, by the kind of reason",
    ),
    Metric(
        "requests_left", "gauge", "requests", ("bot",), _TRADING,
        "that the venue still allows the address; of a maker, per account on Hyperliquid",
    ),
    Metric("loops_total", "counter", "loops", ("bot",), _TRADING, "begun"),
    Metric(
        "loop_seconds_total", "counter", "seconds", ("bot",), _TRADING,
        "in loops, from the beginning of each to its end; of a maker, what its beat of a second "
        "came late",
    ),
    Metric(
        "loop_timestamp_seconds", "gauge", "seconds since 1970", ("bot",), _TRADING,
        "beginning of the newest loop",
    ),
    Metric(
        "metrics_errors_total", "counter", "errors", (),
        ("collector", "runner", "bot", "maker"), "figures that could not be had when asked for",
    ),
)  # fmt: skip
"""All metrics."""

BY_NAME: Final = {metric.name: metric for metric in METRICS}
