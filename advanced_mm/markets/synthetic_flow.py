"""The order flow of the synthetic market, drawn one minute at a time as arrays.

Prices are in whole or fractional ticks, sizes in whole size steps. Chunks depend only on the random
generator, so a market does not depend on how it is driven.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regimes

__all__ = ["CHUNK_BLOCKS", "FlowChunk", "SyntheticFlow"]

CHUNK_BLOCKS = 600
_MOST_PRINTS_PER_LEVEL = 4

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FlowChunk:
    """``CHUNK_BLOCKS`` blocks of the market, all of one regime; fewer if the regime ends.

    ``latent`` and ``imbalance`` have shape (blocks,): S in ticks and the imbalance of the sizes at
    the touch, both after each block. The ``print_*`` arrays have one
    entry per print, in the order of publication: block within the chunk, number of the market
    order within the chunk, aggressor's side (+1, -1), price in ticks, size in size steps.
    """

    latent: _Floats
    print_block: _Ints
    print_order: _Ints
    print_side: _Ints
    print_ticks: _Ints
    print_steps: _Ints
    orders: int
    level_size: float
    imbalance: _Floats

    @property
    def bid_ticks(self) -> _Ints:
        """Best bid after each block, in ticks; the ask is one tick above."""
        return np.floor(self.latent).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Orders:
    """Market orders of both sides, sorted by block; ``beyond`` is their reach beyond the touch."""

    block: _Ints
    side: _Ints
    touch: _Ints
    beyond: _Floats


class SyntheticFlow:
    """Draws the chunks of one market in order.

    In each block, the market orders that arrived since the previous block trade against the book
    around the previous S, each starting at the touch, since resting liquidity refills between them.
    Then S takes its diffusion step and the orders' jumps, and the book is rebuilt around it. An
    order whose reach ends before the touch does not print but may move S, as the model's M counts
    it.
    """

    def __init__(self, regimes: Regimes, seed: int) -> None:
        self._regimes = regimes
        self._given = 0
        parameters = regimes.parameters_of_block(0)
        self._random = np.random.default_rng(seed)
        # Of its own, so that the orders are the same with and without an imbalance.
        self._turns = np.random.default_rng((seed, 1))
        self._sign = 1.0
        self._latent = parameters.start_price / parameters.tick
        self._lowest = self._latent * (1 - parameters.band)
        self._highest = self._latent * (1 + parameters.band)
        self._enter(parameters, 0)

    def _enter(self, parameters: SyntheticParameters, blocks: int) -> None:
        self._parameters = parameters
        self._blocks = blocks
        self._level_steps = round(parameters.level_size * 10**parameters.size_decimals)

    def next_chunk(self) -> FlowChunk:
        """Return the next ``CHUNK_BLOCKS`` blocks, or those up to the end of the regime."""
        self._enter(
            self._regimes.parameters_of_block(self._given),
            self._regimes.blocks_until_change(self._given, CHUNK_BLOCKS),
        )
        self._given += self._blocks
        market = self._parameters
        seconds = market.block_ms / 1000
        buys = self._arrivals(market.lambda_plus * seconds, market.kappa_plus)
        sells = self._arrivals(market.lambda_minus * seconds, market.kappa_minus)
        moves = self._random.standard_normal(self._blocks)
        moves *= market.sigma * np.sqrt(seconds) / market.tick
        moves += market.drift * seconds / market.tick
        imbalance = self._imbalance()
        moves += market.imbalance_drift * seconds / market.tick * imbalance[:-1]
        moves += self._jumps(buys[0], market.jump_probability_plus)
        moves -= self._jumps(sells[0], market.jump_probability_minus)
        before = self._latent
        latent = self._path(moves)
        self._latent = float(latent[-1])
        orders = self._seen(np.concatenate(([before], latent[:-1])), buys, sells)
        return self._printed(latent, imbalance[1:], orders)

    def _imbalance(self) -> _Floats:
        """Draw the imbalance before the first block and after each, shape (blocks + 1,)."""
        market = self._parameters
        if market.imbalance == 0:
            return np.zeros(self._blocks + 1)
        turns = self._turns.random(self._blocks) < market.turning_probability
        signs = self._sign * np.cumprod(np.where(np.concatenate(([False], turns)), -1.0, 1.0))
        self._sign = float(signs[-1])
        return np.asarray(market.imbalance * signs)

    def _arrivals(self, mean_per_block: float, kappa: float) -> tuple[_Ints, _Floats]:
        """Draw block and reach (ticks from the previous S) of every market order of one side."""
        counts = self._random.poisson(mean_per_block, self._blocks)
        blocks = np.repeat(np.arange(self._blocks), counts)
        return blocks, self._random.exponential(1 / (kappa * self._parameters.tick), len(blocks))

    def _jumps(self, blocks: _Ints, probability: float) -> _Floats:
        """Draw the sum of the Pareto jumps of each block, ticks, shape (blocks,)."""
        market = self._parameters
        smallest = market.smallest_jump / market.tick
        jumps = smallest * (1 + self._random.pareto(market.jump_alpha, len(blocks)))
        jumps[self._random.random(len(blocks)) >= probability] = 0.0
        total = np.bincount(blocks, weights=jumps, minlength=self._blocks)
        return total.astype(np.float64, copy=False)

    def _path(self, moves: _Floats) -> _Floats:
        path: _Floats = self._latent + np.cumsum(moves)
        if path.min() >= self._lowest and path.max() <= self._highest:
            return path
        return self._reflected(moves)

    def _reflected(self, moves: _Floats) -> _Floats:
        """Build the path step by step, folding each step back into the band (rare, so a loop)."""
        path = np.empty_like(moves)
        latent, width = self._latent, self._highest - self._lowest
        for i, move in enumerate(moves):
            above = (latent + move - self._lowest) % (2 * width)
            latent = self._lowest + min(above, 2 * width - above)
            path[i] = latent
        return path

    def _seen(
        self, before: _Floats, buys: tuple[_Ints, _Floats], sells: tuple[_Ints, _Floats]
    ) -> _Orders:
        """Return the orders that reach the touch, in random order within their block."""
        block = np.concatenate((buys[0], sells[0]))
        reach = np.concatenate((buys[1], sells[1]))
        side = np.repeat(np.array([1, -1]), (len(buys[0]), len(sells[0])))
        last = before[block]
        touch = np.floor(last).astype(np.int64) + (side > 0)
        beyond = reach - side * (touch - last)
        order = np.lexsort((self._random.random(len(block)), block))
        order = order[beyond[order] >= 0]
        return _Orders(block[order], side[order], touch[order], beyond[order])

    def _printed(self, latent: _Floats, imbalance: _Floats, orders: _Orders) -> FlowChunk:
        """Walk the levels from the touch to the reach; each level prints one to four times."""
        walked = orders.beyond.astype(np.int64)
        order, depth = _ranges(walked + 1)
        last_share = orders.beyond - walked
        share = np.where(depth == walked[order], last_share[order], 1.0)
        level_steps = np.maximum(1, np.rint(share * self._level_steps).astype(np.int64))
        most = _MOST_PRINTS_PER_LEVEL
        pieces = np.minimum(self._random.integers(1, most, len(order), endpoint=True), level_steps)
        level, piece = _ranges(pieces)
        cuts = self._random.random((len(order), most))
        order = order[level]
        ticks = orders.touch[order] + orders.side[order] * depth[level]
        there = ticks >= 1  # a sell order's reach may exceed the price
        order = order[there]
        return FlowChunk(
            latent=latent,
            print_block=orders.block[order],
            print_order=order,
            print_side=orders.side[order],
            print_ticks=ticks[there],
            print_steps=_split(level_steps, pieces, cuts)[level, piece][there],
            orders=len(orders.block),
            level_size=self._parameters.level_size,
            imbalance=imbalance,
        )


def _ranges(counts: _Ints) -> tuple[_Ints, _Ints]:
    """Return each entry's row and position in a ragged array with ``counts`` entries per row."""
    row = np.repeat(np.arange(len(counts)), counts)
    start = np.cumsum(counts) - counts
    return row, np.arange(len(row)) - start[row]


def _split(total: _Ints, pieces: _Ints, uniform: _Floats) -> _Ints:
    """Split each total into ``pieces`` parts of at least one, at independent uniform cuts."""
    columns = np.arange(uniform.shape[1])
    cuts = np.sort(np.where(columns < pieces[:, None] - 1, uniform, 1.0), axis=1)
    ends = np.floor(cuts * (total - pieces)[:, None]).astype(np.int64)
    split: _Ints = np.diff(ends, axis=1, prepend=0) + 1
    return split
