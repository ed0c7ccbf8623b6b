"""How the venue opens: a market, a stretch of its past, and candles for the days before that."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.marketdata.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.paper.candles import MAX_SNAPSHOT, MINUTE_MS
from advanced_mm.paper.history import lay_history
from advanced_mm.paper.market import MarketSource
from advanced_mm.paper.recorded_books import read_books
from advanced_mm.paper.replay import ReplayMarket
from advanced_mm.paper.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.paper.venue import Venue

__all__ = ["VenueOptions", "open_venue"]

logger = logging.getLogger(__name__)

COIN_NAME = re.compile(r"[A-Za-z0-9]+")
MAX_HISTORY_MINUTES = 24 * 60


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """What trades at the venue, and from when.

    Attributes
    ----------
    coin
        The coin's name.
    replay
        Data directory of a recording to play; None for the synthetic market.
    seed
        Seed of the synthetic market and of the made-up candles.
    history_minutes
        Minutes of the market that lie in the past when the venue opens, 0 to 1440. Of a recording
        the first half at most is taken, so that the second is played live before it begins again.
    history_dir
        Data directory that receives those minutes as shards, as the collector would have written
        them; None: nothing is written.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    coin: str = "ETH"
    replay: Path | None = None
    seed: int = 1
    history_minutes: float = 30.0
    history_dir: Path | None = None

    def __post_init__(self) -> None:
        if not COIN_NAME.fullmatch(self.coin):
            raise InputError(
                f"coin {self.coin!r} is no coin's name: give letters and digits, as ETH"
            )
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}: give zero or more")
        if not 0 <= self.history_minutes <= MAX_HISTORY_MINUTES:
            raise InputError(
                f"history minutes are {self.history_minutes:g}: give 0 to {MAX_HISTORY_MINUTES}"
            )


def open_venue(options: VenueOptions, now_ms: int) -> Venue:
    """A venue whose market began in the past and has run to ``now_ms`` (exchange ms).

    The market's own past gives candles, recent prints and, where asked for, shards; the 5000
    minutes before it are made up with its volatility.

    Raises
    ------
    InputError
        If the recording cannot be used, or ``history_dir`` holds records from the stretch that
        would be laid there.
    """
    source = (
        _synthetic(options, now_ms)
        if options.replay is None
        else _replay(options.replay, options, now_ms)
    )
    start_ms = source.now_ms
    venue = Venue([source])
    market = venue.markets[options.coin]
    if options.history_dir is not None and start_ms < now_ms:
        recorder = _recorder(options.history_dir, options.coin, market.spec.tick, start_ms)
        messages = lay_history(market, recorder, now_ms)
        logger.info("laid %d messages of the past in %s", messages, options.history_dir)
    venue.advance(now_ms)
    flow = market.make_up_past(MAX_SNAPSHOT, options.seed)
    logger.info(
        "%s: %.1f minutes of past, volatility %.1f bp a minute, %d candles made up before it",
        options.coin,
        (now_ms - start_ms) / MINUTE_MS,
        flow.volatility * 1e4,
        MAX_SNAPSHOT,
    )
    return venue


def _synthetic(options: VenueOptions, now_ms: int) -> MarketSource:
    start_ms = now_ms - int(options.history_minutes * MINUTE_MS)
    return SyntheticMarket(SyntheticParameters.for_coin(options.coin), start_ms, options.seed)


def _replay(data_dir: Path, options: VenueOptions, now_ms: int) -> MarketSource:
    recording = ShardStore(data_dir).read(options.coin)
    books = read_books(data_dir, options.coin)
    half_ms = ReplayMarket(recording, books, now_ms).period_ms // 2
    past_ms = min(int(options.history_minutes * MINUTE_MS), half_ms)
    return ReplayMarket(recording, books, now_ms - past_ms)


def _recorder(data_dir: Path, coin: str, tick: float, start_ms: int) -> Recorder:
    store = ShardStore(data_dir)
    if data_dir.is_dir() and coin in store.coins():
        newest_ms = store.newest_ms(coin)
        if newest_ms is not None and newest_ms >= start_ms:
            raise InputError(
                f"{str(data_dir)!r} already has records of {coin} from the minutes to be laid "
                "there, and two markets would mix: give an empty --history-dir or delete the folder"
            )
    return Recorder(store, [coin], {coin: tick})
