"""Opening the venue: its markets, a stretch of their past, and candles for the days before."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.instruments import is_coin_name, resolve_coins
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.candles import MAX_SNAPSHOT, MINUTE_MS
from advanced_mm.markets.coin_figures import named_coins
from advanced_mm.markets.coin_markets import CoinMarket
from advanced_mm.markets.price_gaps import GapMarket
from advanced_mm.markets.recipes import MarketRecipe, coin_seed
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.markets.replay import ReplayMarket
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.engine.command_log import LoggedExchange
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules

__all__ = [
    "OpenVenue",
    "VenueOptions",
    "make_up_past",
    "market_recipes",
    "open_venue",
    "venue_coins",
]

logger = logging.getLogger(__name__)

MAX_HISTORY_MINUTES = 24 * 60
MAX_VOLATILITY = 10


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """Which markets the venue opens with, and how far back they start.

    Attributes
    ----------
    coins
        Coin names, in the order of their asset numbers.
    replay
        Data directory of a recording to play; None for synthetic markets.
    seed
        Seed of the synthetic markets and of the made-up candles.
    history_minutes
        Minutes of the market that lie in the past when the venue opens, 0 to 1440. A replay uses at
        most the first half of its recording for this, so that the second half plays live before
        the recording starts over.
    history_dir
        Data directory that receives those minutes as shards, as the collector would have written
        them; None writes nothing.
    rules
        The venue's settings.
    volatility
        Factor on the default volatility of the synthetic markets, 0 to 10.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    coins: tuple[str, ...] = ("ETH",)
    replay: Path | None = None
    seed: int = 1
    volatility: float = 1.0
    history_minutes: float = 30.0
    history_dir: Path | None = None
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if not self.coins:
            raise InputError("no coin was given: give at least one, such as ETH")
        for coin in self.coins:
            if not is_coin_name(coin):
                raise InputError(
                    f"{coin!r} is not a coin name: give one like ETH, kPEPE or xyz:XYZ100"
                )
            if self.coins.count(coin) > 1:
                raise InputError(f"coin {coin} was given twice: give it once")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, must not be negative")
        if not 0 <= self.volatility <= MAX_VOLATILITY:
            raise InputError(
                f"volatility is {self.volatility:g}, must be between 0 and {MAX_VOLATILITY}"
            )
        if not 0 <= self.history_minutes <= MAX_HISTORY_MINUTES:
            raise InputError(
                f"history minutes is {self.history_minutes:g}, "
                f"must be between 0 and {MAX_HISTORY_MINUTES}"
            )


def venue_coins(names: Iterable[str], replay: Path | None = None) -> tuple[str, ...]:
    """Return the venue's names for coins given by the user in any spelling.

    Raises
    ------
    InputError
        If a coin has no known figures, or with ``replay`` no recording in that folder.
    """
    if replay is None:
        return named_coins(names)
    return resolve_coins(names, ShardStore(replay).coins(), f"the recording in {str(replay)!r}")


@dataclass(frozen=True, slots=True)
class OpenVenue:
    """An exchange whose markets ran to ``opened_ms``, and the recipes they were made from."""

    exchange: Exchange
    opened_ms: int
    recipes: tuple[MarketRecipe, ...]
    gaps: dict[str, GapMarket]
    """The markets by coin, for gaps added later."""

    def recipes_now(self) -> tuple[MarketRecipe, ...]:
        """Return the recipes with all past and scheduled gaps."""
        return tuple(replace(one, gaps=self.gaps[one.coin].gaps) for one in self.recipes)


def market_recipes(options: VenueOptions, now_ms: int) -> tuple[MarketRecipe, ...]:
    """Return the markets that ``options`` ask for, starting in the past.

    Raises
    ------
    InputError
        If a recording cannot be used.
    """
    past_ms = int(options.history_minutes * MINUTE_MS)
    recipes = []
    for number, coin in enumerate(options.coins):
        seed = coin_seed(options.seed, number, coin)
        if options.replay is None:
            market = SyntheticParameters.for_coin(coin)
            market = replace(market, sigma=market.sigma * options.volatility)
            recipe = MarketRecipe(coin=coin, seed=seed, start_ms=now_ms - past_ms, synthetic=market)
        else:
            start_ms = now_ms - min(past_ms, replay_past_ms(options.replay, coin))
            recipe = MarketRecipe(coin=coin, seed=seed, start_ms=start_ms, replay=options.replay)
        recipes.append(recipe)
    return tuple(recipes)


def replay_past_ms(data_dir: Path, coin: str) -> int:
    """Return half the length of a recording, ms: the most of it that may lie in the past."""
    recording = ShardStore(data_dir).read(coin)
    return ReplayMarket(recording, read_books(data_dir, coin), 0).period_ms // 2


def open_venue(
    recipes: tuple[MarketRecipe, ...],
    now_ms: int,
    rules: Rules | None = None,
    history_dir: Path | None = None,
    *,
    journaled: bool = False,
) -> OpenVenue:
    """Open an exchange whose markets started in the past and run them to ``now_ms`` (exchange ms).

    A market's own past yields candles, recent prints and, if ``history_dir`` is given, shards. The
    candles of the 5000 minutes before it are made up with the market's volatility. With
    ``journaled`` the state can be saved.

    Raises
    ------
    InputError
        If a recording cannot be used, or ``history_dir`` already holds records of the same minutes.
    """
    sources = {recipe.coin: recipe.make() for recipe in recipes}
    kind = LoggedExchange if journaled else Exchange
    exchange = kind(list(sources.values()), rules or Rules())
    for recipe in recipes:
        market = exchange.venue.markets[recipe.coin]
        if history_dir is not None and recipe.start_ms < now_ms:
            _lay(market, history_dir, recipe.start_ms, now_ms)
    exchange.advance(now_ms)
    for recipe in recipes:
        make_up_past(exchange.venue.markets[recipe.coin], recipe)
    return OpenVenue(exchange, now_ms, recipes, sources)


def make_up_past(market: CoinMarket, recipe: MarketRecipe) -> None:
    """Put made-up candles before a market's own."""
    flow = market.make_up_past(MAX_SNAPSHOT, recipe.seed)
    logger.info(
        "%s: %.1f minutes of history, volatility %.1f bp a minute, %d made-up candles before it",
        recipe.coin,
        (market.now_ms - recipe.start_ms) / MINUTE_MS,
        flow.volatility * 1e4,
        MAX_SNAPSHOT,
    )


def _lay(market: CoinMarket, history_dir: Path, start_ms: int, now_ms: int) -> None:
    coin = market.spec.coin
    store = ShardStore(history_dir)
    if history_dir.is_dir() and coin in store.coins():
        newest_ms = store.newest_ms(coin)
        if newest_ms is not None and newest_ms >= start_ms:
            raise InputError(
                f"{str(history_dir)!r} already has records of {coin} from these minutes, so two "
                "markets would mix: give an empty --history-dir or delete the folder"
            )
    recorder = Recorder(store, [coin], {coin: market.spec.tick})
    messages = lay_history(market, recorder, now_ms)
    logger.info("%s: wrote %d messages of history to %s", coin, messages, history_dir)
