"""A market's past, recorded as the collector would have, so that the first refit need not wait."""

from collections.abc import Mapping
from typing import Any, Protocol

from advanced_mm.markets.market import MarketSource
from advanced_mm.venue.protocol.messages.market_messages import book_message, update_messages

__all__ = ["DEFAULT_HISTORY_MS", "MessageRecorder", "lay_history"]

DEFAULT_HISTORY_MS = 30 * 60_000
"""How long before now a market starts, ms: one calibration window."""

_STEP_MS = 500
_FAST_LEVELS = 5
_SLOW_LEVELS, _SLOW_MS = 20, 5_000
_FLUSH_MS = 5 * 60_000


class MessageRecorder(Protocol):
    """The interface of `marketdata.Recorder` that does not depend on the transport."""

    def handle(self, message: Any, received_s: float) -> None:
        """Take a decoded websocket message, received at local time ``received_s`` (s)."""
        ...

    def flush(self) -> None:
        """Write everything received since the last flush."""
        ...


def lay_history(
    source: MarketSource,
    recorder: MessageRecorder,
    until_ms: int,
) -> int:
    """Run a market to ``until_ms`` and give a recorder the messages it would have received.

    Trades and bbo come block by block, l2Book with 5 levels every 0.5 s and with 20 every 5 s of
    market time, each received the moment it was published. There was no connection, so no
    connection events are logged.

    Parameters
    ----------
    source
        The market, started in the past, for example by `DEFAULT_HISTORY_MS`.
    recorder
        Usually a `marketdata.Recorder`; it is flushed every five minutes and at the end.
    until_ms
        End of the past, exchange ms.

    Returns
    -------
    int
        Number of messages recorded.
    """
    messages = 0

    def record(message: Mapping[str, object], time_ms: int) -> None:
        nonlocal messages
        recorder.handle(message, time_ms / 1000)
        messages += 1

    while source.now_ms < until_ms:
        previous_ms = source.now_ms
        now_ms = min((previous_ms // _STEP_MS + 1) * _STEP_MS, until_ms)
        for update in source.advance(now_ms):
            for message in update_messages(source.spec, update):
                record(message, update.time_ms)
        record(book_message(source.spec, source.book(_FAST_LEVELS)), now_ms)
        if now_ms // _SLOW_MS > previous_ms // _SLOW_MS:
            record(book_message(source.spec, source.book(_SLOW_LEVELS)), now_ms)
        if now_ms // _FLUSH_MS > previous_ms // _FLUSH_MS:
            recorder.flush()
    recorder.flush()
    return messages
