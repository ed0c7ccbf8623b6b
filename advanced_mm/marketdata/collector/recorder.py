"""Recording of decoded websocket messages as shards. No network, no clock: times are passed in."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata.collector.writer import ShardSink
from advanced_mm.marketdata.feed.watchdog import Remedy, SilentChannel, Watchdog
from advanced_mm.marketdata.feed.wire import DecodedRows, decode
from advanced_mm.marketdata.records import Recording
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata
from advanced_mm.marketdata.silence_log import SILENT, SPEAKS, silence_detail

__all__ = ["GAP_SECONDS", "Recorder"]

GAP_SECONDS: Final = 3.0
"""A longer period without messages is logged as a gap in the coin's connection log."""

_CHANNELS: Final = {"orderbooks": "l2Book", "prices": "bbo", "trades": "trades"}


class Recorder:
    """Collects rows and writes them as shards.

    Every message is kept as received, including replayed trades (marked ``snapshot``); readers drop
    the duplicates. Rows stay in memory until a `flush` has written them.

    Parameters
    ----------
    store : ShardSink
        Store to write to, or a writer in front of one.
    coins : iterable of str
        Coins to record; messages for others are ignored.
    ticks : mapping of str to float, or None
        Price step of each coin, quote currency, written to the shards' metadata if known. See also
        `set_tick`.
    flush_seconds : float
        Longest time a row may stay in memory, seconds of the times passed in.
    watchdog : Watchdog or None
        Detects silent channels; by default one with the default times.
    bad_rows : BadRows or None
        Counts the rows dropped from messages; by default a new one.

    Raises
    ------
    InputError
        If there is no coin or ``flush_seconds`` is not positive.
    """

    def __init__(
        self,
        store: ShardSink,
        coins: Iterable[str],
        ticks: Mapping[str, float] | None,
        flush_seconds: float = 5.0,
        watchdog: Watchdog | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        self.coins = tuple(dict.fromkeys(coins))
        if not self.coins:
            raise InputError("no coin to record: name at least one, such as ETH")
        if not flush_seconds > 0.0:
            raise InputError(f"flush_seconds is {flush_seconds!r}, must be positive")
        self._store = store
        self._watchdog = watchdog or Watchdog(self.coins)
        self._flush_seconds = flush_seconds
        self._ticks = dict(ticks or {})
        self._mids: dict[str, float] = {}
        self._rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        self._oldest_s: float | None = None
        self._sequence = 0
        self._replay_expected: set[str] = set()
        self._last_received_s: dict[str, float] = {}
        self._last_exchange_ms: dict[str, int] = {}
        self.bad_rows = BadRows() if bad_rows is None else bad_rows

    @property
    def messages(self) -> int:
        """Number of messages received."""
        return self._sequence

    @property
    def unwritten_rows(self) -> int:
        """Number of rows in memory."""
        return sum(map(len, self._rows.values()))

    def handle(self, message: Mapping[str, Any], received_s: float) -> None:
        """Record one message; channels without market data are ignored.

        Parameters
        ----------
        message : mapping
            ``{"channel": ..., "data": ...}`` as the venue sends it.
        received_s : float
            Local receive time, seconds since the epoch.

        Raises
        ------
        VenueError
            If the message as a whole is malformed; nothing of it is kept.
        """
        self._sequence += 1
        try:
            rows = decode(message, self.bad_rows)
        except VenueError as error:
            self.bad_rows.add(f"{message.get('channel')} message", str(error))
            raise
        for decoded in rows:
            if decoded.coin in self.coins:
                self._note_gap(decoded.coin, received_s)
                self._take(decoded, received_s)

    def learn(self, recording: Recording) -> None:
        """Learn the usual rates of a coin's channels from an earlier recording."""
        self._watchdog.learn(recording)

    def connected(self, received_s: float) -> None:
        """Note a new connection; each coin's next ``trades`` message is the venue's replay."""
        self._replay_expected = set(self.coins)
        self._last_received_s = dict.fromkeys(self.coins, received_s)
        self._watchdog.connected(received_s)
        for coin in self.coins:
            self._log(coin, received_s, "connect", "")

    def disconnected(self, received_s: float, reason: str) -> None:
        """Note the end of the connection and its reason."""
        self._last_received_s = {}
        self._watchdog.disconnected()
        for coin in self.coins:
            self._log(coin, received_s, "disconnect", reason)

    def look(self, now_s: float) -> list[SilentChannel]:
        """Return the silent channels that need attention; add new ones to the connection log."""
        found = self._watchdog.look(now_s)
        for silent in found:
            coin, channel = silent.coin, silent.channel
            if silent.remedy is Remedy.SUBSCRIBE and channel == "trades":
                self._replay_expected.add(coin)
            if silent.begins:
                detail = silence_detail(channel, silent.seconds)
                self._log(coin, now_s, SILENT, detail, silent.newest_ms)
        return found

    def mid(self, coin: str) -> float | None:
        """Return a coin's newest mid price (quote currency), None before the first."""
        return self._mids.get(coin)

    def set_tick(self, coin: str, tick: float) -> None:
        """Set the price step (quote currency) written to the coin's next shards."""
        self._ticks[coin] = tick

    def flush_due(self, now_s: float) -> bool:
        """Return whether the oldest row has waited ``flush_seconds`` at ``now_s``."""
        return self._oldest_s is not None and now_s - self._oldest_s >= self._flush_seconds

    def flush(self) -> None:
        """Write all rows in memory, one shard per coin and kind.

        Raises
        ------
        InputError
            If the disk cannot be written; unwritten rows stay in memory.
        """
        for coin, kind in list(self._rows):
            columns = zip(*self._rows[coin, kind], strict=True)
            schema = SCHEMAS[kind].with_metadata(shard_metadata(coin, self._ticks.get(coin)))
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
            ]
            self._store.write(coin, kind, pa.Table.from_arrays(arrays, schema=schema))
            del self._rows[coin, kind]
        self._oldest_s = None

    def _take(self, decoded: DecodedRows, received_s: float) -> None:
        coin, kind = decoded.coin, decoded.kind
        before: tuple[Any, ...] = (received_s,)
        after: tuple[Any, ...] = ()
        if kind == "orderbooks":
            before = (received_s, self._sequence)
        elif kind == "trades":
            after = (coin in self._replay_expected,)
            self._replay_expected.discard(coin)
        self._add(coin, kind, [(*before, *row, *after) for row in decoded.rows], received_s)
        self._last_received_s[coin] = received_s
        self._watch(coin, _CHANNELS[kind], decoded.time_ms, received_s)
        self._last_exchange_ms[coin] = decoded.time_ms
        if decoded.mid is not None:
            self._mids[coin] = decoded.mid

    def _watch(self, coin: str, channel: str, time_ms: int, received_s: float) -> None:
        ended = self._watchdog.heard(coin, channel, time_ms, received_s)
        if ended is not None:
            detail = silence_detail(channel, ended.seconds)
            self._log(coin, received_s, SPEAKS, detail, time_ms)

    def _note_gap(self, coin: str, received_s: float) -> None:
        silent_s = received_s - self._last_received_s.get(coin, received_s)
        if silent_s > GAP_SECONDS:
            self._log(coin, received_s, "gap", f"no data for {silent_s:.1f} s")

    def _log(
        self,
        coin: str,
        received_s: float,
        event: str,
        detail: str,
        exchange_ms: int | None = None,
    ) -> None:
        newest_ms = self._last_exchange_ms.get(coin)
        row = (received_s, event, detail, newest_ms if exchange_ms is None else exchange_ms)
        self._add(coin, "connections", [row], received_s)

    def _add(self, coin: str, kind: str, rows: list[tuple[Any, ...]], received_s: float) -> None:
        self._rows.setdefault((coin, kind), []).extend(rows)
        if self._oldest_s is None:
            self._oldest_s = received_s
