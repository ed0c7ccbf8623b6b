"""A recording's finished shards to another place, as they appear.

The shards on disk are the queue: the recorder writes them whether or not the place can be reached,
and never waits for it. What a publisher has not sent yet it finds again after an outage or a
restart.
"""

import io
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.coin_folders import coin_folder, coins_below
from advanced_mm.errors import InputError
from advanced_mm.instruments import folder_of
from advanced_mm.marketdata.compaction import is_merging
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import KINDS
from advanced_mm.marketdata.sharing.ledger import SharedLedger, SharedShard, merged_away
from advanced_mm.marketdata.sharing.locations import LocationError

__all__ = ["HOURLY_SECONDS", "Place", "Published", "Publisher"]

logger = logging.getLogger(__name__)

HOURLY_SECONDS: Final = 5400.0
"""By then an hour's shards have been merged."""
_LONGEST_WAIT_SECONDS: Final = 300.0
_LONGEST_REST_SECONDS: Final = 60.0
_SHARE_OF_A_CORE: Final = 0.05
"""Months of many coins take a second to look through; the collector shares its core with that."""


class Place(Protocol):
    """Where shards go. Its methods raise `LocationError` while it cannot be reached."""

    url: str
    """Its address, without passwords."""

    def claim(self, folder: str, owner: str, *, take_over: bool) -> None:
        """Refuse with InputError to write a coin that another data directory writes."""

    def sizes(self, folder: str, kind: str) -> dict[str, int | None]:
        """Return the shards there and their bytes; empty if it does not keep files."""

    def put(self, coin: str, kind: str, name: str, content: bytes) -> None:
        """Take a shard; again if an earlier answer was lost."""

    def replace(self, coin: str, kind: str, name: str, content: bytes, old: Sequence[str]) -> None:
        """Take a shard with the same rows as older ones, which it replaces."""


@dataclass(frozen=True)
class Published:
    """One pass over the shards: files and bytes sent, and files that could not be read."""

    files: int = 0
    size: int = 0
    unreadable: int = 0


class Publisher:
    """Publishes the coins of a data directory to one place.

    Parameters
    ----------
    data_dir : Path
        The recording.
    place : Place
        Where to.
    ledger : SharedLedger
        What has been published already.
    coins : sequence of str
        Coins to publish; by default all that are recorded, also those that appear later.
    delay_seconds : float
        Shards are published this long after the time in their name: 0, or `HOURLY_SECONDS`, after
        which those of a recorder that compacts by the hour go as one file.
    take_over : bool
        Also publish coins that another data directory has published.

    Raises
    ------
    InputError
        The place is the data directory itself.
    """

    def __init__(
        self,
        data_dir: Path,
        place: Place,
        ledger: SharedLedger,
        coins: Sequence[str] = (),
        delay_seconds: float = 0.0,
        *,
        take_over: bool = False,
    ) -> None:
        if Path(place.url.removeprefix("file://")).resolve() == data_dir.resolve():
            raise InputError(f"{place.url} is the recording itself: publish to another folder.")
        self._data_dir = data_dir
        self._place = place
        self._ledger = ledger
        self._coins = tuple(coins)
        self._delay_ms = round(delay_seconds * 1000)
        self._take_over = take_over
        self._claimed: set[str] = set()
        self._unreadable: set[tuple[str, int]] = set()
        self._known: dict[tuple[str, str], dict[str, SharedShard]] = {}
        self._after: dict[tuple[str, str], dict[str, str]] = {}
        self.failures = 0
        """Passes that ended with an error, in all."""

    def step(self, now_s: float) -> Published:
        """Publish what is due at a local time (s); what was sent before an error stays noted.

        Raises
        ------
        LocationError
            The place cannot be reached.
        InputError
            Another data directory publishes one of the coins there.
        """
        total = Published()
        for coin in self._coins or _recorded(self._data_dir):
            folder = folder_of(coin)
            if coin not in self._claimed:
                self._place.claim(folder, self._ledger.owner, take_over=self._take_over)
                self._claimed.add(coin)
            for kind in KINDS:
                sent = self._publish(coin, kind, round(now_s * 1000) - self._delay_ms)
                total = Published(*(a + b for a, b in zip(vars(total).values(), sent, strict=True)))
        return total

    def run(self, stop: threading.Event, every_seconds: float = 5.0) -> None:
        """Publish until ``stop`` is set; log outages at their start and end, and try again.

        Passes come further apart than ``every_seconds`` if there is so much to look through.

        Raises
        ------
        InputError
            Another data directory publishes one of the coins there.
        """
        rng, failed_in_row, wait = random.Random(), 0, every_seconds
        while not stop.is_set():
            used = time.thread_time()
            try:
                done = self.step(time.time())
            except (LocationError, OSError, sqlite3.Error) as error:  # also a full disk passes
                self.failures += 1
                failed_in_row += 1
                level = logging.WARNING if failed_in_row == 1 else logging.DEBUG
                logger.log(level, "publishing waits, nothing is lost: %s", error)
                wait = min(every_seconds * 2**failed_in_row, _LONGEST_WAIT_SECONDS)
            else:
                if failed_in_row:
                    logger.info(
                        "publishing goes on after %d failed tries: %d files were sent",
                        failed_in_row,
                        done.files,
                    )
                failed_in_row, wait = 0, every_seconds
            rest = (time.thread_time() - used) / _SHARE_OF_A_CORE
            wait = max(wait, min(rest, _LONGEST_REST_SECONDS))
            stop.wait(wait * rng.uniform(0.8, 1.2))

    def _publish(self, coin: str, kind: str, before_ms: int) -> tuple[int, int, int]:
        folder = folder_of(coin)
        files = shard_files(coin_folder(self._data_dir, coin), kind)
        known = self._known_of(folder, kind)
        names = [file.path.rpartition("/")[2] for file in files]
        present = set(names)
        looked, self._after[folder, kind] = self._after.get((folder, kind), {}), {}
        after = self._after[folder, kind]
        sent = size_sent = unreadable = 0
        for file, name, before in zip(files, names, ["", *names], strict=False):
            if name in known and looked.get(name) == before:
                after[name] = before
                continue  # a file changes only when those before it are merged into it
            path = Path(file.path)
            try:
                size = path.stat().st_size
                if file.name_ms > before_ms:
                    continue
                if name in known and known[name].size == size:
                    after[name] = before
                    continue
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # merged or deleted since
            if is_merging(path.parent) or (before and not path.with_name(before).exists()):
                break  # what was listed is being merged: the next pass sees the result
            rows = _row_count(content)
            if rows is None:
                unreadable += 1
                if (file.path, size) not in self._unreadable:
                    self._unreadable.add((file.path, size))
                    logger.warning("%s is not published: it is not readable", file.path)
                continue
            old = merged_away(known, present, name, kind, rows)
            if old:
                self._place.replace(coin, kind, name, content, old)
            else:
                self._place.put(coin, kind, name, content)
            known[name] = SharedShard(len(content), rows)
            self._ledger.add(folder, kind, name, known[name])
            for gone in old:
                self._ledger.drop(folder, kind, gone)
                del known[gone]
            after[name] = before
            sent, size_sent = sent + 1, size_sent + len(content)
        return sent, size_sent, unreadable

    def _known_of(self, folder: str, kind: str) -> dict[str, SharedShard]:
        """Return what is published; of shards that only the place remembers, rows are unknown."""
        if (folder, kind) not in self._known:
            known = self._ledger.shards(folder, kind)
            there = {} if known else self._place.sizes(folder, kind)
            known |= {name: SharedShard(size, -1) for name, size in there.items() if size}
            self._known[folder, kind] = known
        return self._known[folder, kind]


def _recorded(data_dir: Path) -> list[str]:
    """Return the recorded coins, none before the recorder has made the folder."""
    return coins_below(data_dir) if data_dir.is_dir() else []


def _row_count(content: bytes) -> int | None:
    try:
        return int(pq.read_metadata(io.BytesIO(content)).num_rows)
    except (pa.ArrowException, OSError):
        return None
