"""Simulated markets with known truth, as recordings.

A mid S moves as a Brownian motion on blocks of 0.1 s; the best prices are the lattice points around
it. Market orders come at rate lambda a side and are executed in the next block against the last S;
with probability pi one moves S by a Pareto jump. Quotes go out on change, L2 snapshots every half
second. In the plain market an order's reach from S is exponential and it stays unseen where it does
not reach the touch; in the realistic one every order hits the touch and some sweep further, orders
come in bursts and their impact is late.
"""

from dataclasses import dataclass

import numpy as np

from advanced_mm.marketdata.records import Quotes, Recording, Trades

BLOCK_MS = 100
START_MS = 1_760_000_000_000


@dataclass(frozen=True)
class Market:
    rate: float = 1.0  # market orders a side, 1/s
    kappa: float = 2.5
    jump_probability: float = 0.5
    jump_alpha: float = 2.5
    jump_scale: float = 0.1
    sigma: float = 0.3
    tick: float = 0.1
    seconds: int = 1800
    with_hash: bool = False
    realistic: bool = False
    sweep_probability: float = 0.18
    hole: tuple[float, float] | None = None  # seconds from the start

    @property
    def epsilon(self) -> float:
        a = self.jump_alpha
        return self.jump_probability * self.jump_scale * a / (a - 1)

    @property
    def printed_rate(self) -> float:
        """Rate of orders that reach the touch, which lies uniformly within a tick above S."""
        if self.realistic:
            return self.rate
        x = self.kappa * self.tick
        return self.rate * -np.expm1(-x) / x

    @property
    def lambda0(self) -> float:
        if self.realistic:
            return self.rate * self.sweep_probability * np.exp(self.kappa * 1.5 * self.tick)
        return self.rate


def _arrival_blocks(market: Market, rng: np.random.Generator, blocks: int) -> np.ndarray:
    """Blocks in which the orders of one side are executed."""
    if not market.realistic:
        return np.repeat(np.arange(blocks), rng.poisson(market.rate * BLOCK_MS / 1e3, blocks))
    seconds = blocks * BLOCK_MS / 1e3
    parents = rng.uniform(0, seconds, rng.poisson(0.4 * market.rate * seconds))
    offspring = rng.geometric(0.4, len(parents)) - 1  # a burst has 2.5 orders on average
    late = np.repeat(parents, offspring) + rng.exponential(1.5, offspring.sum())
    at = np.sort(np.concatenate((parents, late)))
    return (at[at < seconds] * 1e3 / BLOCK_MS).astype(np.int64)


def simulate(market: Market, seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    blocks = market.seconds * 1000 // BLOCK_MS
    arrivals = {side: _arrival_blocks(market, rng, blocks) for side in (1, -1)}
    step = rng.normal(0, market.sigma * np.sqrt(BLOCK_MS / 1e3), blocks)
    for side, block in arrivals.items():
        jump = market.jump_scale * (1 + rng.pareto(market.jump_alpha, len(block)))
        jump *= rng.random(len(block)) < market.jump_probability
        delay = rng.exponential(0.3, len(block)) * 1e3 / BLOCK_MS if market.realistic else 0.0
        lands = (block + delay).astype(np.int64)
        np.add.at(step, lands[lands < blocks], side * jump[lands < blocks])
    s = 3000.0 + np.cumsum(step)
    bid_ticks = np.floor(s / market.tick).astype(np.int64)
    sent = np.concatenate(([True], np.diff(bid_ticks) != 0))
    quote_ms = START_MS + BLOCK_MS * np.flatnonzero(sent)
    parts = [_prints(market, rng, side, b, s, bid_ticks) for side, b in arrivals.items()]
    block, side, ticks, order = (np.concatenate(p) for p in zip(*parts, strict=True))
    in_time = np.argsort(block, kind="stable")
    recording = Recording(
        coin="SIM",
        quotes=_quotes(quote_ms, bid_ticks[sent], market.tick),
        trades=_trades(market, *(a[in_time] for a in (block, side, ticks, order))),
        book_time_ms=START_MS + np.arange(0, market.seconds * 1000, 500),
        tick=market.tick,
    )
    return recording if market.hole is None else _cut(recording, market.hole)


def _prints(market, rng, side, block, s, bid_ticks):
    """Every level an order takes prints 1 to 4 times."""
    block = block[block >= 1]
    before = block - 1
    touch = bid_ticks[before] + (side > 0)
    depth = rng.exponential(1 / market.kappa, len(block))
    if market.realistic:
        sweeps = rng.random(len(block)) < market.sweep_probability
        levels = 1 + sweeps * (1 + np.floor(depth / market.tick).astype(np.int64))
    else:
        last = s[before] + side * depth
        lattice = np.floor(last / market.tick) if side > 0 else np.ceil(last / market.tick)
        levels = np.maximum(side * (lattice.astype(np.int64) - touch) + 1, 0)
    order = np.repeat(np.arange(len(block)), levels)
    level = np.arange(levels.sum()) - np.repeat(np.cumsum(levels) - levels, levels)
    ticks = touch[order] + side * level
    copies = rng.integers(1, 5, len(order))
    order, ticks = np.repeat(order, copies), np.repeat(ticks, copies)
    code = 2 * order + 1 if side > 0 else 2 * order + 2
    return block[order], np.full(len(order), side), ticks, code


def _quotes(time_ms, bid_ticks, tick) -> Quotes:
    size = np.ones(len(time_ms))
    bid, ask = np.round(bid_ticks * tick, 6), np.round((bid_ticks + 1) * tick, 6)
    return Quotes(time_ms, bid, size, ask, size, time_ms / 1e3)


def _trades(market, block, side, ticks, order) -> Trades:
    time_ms = START_MS + BLOCK_MS * block
    return Trades(
        time_ms=time_ms,
        price=np.round(ticks * market.tick, 6),
        size=np.ones(len(block)),
        side=side,
        trade_id=np.arange(len(block)),
        transaction=order if market.with_hash else np.zeros(len(block), dtype=np.int64),
        local_s=time_ms / 1e3,
    )


def _cut(recording: Recording, hole: tuple[float, float]) -> Recording:
    """Drop quotes and books of a hole; the trades in it were resent, as after a reconnect."""
    low, high = (START_MS + 1000 * edge for edge in hole)
    q = recording.quotes
    keep = (q.time_ms < low) | (q.time_ms > high)
    books = recording.book_time_ms
    return Recording(
        recording.coin,
        Quotes(*(getattr(q, f)[keep] for f in q.__dataclass_fields__)),
        recording.trades,
        books[(books < low) | (books > high)],
        recording.tick,
    )
