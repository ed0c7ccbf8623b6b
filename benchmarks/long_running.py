"""Does anything grow? A day of market time through the parts that work by event, a session beside.

Freqtrade and the maker go by the machine's clock, so a market cannot be hurried past them. What
works by event can be hurried: the venue publishes a synthetic market that many times faster than
the clock, the collector records it (and merges and deletes), the runner refits as often per market
second as usual, a journal receives an event a market second as from a bot, and a live page with
three viewers follows it. Beside them, at the clock's own speed, runs a whole paper session (venue,
collector, runner, bot, live page with three viewers) and a maker in a dry run, with metrics on;
they have the minutes of the run, not its market hours. Each process's memory and processor time are
sampled.

    python benchmarks/long_running.py                          # 24 market hours in 12 minutes
    python benchmarks/long_running.py --hours 48 --minutes 16  # and a day is deleted
    python benchmarks/long_running.py --hours 2 --minutes 2 --no-session
"""

import argparse
import asyncio
import contextlib
import csv
import json
import logging
import math
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

from advanced_mm.cli import run
from advanced_mm.dashboard.access import Access
from advanced_mm.dashboard.places import Places
from advanced_mm.dashboard.server import serve
from advanced_mm.dashboard.watcher import Watcher
from advanced_mm.errors import InputError
from advanced_mm.journal import Event, Fill, JournalWriter, Look, QuoteEnded, QuoteSent
from advanced_mm.marketdata.records import Float1D
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.session.bots import free_port
from advanced_mm.session.processes import Part
from advanced_mm.session.session import PaperSession, SessionOptions
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

ROOT = Path(__file__).resolve().parents[1]
COIN = "ETH"
VIEWERS = 3
SAMPLE_S = 2.0
REFIT_S = 15.0
"""Of market time between two refits, as the setting's default."""
WARM = 1 / 3
"""Share of a run that is left out: caches and buffers fill."""
PARTS = 24
FLOOR = 0.1
"""Quantile of a part's samples that is its memory at rest: merges and refits come on top of it."""
LEAK = 0.5
"""MB an hour that a process may surely grow by: caches go on to fill, more and more slowly."""
LEAST = 3.0
"""MB that it must surely have grown by in the hours measured, so that minutes accuse nobody."""
MATTERS = 1.0
"""MB an hour that must be ruled out to call a process flat."""
PAGE_SHARE = 0.03
PAGE_HOURS = 6.0
"""Judged by the page at speed, less than a run, so that it has to forget what is older."""
LAG_EVERY_S = 5.0
MOST_SHOWN = 10
LONGEST_LINE = 200
MARKET_SPEED, CLOCK_SPEED = "at speed", "by the clock"


@dataclass
class Watched:
    """A process and its samples: real seconds since the start, MB, processor seconds."""

    name: str
    pid: int
    group: str
    samples: list[tuple[float, float, float]] = field(default_factory=list)

    def look(self, at: float) -> None:
        """Note the memory and the processor time of the process and its children."""
        memory = spent = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.pid)
            for one in (first, *first.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    memory += one.memory_info().rss / 1e6
                    times = one.cpu_times()
                    spent += times.user + times.system
                    spent += times.children_user + times.children_system
            self.samples.append((at, memory, spent))


@dataclass(frozen=True)
class Found:
    """What a process did; ``slope`` in MB an hour of its own time, with 95% bounds."""

    level: float
    peak: float
    slope: float
    low: float
    high: float
    share: float
    hours: float

    @property
    def least(self) -> float:
        """The growth that would have been called one if it were sure, MB an hour."""
        return max(LEAK, LEAST / self.hours)

    @property
    def seen(self) -> float:
        """The growth that this run would have shown nearly always, MB an hour."""
        return self.least + (self.high - self.low)

    @property
    def verdict(self) -> str:
        """Whether it grows, is flat, or may do either: then a longer run tells."""
        if self.low > self.least:
            return "GROWS"
        return "flat" if self.high < MATTERS else "not sure"


def judged(watched: Watched, speed: float) -> Found:
    """Estimate the growth of the memory at rest by Theil and Sen, from 24 parts of the time.

    A leak raises what is in use between two merges or refits. Neighbouring parts are alike, which
    the bounds of Theil and Sen do not know of: they are widened by what the residuals' correlation
    makes of so many parts.
    """
    at, memory, spent = np.array(watched.samples).T
    warm = at >= at[0] + WARM * (at[-1] - at[0])
    hours = (at[warm] - at[warm][0]) * speed / 3600
    parts = [p for p in np.array_split(np.arange(len(hours)), PARTS) if len(p)]
    x = np.array([hours[p].mean() for p in parts])
    y = np.array([np.quantile(memory[warm][p], FLOOR) for p in parts])
    slope, start, low, high = theilslopes(y, x, 0.95)
    wider = math.sqrt((1 + alike(y - start - slope * x)) / (1 - alike(y - start - slope * x)))
    used = spent[warm]
    share = (used[-1] - used[0]) / (at[warm][-1] - at[warm][0])
    return Found(
        float(np.median(y)), float(memory.max()), float(slope),
        float(slope - wider * (slope - low)), float(slope + wider * (high - slope)),
        float(share), float(hours[-1]),
    )  # fmt: skip


def alike(residuals: Float1D) -> float:
    """Return the correlation of neighbours, 0 to 0.8: more cannot be told from so few."""
    around = residuals - residuals.mean()
    squares = float(around @ around)
    if squares == 0:
        return 0.0
    return min(max(float(around[1:] @ around[:-1]) / squares, 0.0), 0.8)


# --- the parts that this program plays itself, each in a process of its own ---


def clock_of(start_ms: int, began_s: float, speed: float) -> MarketClock:
    """Return the one clock of all parts: processes share the monotonic seconds."""
    return MarketClock(start_ms + round((time.monotonic() - began_s) * speed * 1000), speed)


async def publish(clock: MarketClock) -> None:
    """Serve a synthetic market faster than the clock."""
    market = SyntheticMarket(SyntheticParameters(coin=COIN), clock.now_ms, 1)
    exchange = Exchange([market], Rules())
    off = LimitSwitches(rest=False, websocket=False, address=False)
    gateway = Gateway(exchange, off)
    server = PaperServer(exchange, clock, gateway=gateway)
    await server.start()
    print(json.dumps({"ws": server.ws_url, "rest": server.rest_url}), flush=True)
    await server.serve_until(asyncio.Event())


def events(start_ms: int) -> Iterator[Event]:
    """Yield what a bot that requotes every few seconds would write down: one a market second."""
    i, position = 0, 0.0
    while True:
        at, order = start_ms + 1000 * i, f"{17_958_700_000 + i // 2}"
        head = {"time_ms": at, "coin": COIN, "bot": "bot"}
        mid = 3000 + 10 * float(np.sin(i / 900))
        side, sign = ("bid", 1.0) if i % 40 == 10 else ("ask", -1.0)
        price = round(mid - sign * 1.2, 1)
        if i % 60 == 0:
            yield Look(**head, what="minute", position=position, mid=mid, cash=1e4, equity=1e4)  # type: ignore[arg-type]
        elif i % 20 == 10:
            position += sign
            yield Fill(
                **head, fill=f"{188_310_626 + i}", order=order, side=side, price=price, size=1.0,  # type: ignore[arg-type]
                fee=0.45, liquidity="maker", rested_seconds=1.5, mid=mid, position_after=position,
            )  # fmt: skip
        elif i % 2:
            yield QuoteEnded(
                **head, order=order, outcome="cancelled", why=f"replaced: {i % 9}.0 ticks off",  # type: ignore[arg-type]
                filled_size=0.0, age_seconds=1.8,
            )  # fmt: skip
        else:
            yield QuoteSent(
                **head, order=order, side="bid", price=round(mid - 1.2, 1), size=1.0, mid=mid,  # type: ignore[arg-type]
                bid=mid - 0.05, ask=mid + 0.05, depth=1.2, tick=0.1, inventory=position,
                units=round(position), purpose="entry", calibration_id=None, expected_edge=0.54,
            )  # fmt: skip
        i += 1


def write_journal(folder: Path, clock: MarketClock) -> None:
    """Record an event a market second until interrupted."""
    writer = JournalWriter(
        folder, "bot", keep_days=1,
        clock_ms=lambda: clock.now_ms, monotonic_ms=lambda: clock.now_ms,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        for event in events(clock.now_ms):
            while event.time_ms > clock.now_ms:
                time.sleep(0.01)
            writer.record(event)
    writer.close()


def serve_page(folder: Path, clock: MarketClock) -> None:
    """Serve the live page of the journal by the market's clock, so that it forgets as it would."""
    places = Places([folder / "journal"], folder, folder / "HL_data")
    watcher = Watcher(places, PAGE_HOURS, lambda: clock.now_ms)
    host = "127.0.0.1"
    serve(
        watcher, Access(host, None, []), host, 0,
        lambda address: print(f"the live page is at {address}", flush=True),
    )  # fmt: skip


# --- those who look ---


async def view(address: str, seen: Counter[str], name: str, until: float) -> None:
    """Read a live page's stream as a browser does."""
    while time.monotonic() < until:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            limit = aiohttp.ClientTimeout(total=until - time.monotonic(), sock_read=30)
            # What is new may be a long line: it is read as it comes.
            async with (
                aiohttp.ClientSession(timeout=limit) as web,
                web.get(f"{address}/events") as got,
            ):
                async for part in got.content.iter_any():
                    seen[name] += part.count(b"\n\n")  # each message ends so
        await asyncio.sleep(0.2)


async def scrape(ports: dict[str, int], last: dict[str, str], until: float) -> None:
    """Ask for all metrics once a second, as a busy Prometheus would."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as web:
        while time.monotonic() < until:
            for name, port in ports.items():
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with web.get(f"http://127.0.0.1:{port}/metrics") as got:
                        last[name] = await got.text()
            await asyncio.sleep(1.0)


async def sample(watched: list[Watched], until: float) -> None:
    """Look at all processes every two seconds."""
    began = time.monotonic()
    while time.monotonic() < until:
        for one in watched:
            one.look(time.monotonic() - began)
        await asyncio.sleep(SAMPLE_S)


def told(part: Part, pattern: str, patience_s: float = 90.0) -> str:
    """Wait for a line in a process's log; return what the pattern's group holds."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        text = "\n".join(part.last_lines(200))
        if match := re.search(pattern, text):
            return match[1]
        if part.exit_code is not None:
            break
        time.sleep(0.1)
    raise InputError(f"the {part.name} did not start: see {part.log_path}")


@dataclass
class System:
    """All that runs: what is watched, pages to look at, ports to scrape."""

    watched: list[Watched] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


def at_speed(
    stack: ExitStack, system: System, folder: Path, start_ms: int, began_s: float, speed: float
) -> None:
    """Start what works by event."""
    (folder / "logs").mkdir(parents=True)
    journal, data = folder / "journal", folder / "HL_data"

    def start(name: str, *words: object) -> Part:
        command = [sys.executable, *map(str, words)]
        part = Part(name, command, folder / "logs" / f"{name}.log", ROOT)
        part.patience_seconds = 15.0
        stack.callback(part.stop)
        system.parts.append(part)
        system.watched.append(Watched(name, part.pid, MARKET_SPEED))
        return part

    def script(name: str) -> Path:
        return ROOT / "scripts" / name

    me = Path(__file__)
    clock = ("--start", start_ms, "--began", began_s, "--speed", speed)
    venue = start("venue", me, "--publish", *clock)
    websocket = told(venue, r'"ws": "([^"]+)"')
    for name in ("collector", "runner"):
        system.ports[name] = free_port()
    start(
        "collector", script("hyperliquid_data_collector.py"), "--crypto", COIN,
        "--url", websocket, "--data-dir", data, "--flush-seconds", 1, "--keep-days", 1,
        "--metrics-port", system.ports["collector"],
    )  # fmt: skip
    start(
        "runner", script("periodic_test_runner.py"), "--crypto", COIN, "--data-dir", data,
        "--output-dir", folder, "--market-clock", "--interval", REFIT_S / speed,
        "--config", ROOT / "user_data" / "config.json", "--metrics-port", system.ports["runner"],
    )  # fmt: skip
    start("journal", me, "--write-journal", journal, *clock)
    page = start("page", me, "--serve-page", folder, *clock)
    system.pages["page"] = told(page, r"the live page is at (\S+)").rstrip("/")


def by_clock(stack: ExitStack, system: System, folder: Path) -> PaperSession:
    """Start a paper session and a maker in a dry run at its venue."""
    port = free_port()
    folder.mkdir()
    options = SessionOptions(ROOT, folder, COIN, overrides={"metrics_port": port})
    session = stack.enter_context(PaperSession(options))
    session.start(threading.Event())
    system.ports["bot"] = port
    parts = [*session.parts, *([session.page] if session.page else [])]
    maker_file = folder / "maker.yaml"
    made = Part(
        "init_maker",
        [sys.executable, str(ROOT / "scripts" / "init_maker.py"), "--loopback", "--defaults",
         str(maker_file)],
        folder / "logs" / "init_maker.log", ROOT,
    )  # fmt: skip
    while made.exit_code is None:
        time.sleep(0.1)
    text = maker_file.read_text().replace("http://127.0.0.1:8792", session.rest_address)
    text = re.sub(r"(?m)^journal:.*$", f"journal: {session.options.journal}", text)
    system.ports["maker"] = free_port()
    text += f"\nmetrics_port: {system.ports['maker']}\n"
    maker_file.write_text(text)
    maker = Part(
        "maker",
        [sys.executable, str(ROOT / "scripts" / "market_maker.py"), "--config", str(maker_file)],
        folder / "logs" / "maker.log", ROOT,
    )  # fmt: skip
    stack.callback(maker.stop)
    for part in (*parts, maker):
        system.parts.append(part)
        system.watched.append(Watched(f"{part.name} ", part.pid, CLOCK_SPEED))
    page = session.page_address
    if page is not None:
        system.pages["dashboard "] = page.rstrip("/")
    return session


async def follow(behind: Callable[[], float], lags: list[float], until: float) -> None:
    """Note now and then how far the recording is behind the market."""
    while time.monotonic() < until:
        await asyncio.sleep(LAG_EVERY_S)
        lags.append(await asyncio.to_thread(behind))


async def watch(
    system: System, minutes: float, behind: Callable[[], float]
) -> tuple[Counter[str], dict[str, str], list[float]]:
    """Look, scrape and sample until the time is up."""
    until = time.monotonic() + 60 * minutes
    seen: Counter[str] = Counter()
    last: dict[str, str] = {}
    views = [
        view(address, seen, name, until)
        for name, address in system.pages.items()
        for _ in range(VIEWERS)
    ]
    lags: list[float] = []
    await asyncio.gather(
        *views, scrape(system.ports, last, until), sample(system.watched, until),
        follow(behind, lags, until),
    )  # fmt: skip
    return seen, last, lags


def complaints(parts: list[Part]) -> dict[str, Counter[str]]:
    """Return what the logs warn of, by process; numbers are left out, so that like adds to like."""
    found: dict[str, Counter[str]] = {}
    for part in parts:
        for line in part.log_path.read_text(errors="replace").splitlines():
            if match := re.search(r"(?:WARNING|ERROR|CRITICAL).*", line):
                text = re.sub(r"\d[\d.:,-]*", "N", match[0])[:LONGEST_LINE]
                found.setdefault(part.name, Counter())[text] += 1
    return found


def figures(text: str, words: tuple[str, ...]) -> dict[str, float]:
    """Return the counters whose names have one of some words, summed over their labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name.endswith(("_total", "_count")) and any(w in one.name for w in words):
                found[one.name] = found.get(one.name, 0.0) + one.value
    return found


def newest_ms(folder: Path) -> int:
    """Return the time in the name of the newest recorded file of the best bid and offer."""
    names = (re.search(r"(\d{13})", p.name) for p in (folder / "HL_data" / COIN).rglob("*.parquet"))
    return max((int(m[1]) for m in names if m), default=0)


def size_of(folder: Path) -> float:
    """Return the size of all files, MB; some are renamed or merged meanwhile."""
    size = 0.0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size / 1e6


def table(system: System, speed: float) -> tuple[Table, bool]:
    """Show what each process used; also return whether all is as it should be."""
    shown = Table(
        "", "process", "hours", "MB", "peak MB", "MB/h [95%]", "seen from", "% of a core",
        "verdict",
        title="memory at rest after the first third; hours of the market, or of the clock",
    )  # fmt: skip
    sound = True
    for one in system.watched:
        factor = speed if one.group == MARKET_SPEED else 1.0
        found = judged(one, factor)
        verdict = found.verdict
        sound &= verdict != "GROWS"
        if one.name.strip() == "dashboard":  # that at speed gets hundreds of times the events
            good = found.share < PAGE_SHARE
            verdict += "" if good else ", OVER 3%"
            sound &= good
        shown.add_row(
            one.group, one.name, f"{found.hours:.2f}", f"{found.level:.1f}", f"{found.peak:.1f}",
            f"{found.slope:+.2f} [{found.low:+.2f}, {found.high:+.2f}]",
            f"{found.seen:.1f}", f"{100 * found.share:.2f}", verdict,
        )  # fmt: skip
    return shown, sound


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=24.0, help="of market time, at speed")
    parser.add_argument("--minutes", type=float, default=12.0, help="of the clock")
    parser.add_argument("--no-session", action="store_true", help="only what works by event")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="write all samples as CSV")
    parser.add_argument("--publish", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write-journal", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--serve-page", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--speed", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if not (given.hours > 0 and given.minutes > 0):
        raise InputError("--hours and --minutes must be positive")
    return given


def play(given: argparse.Namespace) -> None:
    """Play one part until interrupted."""
    clock = clock_of(given.start, given.began, given.speed)
    if given.publish:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(publish(clock))
    elif given.write_journal is not None:
        write_journal(given.write_journal, clock)
    else:
        serve_page(given.serve_page, clock)


def main(argv: list[str] | None = None) -> int:
    """Run, print, and return 1 if something grew or the page's server took too much."""
    given = parse(argv)
    if given.start is not None:
        play(given)
        return 0
    console = Console(width=130)
    # Ended by a signal, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)
    speed = given.hours * 60 / given.minutes
    system = System()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        if not given.no_session:
            by_clock(stack, system, folder / "session")
        # All of it lies in the past, so that no reader meets rows from the future.
        start_ms = round(time.time() * 1000 - given.hours * 3_600_000)
        began_s = time.monotonic()
        clock = clock_of(start_ms, began_s, speed)
        at_speed(stack, system, folder / "fast", start_ms, began_s, speed)

        def behind() -> float:
            return float((clock.now_ms - newest_ms(folder / "fast")) / 1000 / speed)

        seen, last, lags = asyncio.run(watch(system, given.minutes, behind))
        if given.samples is not None:
            with given.samples.open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(("group", "process", "seconds", "megabytes", "processor_seconds"))
                for one in system.watched:
                    rows.writerows((one.group, one.name.strip(), *row) for row in one.samples)
        dead = [part.name for part in system.parts if part.exit_code is not None]
        shown, sound = table(system, speed)
        console.print(f"{given.hours:g} market hours at {speed:.0f} times the clock")
        console.print(shown)
        console.print(
            "the newest recorded file was behind the market by (seconds of the clock) "
            f"{np.median(lags):.1f} mostly, {max(lags):.1f} at worst, {lags[-1]:.1f} at the end"
        )
        console.print(f"messages read by {VIEWERS} viewers a page: {dict(seen)}")
        for name, text in last.items():
            console.print(name, figures(text, ("refit", "message", "quote", "fill", "gap")))
        sizes = {p.name: size_of(p) for p in (folder / "fast").iterdir() if p.is_dir()}
        console.print("MB on disk:", {name: round(size, 1) for name, size in sizes.items()})
        console.print(f"ended by themselves: {dead or 'none'}")
        for name, warnings in complaints(system.parts).items():
            for text, count in warnings.most_common(MOST_SHOWN):
                console.print(f"{name}: {count} × {text}", markup=False)
    good = sound and not dead
    console.print(
        "nothing surely grew, and the pages cost little" if good else "it is NOT flat or cheap"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run(main))
