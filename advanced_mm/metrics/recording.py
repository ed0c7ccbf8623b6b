"""What a collector knows, as metrics."""

from collections.abc import Iterator

from advanced_mm.marketdata.collector.status import CollectorNumbers
from advanced_mm.metrics.table import Sample

__all__ = ["recording_samples"]


def recording_samples(numbers: CollectorNumbers) -> Iterator[Sample]:
    """Yield the metrics of a collector."""
    yield Sample("messages_total", numbers.messages)
    yield Sample("recorded_rows_total", numbers.rows)
    yield Sample("recorded_bytes_total", numbers.bytes)
    yield Sample("gaps_total", numbers.gaps)
    yield Sample("unwritten_rows", numbers.unwritten_rows)
    yield Sample("dropped_rows_total", numbers.dropped_rows)
    for percentile, lag_ms in zip(("50", "99"), numbers.lags_ms or (), strict=False):
        yield Sample("lag_seconds", lag_ms / 1000, (percentile,))
    for coin, newest_s in numbers.newest_s.items():
        yield Sample("recording_newest_timestamp_seconds", newest_s, (coin,))
