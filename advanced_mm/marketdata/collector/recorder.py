"""Recording of decoded websocket messages as shards. No network, no clock: times are passed in."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata.collector.doubts import Doubts, Retold, TradesGap, covered
from advanced_mm.marketdata.collector.waiting_rows import WaitingRows
from advanced_mm.marketdata.collector.writer import ShardSink
from advanced_mm.marketdata.connection_log import CHANNEL_OF, FILLED, GAP, Gap
from advanced_mm.marketdata.feed.watchdog import Remedy, SilentChannel, Watchdog
from advanced_mm.marketdata.feed.wire import DecodedRows, decode
from advanced_mm.marketdata.records import Recording
from advanced_mm.marketdata.silence_log import SILENT, SPEAKS, silence_detail

__all__ = ["GAP_SECONDS", "TRADES_KNOWN", "Recorder", "TradesGap"]

GAP_SECONDS: Final = 3.0
"""A longer period without messages for a coin is logged as a gap, seconds."""

TRADES_KNOWN: Final = 3000
"""Newest trades of a coin that are recognised when the venue tells them again."""

_TID, _TIME = 3, 4  # in a decoded row of trades
_NO_EXTRAS: Final = (None, None, None)


class Recorder:
    """Collects rows and writes them as shards.

    Every message is kept as received, except trades that were recorded before: the venue tells
    recent ones again on each subscription. What it tells then for the first time is marked
    ``snapshot``. Rows stay in memory until a `flush` has written them.

    Whenever data may have been lost, the connection log gets a ``gap`` row with the exchange times
    between which rows may be missing.

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
        self._waiting = WaitingRows(store, ticks or {}, flush_seconds)
        self._watchdog = watchdog or Watchdog(self.coins)
        self._mids: dict[str, float] = {}
        self._sequence = 0
        self._replay_expected: set[str] = set()
        self._retold: dict[str, Retold] = {}
        self._spoilt: set[str] = set()  # coins of whose replay a part was of no use
        self._last_received_s: dict[str, float] = {}
        self._doubts = Doubts(self.coins)
        self._known: dict[str, dict[int, int]] = {coin: {} for coin in self.coins}
        self._to_fill: list[TradesGap] = []
        self.bad_rows = BadRows() if bad_rows is None else bad_rows

    @property
    def messages(self) -> int:
        """Number of messages received."""
        return self._sequence

    @property
    def unwritten_rows(self) -> int:
        """Number of rows in memory."""
        return len(self._waiting)

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
        try:
            rows = decode(message, self.bad_rows)
        except VenueError as error:
            self.bad_rows.add(f"{message.get('channel')} message", str(error))
            raise
        self.take(rows, received_s)

    def take(self, rows: Sequence[DecodedRows], received_s: float) -> None:
        """Record the rows of one message; rows of coins that are not recorded are ignored.

        Parameters
        ----------
        rows : sequence of DecodedRows
            The message, decoded.
        received_s : float
            Local receive time, seconds since the epoch.
        """
        self._sequence += 1
        for decoded in rows:
            if decoded.coin in self._known:
                if decoded.kind == "contexts":
                    newest_ms = self._doubts.newest_ms.get(decoded.coin)
                    taken = [(received_s, *row, newest_ms) for row in decoded.rows]
                    self._waiting.add(decoded.coin, "contexts", taken, received_s)
                else:
                    self._take(decoded, received_s)

    def resume(self, coin: str, newest_ms: Mapping[str, int], trades: Mapping[int, int]) -> None:
        """Continue an earlier recording of a coin, before the first connection.

        Parameters
        ----------
        coin : str
            The coin.
        newest_ms : mapping of str to int
            Exchange time (ms) of its newest row of each kind: what came later was missed.
        trades : mapping of int to int
            Exchange times (ms) of its newest trades by trade id, oldest first.
        """
        self._known[coin].update(trades)
        by_channel = {CHANNEL_OF[kind]: time_ms for kind, time_ms in newest_ms.items()}
        self._doubts.resume(coin, by_channel, "the collector was not running")

    def learn(self, recording: Recording) -> None:
        """Learn the usual rates of a coin's channels from an earlier recording."""
        self._watchdog.learn(recording)

    def connected(self, received_s: float) -> None:
        """Note a new connection; each coin's next ``trades`` message is the venue's replay."""
        self._replay_expected = set(self.coins)
        self._retold.clear()
        self._last_received_s = dict.fromkeys(self.coins, received_s)
        self._watchdog.connected(received_s)
        self._doubts.connected()
        for coin in self.coins:
            self._log(coin, received_s, "connect", "")

    def damaged(self, coins: Collection[str] | None, reason: str) -> None:
        """Note that rows of these coins, or of any if None, are missing from a message."""
        about = self.coins if coins is None else [coin for coin in coins if coin in self._known]
        self._doubts.begin(reason, about)
        self._spoilt |= self._replay_expected.intersection(about)
        for coin in about:
            self._retold.pop(coin, None)  # it tells nothing of what came after it

    def subscribed(self, coin: str, received_s: float) -> None:
        """Note that all subscriptions of a coin are in force."""
        self._log(coin, received_s, "subscribed", "")

    def refused(self, coin: str, received_s: float, complaint: str) -> None:
        """Note that the venue refuses a coin, with its complaint."""
        self._log(coin, received_s, "refused", complaint)

    def disconnected(self, received_s: float, reason: str) -> None:
        """Note the end of the connection and its reason."""
        self._last_received_s = {}
        self._watchdog.disconnected()
        for coin in self.coins:
            for gap in self._doubts.so_far(coin):  # should the collector be ended now
                extras = (gap.channel, gap.start_ms, gap.end_ms)
                self._log(coin, received_s, GAP, gap.reason, gap.start_ms, extras)
        self._doubts.begin(reason)
        for coin in self.coins:
            self._log(coin, received_s, "disconnect", reason)

    def trades_to_fill(self) -> list[TradesGap]:
        """Return the gaps in trades found since the last call, without what was told again."""
        found, self._to_fill = self._to_fill, []
        return found

    def fill(
        self,
        gap: TradesGap,
        rows: Sequence[DecodedRows],
        received_s: float,
        without_break: bool = True,
    ) -> int:
        """Record the venue's recent trades, asked for after a gap, as far as they lie in it.

        Parameters
        ----------
        gap : TradesGap
            The gap.
        rows : sequence of DecodedRows
            The recent trades, in any order.
        received_s : float
            Local receive time, seconds since the epoch.
        without_break : bool
            Whether none of the recent trades is missing, so that the gap ends where they begin.

        Returns
        -------
        int
            Number of trades that were new.
        """
        told = [
            row for one in rows if (one.coin, one.kind) == (gap.coin, "trades") for row in one.rows
        ]
        told.sort(key=lambda row: (row[_TIME], int(row[_TID])))
        if not told:
            return 0
        known = self._known[gap.coin]
        before = any(known.get(int(row[_TID]), math.inf) <= gap.start_ms for row in told)
        new = [
            row
            for row in told
            if gap.start_ms <= row[_TIME] <= gap.end_ms and int(row[_TID]) not in known
        ]
        self._add_trades(gap.coin, new, received_s, backfilled=True)
        if without_break:
            self._log_filled(gap, Retold(told[0][_TIME], before), received_s, len(new))
        return len(new)

    def look(self, now_s: float) -> list[SilentChannel]:
        """Return the silent channels that need attention; add new ones to the connection log."""
        found = self._watchdog.look(now_s)
        for silent in found:
            coin, channel = silent.coin, silent.channel
            if silent.remedy is Remedy.SUBSCRIBE:
                self._doubts.resubscribed(coin, channel)
                if channel == "trades":
                    self._replay_expected.add(coin)
                    self._retold.pop(coin, None)
            if silent.begins:
                detail = silence_detail(channel, silent.seconds)
                self._log(coin, now_s, SILENT, detail, silent.newest_ms)
        return found

    def mid(self, coin: str) -> float | None:
        """Return a coin's newest mid price (quote currency), None before the first."""
        return self._mids.get(coin)

    def set_tick(self, coin: str, tick: float) -> None:
        """Set the price step (quote currency) written to the coin's next shards."""
        self._waiting.set_tick(coin, tick)

    def flush_due(self, now_s: float) -> bool:
        """Return whether the oldest row has waited ``flush_seconds`` at ``now_s``."""
        return self._waiting.due(now_s)

    def flush(self) -> None:
        """Write all rows in memory, one shard per coin and kind.

        Raises
        ------
        InputError
            If the disk cannot be written; unwritten rows stay in memory.
        """
        self._waiting.flush()

    def _take(self, decoded: DecodedRows, received_s: float) -> None:
        coin, kind, time_ms = decoded.coin, decoded.kind, decoded.time_ms
        assert time_ms is not None  # only contexts have none
        channel = CHANNEL_OF[kind]
        if kind == "trades":
            self._take_trades(coin, decoded.rows, received_s)
        else:
            before = (received_s, self._sequence) if kind == "orderbooks" else (received_s,)
            self._waiting.add(coin, kind, [(*before, *row) for row in decoded.rows], received_s)
        if coin in self._last_received_s:  # connected
            self._note_pause(coin, time_ms, received_s)
            self._last_received_s[coin] = received_s
        for gap in self._doubts.heard(coin, channel, time_ms):
            self._log_gap(coin, gap, received_s)
        self._watch(coin, channel, time_ms, received_s)
        if self._doubts.is_live(coin) and not self._doubts.about(coin):
            self._retold.pop(coin, None)  # it tells nothing of later gaps
        if decoded.mid is not None:
            self._mids[coin] = decoded.mid

    def _take_trades(self, coin: str, rows: list[tuple[Any, ...]], received_s: float) -> None:
        known = self._known[coin]
        new = [row for row in rows if int(row[_TID]) not in known]
        is_replay = coin in self._replay_expected
        if is_replay:
            self._replay_expected.discard(coin)
            if coin not in self._spoilt:
                self._retold[coin] = Retold(min(row[_TIME] for row in rows), len(new) < len(rows))
            self._spoilt.discard(coin)
        self._add_trades(coin, new, received_s, snapshot=is_replay)

    def _add_trades(
        self,
        coin: str,
        rows: list[tuple[Any, ...]],
        received_s: float,
        *,
        snapshot: bool = False,
        backfilled: bool = False,
    ) -> None:
        """Add trades that are not known yet; one that comes twice among them is added once."""
        if not rows:
            return
        known = self._known[coin]
        fresh = []
        for row in rows:
            tid = int(row[_TID])
            if tid not in known:
                known[tid] = row[_TIME]
                *figures, position = row
                fresh.append((received_s, *figures, snapshot, position, backfilled))
        while len(known) > TRADES_KNOWN:
            del known[next(iter(known))]
        self._waiting.add(coin, "trades", fresh, received_s)

    def _watch(self, coin: str, channel: str, time_ms: int, received_s: float) -> None:
        ended = self._watchdog.heard(coin, channel, time_ms, received_s)
        if ended is None:
            return
        detail = silence_detail(channel, ended.seconds)
        self._log(coin, received_s, SPEAKS, detail, time_ms)
        if ended.newest_ms is not None and ended.newest_ms <= time_ms:
            self._log_gap(coin, Gap(channel, ended.newest_ms, time_ms, detail), received_s)

    def _note_pause(self, coin: str, time_ms: int, received_s: float) -> None:
        """Put a coin in doubt if nothing came for it although the connection was open.

        Books come twice a second. A pause may show on our clock, or only on the exchange's, if the
        venue skipped messages and a slow line or a busy machine hides it.
        """
        newest_ms = self._doubts.newest_ms.get(coin)
        if newest_ms is None:
            return
        paused_s = received_s - self._last_received_s[coin]
        missing_s = (time_ms - newest_ms) / 1000.0 if self._doubts.is_live(coin) else 0.0
        if max(paused_s, missing_s) > GAP_SECONDS:
            self._retold.pop(coin, None)  # it tells nothing of what came after it
            if not self._doubts.about(coin):
                self._doubts.begin(f"no data for {max(paused_s, missing_s):.1f} s", [coin])

    def _log_gap(self, coin: str, gap: Gap, received_s: float) -> None:
        """Log a gap of a channel, and what the venue has told again of its trades."""
        extras = (gap.channel, gap.start_ms, gap.end_ms)
        self._log(coin, received_s, GAP, gap.reason, gap.start_ms, extras)
        if gap.channel == "trades":
            missing = TradesGap(coin, gap.start_ms, gap.end_ms)
            told = self._log_filled(missing, self._retold.get(coin), received_s, None)
            if told != (gap.start_ms, gap.end_ms):
                self._to_fill.append(missing)

    def _log_filled(
        self, gap: TradesGap, retold: Retold | None, received_s: float, added: int | None
    ) -> tuple[int, int] | None:
        """Log the part of a gap in trades that was told again, if any, and return it."""
        part = covered(gap.start_ms, gap.end_ms, retold)
        if part is not None:
            detail = (
                "trades told again on subscribing"
                if added is None
                else f"recentTrades: {added} trades backfilled"
            )
            self._log(gap.coin, received_s, FILLED, detail, part[0], ("trades", *part))
        return part

    def _log(
        self,
        coin: str,
        received_s: float,
        event: str,
        detail: str,
        exchange_ms: int | None = None,
        extras: tuple[str | None, int | None, int | None] = _NO_EXTRAS,
    ) -> None:
        newest_ms = self._doubts.newest_ms.get(coin) if exchange_ms is None else exchange_ms
        row = (received_s, event, detail, newest_ms, *extras)
        self._waiting.add(coin, "connections", [row], received_s)
