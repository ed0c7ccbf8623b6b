"""Publishing beside a recorder, in a thread that it never waits for."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from advanced_mm.errors import AdvancedMMError
from advanced_mm.marketdata.sharing.clickhouse import SCHEMES, ClickHouse
from advanced_mm.marketdata.sharing.ledger import SharedLedger
from advanced_mm.marketdata.sharing.locations import Location
from advanced_mm.marketdata.sharing.publisher import HOURLY_SECONDS, Place, Publisher
from advanced_mm.marketdata.sharing.remote_folder import RemoteFolder

__all__ = ["place_of", "publishing"]

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 1.0


def place_of(url: str) -> Place:
    """Return the place that an address names: a database, or a folder anywhere.

    Raises
    ------
    InputError
        It names none, or a library is missing for it.
    """
    return ClickHouse(url) if url.partition("://")[0] in SCHEMES else RemoteFolder(Location(url))


@contextmanager
def publishing(
    data_dir: Path, urls: Sequence[str], *, hourly: bool = False, every_seconds: float = 5.0
) -> Iterator[list[Publisher]]:
    """Publish a recording to places until the block ends.

    What has not been sent by then is sent by the next publisher of this data directory: the end
    waits a second at most.

    Parameters
    ----------
    data_dir : Path
        The recording.
    urls : sequence of str
        Places, see `place_of`.
    hourly : bool
        Wait until an hour's shards have been merged.
    every_seconds : float
        Time between two looks for new shards.

    Raises
    ------
    InputError
        A place cannot be used, or another process publishes this data directory to it.
    """
    places = [place_of(url) for url in urls]
    ledgers = [SharedLedger(data_dir, place.url) for place in places]
    delay = HOURLY_SECONDS if hourly else 0.0
    publishers = [
        Publisher(data_dir, place, ledger, delay_seconds=delay)
        for place, ledger in zip(places, ledgers, strict=True)
    ]
    stop = threading.Event()
    threads = [
        threading.Thread(target=_run, args=(publisher, place.url, stop, every_seconds), daemon=True)
        for publisher, place in zip(publishers, places, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield publishers
    finally:
        stop.set()
        for thread in threads:
            thread.join(_PATIENCE_SECONDS / len(threads))
        for thread, ledger in zip(threads, ledgers, strict=True):
            if not thread.is_alive():
                ledger.close()


def _run(publisher: Publisher, url: str, stop: threading.Event, every_seconds: float) -> None:
    try:
        publisher.run(stop, every_seconds)
    except AdvancedMMError as error:
        logger.error("nothing more is published to %s, recording goes on: %s", url, error)
    except Exception:
        logger.exception("nothing more is published to %s, recording goes on", url)
