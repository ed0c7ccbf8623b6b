"""What a crash of 10% costs a maker with and without the passive hedge, on the loopback venue.

The scenario is tests/scenarios/flash_crash.yaml, made as deep as asked, a part of it in a gap in
which no stop is filled. Each maker holds an inventory, quotes a ladder around the price, and is
judged at the bottom; both see the same market of background orders, over real sockets with
unmodified ccxt.pro. Run: python benchmarks/hedge.py --runs 3
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml
from eth_account import Account as Wallet

from advanced_mm.hedging import HedgeSettings
from advanced_mm.maker import Limits, MarketSetup
from advanced_mm.maker.exchange import Book, OrderRequest
from advanced_mm.maker.exchanges import HyperliquidExchange
from advanced_mm.maker.hedge_desk import HedgeDesk
from advanced_mm.maker.running import Maker
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import Book as MarketBook
from advanced_mm.policies import EMPTY, Ladder, MarketState, build
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.scenario import load_scenario
from advanced_mm.venue.server.server import PaperServer

ROOT: Final = Path(__file__).parents[1]
SCENARIO: Final = ROOT / "tests" / "scenarios" / "flash_crash.yaml"
SYMBOL: Final = "ETH/USDC:USDC"
NOW_MS: Final = 1_700_000_000_000
STILL_SECONDS, START_SECONDS, CRASH_SECONDS = 34, 37, 40
BOTTOM_SECONDS, END_SECONDS = 70, 74
_CORRECTIONS: Final = 3
_PRICE: Final = 3000.0
PROPORTION: Final = 0.5


@dataclass(frozen=True)
class Outcome:
    """One maker through one crash; money in USDC, sizes in ETH.

    `hedge` is (size, average price) of the passive hedge; `fees` its fees.
    """

    loss: float
    fall: float
    inventory: float
    start: float
    trigger: float
    hedge: tuple[float, float]
    fees: float


class Still:
    """A policy that wants no orders: the inventory alone is looked at."""

    name = "still"

    def ladder(self, state: MarketState) -> Ladder:
        return EMPTY


def crash_file(percent: float, gap: float, seed: int, folder: Path) -> Path:
    """Write the scenario with a fall of ``percent`` from 40 s to 70 s, ``gap`` of it at once.

    Market orders move the price too, so the drift that leads there is corrected a few times.
    Before it and at the bottom the market stands still for seconds, in which it is looked at.
    """
    path = folder / "crash.yaml"
    drift = 0.0
    for _ in range(_CORRECTIONS):
        _write(path, drift, gap, seed)
        missing = percent / 100 - fall(path)
        drift -= missing * _PRICE / (BOTTOM_SECONDS - CRASH_SECONDS)
    _write(path, drift, gap, seed)
    return path


def _write(path: Path, drift: float, gap: float, seed: int) -> None:
    scenario = yaml.safe_load(SCENARIO.read_text())
    scenario["seed"] = seed
    (market,) = scenario["markets"]
    crash, back, end = market["regimes"]
    crash["drift"] = drift
    still = {"drift": 0.0, "sigma": 1e-3, "lambda_plus": 1e-3, "lambda_minus": 1e-3}
    before, after = ({"at_seconds": one, **still} for one in (STILL_SECONDS, BOTTOM_SECONDS))
    back["at_seconds"] = BOTTOM_SECONDS + 10
    market["regimes"] = [before, crash, after, back, end]
    market["gaps"] = [{"at_seconds": 55, "percent": -gap}] if gap else []
    path.write_text(yaml.safe_dump(scenario))


def fall(path: Path) -> float:
    """Return how far the scenario's price falls in the crash, a share."""
    (recipe,) = load_scenario(path).recipes(NOW_MS)
    market = recipe.make()
    market.advance(NOW_MS + 1000 * START_SECONDS)
    start = _mid(market.book(1))
    market.advance(NOW_MS + 1000 * BOTTOM_SECONDS)
    return 1 - _mid(market.book(1)) / start


def _mid(book: MarketBook) -> float:
    return (book.bids[0].price + book.asks[0].price) / 2


@asynccontextmanager
async def venue(
    scenario_file: Path, speed: float
) -> AsyncIterator[tuple[PaperServer, MarketClock]]:
    """Serve a scenario, its market time at speed."""
    scenario = load_scenario(scenario_file)
    opened = open_venue(scenario.recipes(NOW_MS), NOW_MS, scenario.rules)
    switches = LimitSwitches(rest=False, websocket=False, address=False)
    clock = MarketClock(opened.exchange.now_ms, speed)
    server = PaperServer(opened.exchange, clock, gateway=Gateway(opened.exchange, switches))
    await server.start()
    try:
        yield server, clock
    finally:
        await server.stop()


def client(server: PaperServer, clock: MarketClock, wallet: Any) -> HyperliquidExchange:
    """An exchange of the maker's at the loopback venue."""
    rest = server.rest_url
    urls = {"api": {"public": rest, "private": rest, "ws": {"public": server.ws_url}}}
    config = {"urls": urls, "walletAddress": wallet.address, "privateKey": wallet.key.hex()}
    return HyperliquidExchange("hl", config, lambda: clock.now_ms)


async def buy(exchange: HyperliquidExchange, size: str) -> None:
    """Buy the inventory to begin with."""
    await exchange.open([SYMBOL])
    events = exchange.events()
    async for event in events:
        if isinstance(event, Book):
            break
    request = OrderRequest(SYMBOL, "buy", Decimal(size), "0x" + "f" * 32, post_only=False)
    (bought,) = await exchange.place([request])
    if isinstance(bought, Exception):
        raise bought
    await exchange.close()


def hedge_desk(ratio: float) -> HedgeDesk:
    """The passive hedge of the maker's own market."""
    return HedgeDesk(
        HedgeSettings.read(
            {
                "exchange": "hl",
                "symbol": SYMBOL,
                "passive": {
                    "passive_hedge_ratio": ratio,
                    "passive_hedge_sp_ratio": 0.05,
                    "passive_hedge_proportion": PROPORTION,
                    "passive_hedge_refresh_iqv_ratio": 0.05,
                    "passive_hedge_refresh_interval": 5,
                },
            }
        )
    )


async def through(
    scenario_file: Path, speed: float, size: str, quoting: bool, ratio: float | None
) -> Outcome:
    """Run one maker through the crash; ``ratio`` is its triggers' distance, None: no hedge."""
    wallet = Wallet.create()
    async with venue(scenario_file, speed) as (server, clock):
        begun = NOW_MS

        async def until(seconds: float) -> None:
            await asyncio.sleep(max(0.0, seconds - (clock.now_ms - begun) / 1000) / speed)

        await buy(client(server, clock, wallet), size)
        desk = None if ratio is None else hedge_desk(ratio)
        exchange = client(server, clock, wallet)
        policy: Any = Still()
        if quoting:
            policy = build(
                "basis_points",
                {"spread_bps": 10, "max_inventory": 2 * float(size), "order_size": 0.05},
            )
        limits = Limits(max_daily_loss=None, max_drawdown=None, price_band=None)
        setup = MarketSetup(exchange="hl", symbol=SYMBOL, policy=policy, limits=limits, desk=desk)
        maker = Maker({"hl": exchange}, [setup], None, lambda: clock.now_ms)
        task = asyncio.create_task(maker.run())
        try:
            await until(START_SECONDS)
            before = await exchange.account()
            (view,) = maker.views()
            start = view.mid or 0.0
            trigger = _trigger(desk)
            await until(END_SECONDS)
            after = await exchange.account()
            (view,) = maker.views()
            fills = await exchange.fills_since(SYMBOL, begun)
        finally:
            await maker.stop()
            await task
        own = [] if desk is None else [one for one in fills if desk.state.owns(one.client_id)]
        sold = sum(float(one.size) for one in own)
        value = sum(float(one.size * one.price) for one in own)
        return Outcome(
            loss=float((before.equity or 0) - (after.equity or 0)),
            fall=1 - (view.mid or 0.0) / start,
            inventory=float(before.positions.get(SYMBOL, Decimal(0))),
            start=start,
            trigger=trigger,
            hedge=(sold, value / sold if sold else 0.0),
            fees=sum(float(one.fee) for one in own),
        )


def _trigger(desk: HedgeDesk | None) -> float:
    if desk is None:
        return 0.0
    return max((float(one.price) for one in desk.state.passive.orders.values()), default=0.0)


@dataclass(frozen=True)
class Comparison:
    """A hedged and an unhedged maker in the same crash; money in USDC.

    Attributes
    ----------
    distance
        What the hedged part lost on the way from the start to the trigger.
    slippage
        What its fills were worse than the trigger, and their fees.
    bound
        (1 - proportion) of the unhedged loss, distance and slippage.
    """

    unhedged: Outcome
    hedged: Outcome

    @property
    def distance(self) -> float:
        return self.hedged.hedge[0] * (self.hedged.start - self.hedged.trigger)

    @property
    def slippage(self) -> float:
        size, price = self.hedged.hedge
        return size * (self.hedged.trigger - price) + self.hedged.fees

    @property
    def bound(self) -> float:
        return (1 - PROPORTION) * self.unhedged.loss + self.distance + self.slippage


async def compare(
    percent: float, gap: float, seed: int, speed: float, ratio: float, quoting: bool, size: str
) -> Comparison:
    """Run both makers."""
    with tempfile.TemporaryDirectory() as name:
        path = crash_file(percent, gap, seed, Path(name))
        unhedged = await through(path, speed, size, quoting, None)
        hedged = await through(path, speed, size, quoting, ratio)
    return Comparison(unhedged, hedged)


COLUMNS: Final = (
    "maker", "fall %", "inventory", "unhedged loss", "hedged loss", "half of unhedged",
    "distance", "slippage + fees", "allowed", "hedge sold",
)  # fmt: skip


def row(kind: str, found: Comparison) -> list[str]:
    """One line of the table."""
    return [
        kind,
        f"{100 * found.hedged.fall:.1f}",
        f"{found.hedged.inventory:.2f}",
        f"{found.unhedged.loss:.2f}",
        f"{found.hedged.loss:.2f}",
        f"{(1 - PROPORTION) * found.unhedged.loss:.2f}",
        f"{found.distance:.2f}",
        f"{found.slippage:.2f}",
        f"{found.bound:.2f}",
        f"{found.hedged.hedge[0]:.2f} at {found.hedged.hedge[1]:.1f}",
    ]


async def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    print(" | ".join(COLUMNS))
    runs, speed = (1, 20.0) if args.quick else (args.runs, args.speed)
    for quoting in (False,) if args.quick else (False, True):
        for number in range(runs):
            found = await compare(
                args.percent, args.gap, 14 + number, speed, args.ratio, quoting, args.size
            )
            print(" | ".join(row("quoting" if quoting else "still", found)), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, without quoting, fast")
    parser.add_argument("--runs", type=int, default=3, help="seeds (default: %(default)s)")
    parser.add_argument("--percent", type=float, default=10.0, help="how deep the crash is")
    parser.add_argument("--gap", type=float, default=3.0, help="percent of it at once")
    parser.add_argument("--ratio", type=float, default=0.01, help="passive_hedge_ratio")
    parser.add_argument("--size", default="2", help="inventory, ETH")
    parser.add_argument("--speed", type=float, default=5.0, help="market seconds a second")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(measure(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
