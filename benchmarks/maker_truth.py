"""Does the maker know what it holds? Two venues, faults in random order, kills; the venues judge.

Loopback Hyperliquid and Binance spot run side by side; `scripts/market_maker.py --live`
quotes on both and hedges the spot inventory on the perpetual, while replies are lost, messages come
twice, late or never, connections are cut, requests fail, and the maker is killed, stopped by its
kill file and started again. The venues' own accounts are the truth: every fill must be in the
maker's journal, once; positions and balances must agree to the last unit; two seconds after the
kill file nothing may rest; after a kill no order may be left that the ladder does not want.

    python benchmarks/maker_truth.py                          # 20 minutes of the clock
    python benchmarks/maker_truth.py --minutes 2 --seed 7     # shorter, in another order
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from eth_account import Account as Wallet
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.journal import Fill, Look, read_journal
from advanced_mm.markets.clock import MarketClock
from advanced_mm.venue.binance.opening import PAPER_KEY, PAPER_SECRET, open_spot
from advanced_mm.venue.binance.server import BinanceServer
from advanced_mm.venue.conditions.faults import Fault
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import VenueOptions, market_recipes, open_venue
from advanced_mm.venue.server.server import PaperServer
from advanced_mm.venue.spot.amounts import ATOMS

ROOT = Path(__file__).resolve().parents[1]
MOST_VALUE = 1_000_000
"""Spot needs a bound with --live; this one never acts."""
SCRIPT = ROOT / "scripts" / "market_maker.py"
LEVELS = 5
SPOT, HEDGE, PERPETUAL = "SUI/USDC", "SUI/USDC:USDC", "ETH/USDC:USDC"
WITHDRAWN_S = 2.0
"""After this long nothing may rest once the kill file is there."""
STARTED_S = 60.0
"""How long a maker may take to start, on a busy machine."""
SETTLED_S = 6.0
"""How long a maker may take after a start or a fault until its ladder is at rest again."""

_ORDERS = ["order", "batchModify", "cancel", "cancelByCloid"]
_SPOT_ORDERS = ["order.place", "order.cancel", "order.cancelReplace", "order.amend.keepPriority"]
BOTH: dict[str, list[dict[str, object]]] = {
    "slow": [{"kind": "latency", "distribution": "exponential", "milliseconds": 300, "seconds": 4}],
    "requests answered with 502": [
        {"kind": "http_error", "status": 502, "probability": 0.5, "seconds": 3}
    ],
    "cut": [{"kind": "cut"}],
    "cut, and refused for two seconds": [{"kind": "cut", "refuse": True, "seconds": 2}],
    "silent": [{"kind": "silence", "seconds": 4}],
    "messages twice": [{"kind": "duplicated_messages", "seconds": 4}],
    "messages late": [{"kind": "delayed_messages", "milliseconds": 700, "seconds": 4}],
    "half of a message": [{"kind": "garbled_messages", "probability": 0.1, "seconds": 2}],
}
AT_PERPETUALS: dict[str, list[dict[str, object]]] = {
    "an order's reply lost": [{"kind": "dropped_reply", "requests": _ORDERS, "count": 2}],
    "an order's reply withheld": [
        {"kind": "dropped_reply", "requests": _ORDERS, "how": "withhold", "count": 1}
    ],
    "fills not told": [
        {"kind": "dropped_messages", "channels": ["userFills", "orderUpdates"], "seconds": 5}
    ],
}
AT_SPOT: dict[str, list[dict[str, object]]] = {
    "an order's reply lost": [{"kind": "dropped_reply", "requests": _SPOT_ORDERS, "count": 2}],
    "an order's reply withheld": [
        {"kind": "dropped_reply", "requests": _SPOT_ORDERS, "how": "withhold", "count": 1}
    ],
    "fills not told": [{"kind": "dropped_messages", "channels": ["executionReport"], "seconds": 5}],
}
OF_THE_MAKER = ("killed", "stopped by its kill file", "ended by a signal")


@dataclass
class Venues:
    """Both venues, and the accounts on them."""

    perpetuals: PaperServer
    gateway: Gateway
    spot: BinanceServer
    wallet: Any
    begun_ms: int

    def strike(self, where: str, faults: Iterable[dict[str, object]]) -> None:
        """Set faults at one venue, or at both."""
        for one in faults:
            fault = TypeAdapter(Fault).validate_python(one)
            if where in ("perpetuals", "both"):
                self.gateway.set_fault(fault)
            if where in ("spot", "both"):
                self.spot.line.set_fault(fault)

    @property
    def own(self) -> Any:
        """The account at the perpetuals."""
        return self.perpetuals.exchange.accounts.look(self.wallet.address.lower())

    @property
    def spot_own(self) -> Any:
        """The spot account."""
        return self.spot.exchange.accounts.get(PAPER_KEY)

    def resting(self) -> list[tuple[str, bool, int]]:
        """Return market, side and price of each order at rest; triggers have no price there.

        The stop of a hedge's position is left out: it protects that while no maker runs.
        """
        perpetuals = [
            (one.coin, one.request.is_buy, one.request.price)
            for one in self.own.orders.values()
            if one.resting and not one.request.reduce_only
        ]
        return perpetuals + [
            (one.symbol, one.core.request.is_buy, one.core.request.price)
            for one in self.spot_own.orders.values()
        ]

    def fills(self) -> dict[tuple[str, str], str]:
        """Return each fill, by venue and number, in words."""
        begun = self.begun_ms
        told = {
            ("hyperliquid", str(one.tid)): f"{one.coin} at {(one.time_ms - begun) / 1000:.1f} s"
            for one in self.own.fills
        }
        return told | {
            ("binance", str(one.tid)): f"{one.symbol} at {(one.time_ms - begun) / 1000:.1f} s"
            for one in self.spot_own.fills
        }

    def position(self, coin: str) -> Decimal:
        """Return a perpetual's position, base currency."""
        position = self.own.positions.get(coin)
        decimals = self.perpetuals.exchange.books[coin].units.size_decimals
        return Decimal(0 if position is None else int(position.lots)).scaleb(-decimals)

    def balance(self, asset: str) -> Decimal:
        """Return a spot balance, free and locked."""
        amount = self.spot_own.amount(asset)
        return Decimal(int(amount.free) + int(amount.locked)) / Decimal(ATOMS)


@asynccontextmanager
async def venues(
    speed: float, seed: int, coins: tuple[str, ...] = ("SUI", "ETH")
) -> AsyncIterator[Venues]:
    """Serve both on free ports, on one clock and one path of prices."""
    now_ms = time.time_ns() // 1_000_000
    options = VenueOptions(coins=coins, seed=seed, history_minutes=1.0)
    opened = open_venue(market_recipes(options, now_ms), now_ms)
    spot_opened = open_spot(opened)
    switches = LimitSwitches(rest=False, websocket=False, address=False)
    gateway = Gateway(opened.exchange, switches, seed=seed)
    clock = MarketClock(max(now_ms, opened.exchange.now_ms), speed)
    perpetuals = PaperServer(opened.exchange, clock, 0, gateway=gateway)
    spot = BinanceServer(spot_opened.exchange, clock, 0, seed=seed, gaps=spot_opened.gaps)
    await perpetuals.start()
    await spot.start()
    try:
        yield Venues(perpetuals, gateway, spot, Wallet.create(), clock.now_ms)
    finally:
        await asyncio.gather(perpetuals.stop(), spot.stop())


def maker_file(venue: Venues, folder: Path) -> Path:
    """Write the maker's file: both markets near the mid, no guard that would keep it out."""
    unlimited = dict.fromkeys(
        ("max_daily_loss", "max_drawdown", "volatility_limit", "price_band",
         "large_order_multiple", "max_errors_in_a_row", "max_funding_bp"),
    )  # fmt: skip

    def quoting(size: float, most: float, target: float) -> dict[str, object]:
        levels = [{"offset_bps": 1.5 * (n + 1), "size": size} for n in range(LEVELS)]
        return {
            "policy": {
                "kind": "basis_points", "levels": levels, "max_inventory": most,
                "target_inventory": target, "skew_factor": 0.0005,
            },
            "limits": {
                **unlimited, "target_inventory": target, "max_position_value": MOST_VALUE,
            },
        }  # fmt: skip

    held = float(venue.balance("SUI"))
    contents = {
        "name": "truth",
        "exchanges": {
            "binance": {"kind": "binance_spot", "url": venue.spot.rest_url},
            "hyperliquid": {"kind": "hyperliquid", "url": venue.perpetuals.rest_url},
        },
        "markets": [
            {
                "exchange": "binance", "symbol": SPOT, **quoting(40, 400, held),
                "hedge": {
                    "exchange": "hyperliquid", "symbol": HEDGE,
                    "delta": {"target_inventory": held, "delta_band": 60},
                },
            },
            {"exchange": "hyperliquid", "symbol": PERPETUAL, **quoting(0.05, 0.5, 0.0)},
        ],
        "journal": str(folder / "journal"),
        "kill_file": str(folder / "stop"),
    }  # fmt: skip
    path = folder / "maker.yaml"
    path.write_text(yaml.safe_dump(contents, sort_keys=False))
    return path


def keys_of(wallet: Any) -> dict[str, str]:
    """Return the environment variables of both accounts' keys."""
    return {
        "BINANCE_API_KEY": PAPER_KEY,
        "BINANCE_API_SECRET": PAPER_SECRET,
        "HYPERLIQUID_WALLET_ADDRESS": wallet.address,
        "HYPERLIQUID_PRIVATE_KEY": f"0x{wallet.key.hex().removeprefix('0x')}",
    }


@dataclass
class MakerProcess:
    """The script as a process."""

    file: Path
    wallet: Any
    process: asyncio.subprocess.Process | None = None

    @property
    def folder(self) -> Path:
        return self.file.parent

    async def start(self) -> None:
        with (self.folder / "maker.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(SCRIPT), "--config", str(self.file), "--live",
                stdout=log, stderr=log,
                env={**os.environ, **keys_of(self.wallet), "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def began(self) -> int:
        """Count how often a market was reconciled at a start."""
        return (self.folder / "maker.log").read_text().count("the maker has just started")

    async def quotes(self, begun: int) -> bool:
        """Wait until markets have been reconciled so often."""
        deadline = time.monotonic() + STARTED_S
        while self.began() < begun:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.2)
        return True

    async def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()

    @property
    def kill_file(self) -> Path:
        return self.folder / "stop"


@dataclass
class Findings:
    """What was found wrong, and how long withdrawals took."""

    wrong: list[str] = field(default_factory=list)
    withdrawn_s: list[float] = field(default_factory=list)
    restarts: int = 0
    faults: int = 0


async def rests(venue: Venues, least: int, seconds: float) -> bool:
    """Wait until at least so many orders rest."""
    deadline = time.monotonic() + seconds
    while len(venue.resting()) < least:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def withdrawn(venue: Venues, begun: float) -> float:
    """Return the seconds from ``begun`` until nothing rests, infinity after ten times the limit."""
    while venue.resting():
        if time.monotonic() - begun > 10 * WITHDRAWN_S:
            return float("inf")
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


def surplus(venue: Venues) -> str:
    """Return in words where more rests than a ladder has, empty where nowhere does."""
    resting = venue.resting()
    sides = Counter((market, is_buy) for market, is_buy, _ in resting)
    doubled = [place for place, number in Counter(resting).items() if number > 1]
    many = [f"{n} orders on one side of {m}" for (m, _), n in sides.items() if n > LEVELS]
    return "; ".join([*many, *(f"two orders at {price} of {m}" for m, _, price in doubled)])


async def trouble(
    venue: Venues, maker: MakerProcess, draw: random.Random, found: Findings,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Strike once, and see the ladder at rest again afterwards."""
    where = draw.choice(["perpetuals", "spot", "both"])
    faults = BOTH | {"perpetuals": AT_PERPETUALS, "spot": AT_SPOT, "both": {}}[where]
    name = draw.choice([*faults, *OF_THE_MAKER])
    say(name if name in OF_THE_MAKER else f"{name} ({where})")
    found.faults += 1
    if name in OF_THE_MAKER:
        await stop(venue, maker, name, found)
        begun = maker.began()
        await maker.start()
        found.restarts += 1
        # What a killed maker has left rests already: only the log says when the next one quotes.
        if not (await maker.quotes(begun + 2) and await rests(venue, 4 * LEVELS // 2, 15.0)):
            found.wrong.append(f"after it was {name} the ladder did not come back")
    else:
        venue.strike(where, faults[name])
        await asyncio.sleep(4.0)
    await asyncio.sleep(SETTLED_S)
    if (left := surplus(venue)) and (left := await still_too_much(venue)):
        found.wrong.append(f"after {name} ({where}): {left}")


async def still_too_much(venue: Venues) -> str:
    """Look again: an order that is being replaced may be counted twice for a moment."""
    for _ in range(10):
        await asyncio.sleep(0.2)
        if not surplus(venue):
            return ""
    return surplus(venue)


async def stop(venue: Venues, maker: MakerProcess, how: str, found: Findings) -> None:
    """End the maker in one of three ways; note how long it takes until nothing rests."""
    assert maker.process is not None
    if how == "killed":
        await maker.end(signal.SIGKILL)
        return
    begun = time.monotonic()
    if how == "stopped by its kill file":
        maker.kill_file.touch()
    else:
        maker.process.send_signal(signal.SIGTERM)
    found.withdrawn_s.append(await withdrawn(venue, begun))
    code = await asyncio.wait_for(maker.process.wait(), 30)
    if code != 0:
        found.wrong.append(f"{how}, the maker ended with exit code {code}")
    maker.kill_file.unlink(missing_ok=True)


async def judged(minutes: float, seed: int, folder: Path, speed: float,
                 say: Callable[[str], None]) -> tuple[Findings, Table]:  # fmt: skip
    """Run it all; return what was found, and a table of the accounts."""
    draw, found = random.Random(seed), Findings()
    async with venues(speed, seed) as venue:
        maker = MakerProcess(maker_file(venue, folder), venue.wallet)
        await maker.start()
        end = time.monotonic() + 60 * minutes
        if not await rests(venue, 4 * LEVELS // 2, 30.0):
            raise InputError(f"the maker does not quote: see {folder / 'maker.log'}")
        while time.monotonic() < end:
            await asyncio.sleep(draw.uniform(2.0, 6.0))
            await trouble(venue, maker, draw, found, say)
        await stop(venue, maker, "stopped by its kill file", found)
        return found, compared(venue, folder / "journal", found)


def compared(venue: Venues, journal: Path, found: Findings) -> Table:
    """Compare fills, positions and balances; what differs joins the findings."""
    told = read_journal(journal)
    rows = told.table(Fill).to_pylist()
    fills = Counter((row["bot"].removeprefix("truth."), row["fill"]) for row in rows)
    hedged = sum(
        (1 if row["side"] == "bid" else -1) * Decimal(repr(row["size"]))
        for row in rows
        if (row["bot"], row["coin"]) == ("truth.hyperliquid", "SUI")
    )
    made = venue.fills()
    truth = Counter(list(made))
    missing, extra = truth - fills, fills - truth
    if missing:
        words = ", ".join(f"{one[1]} {made[one]}" for one in missing)
        found.wrong.append(f"{missing.total()} fills are not in the journal: {words}")
    if extra:
        found.wrong.append(f"{extra.total()} fills too many in the journal: {sorted(extra)}")
    table = Table("what", "the venues", "the maker", "the same")
    table.add_row("fills", f"{truth.total():,}", f"{fills.total():,}", _yes(truth == fills))
    looks = {
        (row["bot"], row["coin"]): row
        for row in told.table(Look).to_pylist()
        if row["what"] == "end"
    }
    spot, perpetual = looks["truth.binance", "SUI_USDC"], looks["truth.hyperliquid", "ETH"]
    for what, theirs, ours in (
        ("ETH perpetual, position", venue.position("ETH"), perpetual["position"]),
        ("SUI perpetual, the hedge", venue.position("SUI"), float(hedged)),
        ("SUI spot, balance", venue.balance("SUI"), spot["position"]),
        ("USDC spot, balance", venue.balance("USDC"), spot["cash"]),
    ):
        same = ours is not None and Decimal(repr(ours)) == theirs
        table.add_row(what, f"{theirs:f}", str(ours), _yes(same))
        if not same:
            found.wrong.append(f"{what}: {theirs:f} at the venue, {ours} by the maker")
    return table


def _yes(same: bool) -> str:
    return "yes" if same else "NO"


def main(argv: list[str] | None = None) -> int:
    """Run and judge; exit code 1 if anything was lost, doubled or left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=1, help="of the market and the faults")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds a second")
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")
    options = parser.parse_args(argv)
    if not options.minutes > 0:
        raise InputError(f"--minutes {options.minutes:g} must be above 0.")
    console = Console(stderr=options.json)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found, table = asyncio.run(
            judged(
                options.minutes, options.seed, Path(folder), options.speed,
                lambda name: console.print(f"{time.monotonic() - begun:7.1f} s  {name}"),
            )
        )  # fmt: skip
        if found.wrong:
            log = (Path(folder) / "maker.log").read_text().splitlines()
            console.print("\n".join(log[-40:]), markup=False, soft_wrap=True)
    slowest = max(found.withdrawn_s)
    if slowest > WITHDRAWN_S:
        found.wrong.append(f"{slowest:.2f} s after a stop orders still rested")
    if options.json:
        print(json.dumps(asdict(found)))
        return 1 if found.wrong else 0
    console.print(table)
    console.print(
        f"{found.faults} faults, {found.restarts} restarts; nothing rested {slowest:.2f} s after "
        f"the slowest of {len(found.withdrawn_s)} stops"
    )
    for one in found.wrong:
        console.print(f"[red]{one}[/]", soft_wrap=True)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(run(main))
