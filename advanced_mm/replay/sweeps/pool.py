"""Where trials run: in this process, in processes of a local Dask cluster, or on another one."""

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from advanced_mm.errors import InputError

__all__ = ["Pool", "open_pool"]

J = TypeVar("J")
R = TypeVar("R")

_CONNECT_S = 30


class Pool(Protocol):
    """Runs a function on each of some jobs."""

    def __call__(
        self, function: Callable[[J], R], jobs: Sequence[J], done: Callable[[], object]
    ) -> list[R]:
        """Return the results in the order of the jobs; ``done`` is called after each."""


@contextmanager
def open_pool(workers: int, scheduler: str | None = None) -> Iterator[Pool]:
    """Open the pool: a scheduler if one is named, else so many processes, this one if only one.

    The local cluster listens on 127.0.0.1 only. Workers of another one need this package, and the
    recordings under the same path.

    Raises
    ------
    InputError
        The scheduler cannot be reached, or a worker died.
    """
    if scheduler is None and workers == 1:
        yield _here
        return
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with _client(workers, scheduler) as client:
        yield lambda function, jobs, done: _on(client, function, jobs, done)


def _here(function: Callable[[J], R], jobs: Sequence[J], done: Callable[[], object]) -> list[R]:
    results = []
    for job in jobs:
        results.append(function(job))
        done()
    return results


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,  # converted recordings are shared pages, which Dask would count
                silence_logs=logging.ERROR,
            ) as cluster,
            Client(cluster) as client,
        ):
            client.run(_ignore_interrupts)
            yield client
        return
    try:
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--scheduler {scheduler}: no Dask scheduler can be reached there ({error}); start one "
            "with `dask scheduler`, and workers with `dask worker`"
        ) from None
    with client:
        yield client


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on(
    client: Client, function: Callable[[J], R], jobs: Sequence[J], done: Callable[[], object]
) -> list[R]:
    futures = [client.submit(function, job, pure=False) for job in jobs]
    try:
        for future in as_completed(futures):
            future.result()
            done()
        return [future.result() for future in futures]
    except KilledWorker as error:
        raise InputError(
            f"a worker died several times ({error}); if memory ran out, use fewer --workers"
        ) from None
    finally:
        client.cancel(futures)
