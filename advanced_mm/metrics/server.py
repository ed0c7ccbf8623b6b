"""Offers metrics to Prometheus on a port of this machine."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from advanced_mm.metrics.table import BY_NAME, Sample

__all__ = ["MetricsServer", "Source"]

logger = logging.getLogger(__name__)

_ADDRESS: Final = "127.0.0.1"

Source = Callable[[], Iterable[Sample]]
"""Tells what a process knows now; called by the server's thread whenever it is asked."""


class MetricsServer:
    """Answers on 127.0.0.1 from a thread of its own, until it is closed.

    A port that is taken is logged, and what the process is for goes on. A source that fails is left
    out of the answer and counted.

    Parameters
    ----------
    port
        Of 127.0.0.1; 0 takes a free one, see `port`.
    sources
        What is known, in any number of parts.
    """

    def __init__(self, port: int, *sources: Source) -> None:
        registry = CollectorRegistry()
        registry.register(_Table(sources))
        ProcessCollector(registry=registry)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None
        try:
            self._server, self._thread = start_http_server(port, _ADDRESS, registry)
        except OSError as error:
            logger.error(
                "no metrics: port %d of %s cannot be had (%s); choose another one and start again",
                port,
                _ADDRESS,
                error,
            )
            return
        logger.info("metrics at http://%s:%d/metrics", _ADDRESS, self.port)

    @property
    def port(self) -> int:
        """The port it answers on; 0 if it could not be had."""
        return 0 if self._server is None else int(self._server.server_port)

    def close(self) -> None:
        """End the thread and free the port."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> "MetricsServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Table(Collector):
    """Makes families of samples, which all are of the table."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)
        self._errors = 0
        self._told: set[str] = set()

    def describe(self) -> list[Metric]:
        """Return nothing: else registering it would ask the sources."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask all sources."""
        families: dict[str, Any] = {}
        for source in self._sources:
            for sample in self._asked(source):
                _add(families, sample)
        _add(families, Sample("metrics_errors_total", self._errors))
        yield from families.values()

    def _asked(self, source: Source) -> list[Sample]:
        try:
            return list(source())
        except Exception as error:
            self._errors += 1
            if repr(error) not in self._told:
                self._told.add(repr(error))
                logger.warning("some metrics cannot be had: %r", error)
            return []


def _add(families: dict[str, Any], sample: Sample) -> None:
    metric = BY_NAME[sample.metric]
    family = families.get(metric.name)
    if family is None:
        make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = families[metric.name] = make(
            metric.full_name, f"{metric.means} ({metric.unit})", labels=metric.labels
        )
    family.add_metric(sample.labels, sample.value)
