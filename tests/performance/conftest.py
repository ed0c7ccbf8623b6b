"""A market whose truth is known: a maker at a constant depth, filled by orders that move the mid.

Market orders of each side arrive at rate λ and reach beyond depth δ with probability exp(−κδ),
whatever they do to the mid; each moves it by ε, for good. The moves of both sides cancel on
average, and the mid has noise of its own. So a fill's mid moves against it by ε and no more.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from advanced_mm.performance import BotSpan, Fills, Observations, Quotes, Record, Refusals
from advanced_mm.performance.records import Words
from tests.performance.journals import START_MS

PRICE = 4000.0


@dataclass(frozen=True)
class KnownMarket:
    """``epsilon`` of the two regimes that alternate, ``regime_s`` seconds each."""

    seconds: int = 7200
    rate: float = 0.5
    kappa: float = 2.0
    depth: float = 0.4
    epsilon: tuple[float, float] = (0.1, 0.3)
    regime_s: float = 300.0
    sigma: float = 0.3
    fee_rate: float = 0.0
    size: float = 0.1

    def record(self, seed: int) -> Record:
        """Trade once. Looks at the mid are written every 200 ms, and just before each order."""
        rng = np.random.default_rng(seed)
        n = rng.poisson(2 * self.rate * self.seconds)
        time = np.sort(rng.uniform(0, self.seconds, n))
        sign = rng.choice([-1, 1], n)  # of the market order
        epsilon = np.array(self.epsilon)[(time // self.regime_s).astype(int) % 2]
        jumps = np.concatenate([[0.0], np.cumsum(sign * epsilon)])
        grid = np.arange(0, self.seconds, 0.2)
        looks = np.sort(np.concatenate([grid, time]))
        noise = np.cumsum(
            self.sigma * np.sqrt(np.diff(looks, prepend=0)) * rng.normal(size=len(looks))
        )
        mid = PRICE + noise + jumps[np.searchsorted(time, looks, side="left")]
        hit = rng.exponential(1 / self.kappa, n) > self.depth
        at_order = np.interp(time[hit], looks, mid)
        fills = len(at_order)
        price = at_order + sign[hit] * self.depth
        milliseconds = START_MS + np.round(time[hit] * 1000).astype(np.int64)
        quotes = quotes_of(
            time_ms=milliseconds - 1,
            end_ms=milliseconds,
            sign=-sign[hit],
            mid=at_order,
            depth=np.full(fills, self.depth),
            edge=self.depth - epsilon[hit] - self.fee_rate * price,
            size=np.full(fills, self.size),
            filled=np.full(fills, self.size),
        )
        return record_of(
            fills_of(
                time_ms=milliseconds,
                sign=-sign[hit],
                price=price,
                size=np.full(fills, self.size),
                fee=self.fee_rate * price * self.size,
                quote=np.arange(fills),
                rested_s=np.full(fills, 0.5),
            ),
            quotes,
            Observations(START_MS + np.floor(looks * 1000).astype(np.int64), mid),
            end_ms=START_MS + self.seconds * 1000,
        )


def _filled(n, values, defaults):
    return {
        name: np.asarray(values.get(name, np.full(n, default)))
        for name, default in defaults.items()
    }


def fills_of(**values) -> Fills:
    """Fills from what is given, the rest unknown."""
    n = len(values["time_ms"])
    unknown = dict.fromkeys(("fee", "maker", "rested_s", "own_mid"), np.nan) | {"fee": 0.0}
    defaults = {
        "time_ms": 0,
        "sign": 1,
        "price": PRICE,
        "size": 1.0,
        **unknown,
        "quote": -1,
        "bot": 0,
    }
    return Fills(**_filled(n, values, defaults))


def quotes_of(**values) -> Quotes:
    """Quotes from what is given, the rest unknown."""
    n = len(values.get("time_ms", ()))
    unknown = dict.fromkeys(("mid", "depth", "edge", "queue_ahead"), np.nan)
    defaults = {
        "time_ms": 0, "end_ms": 0, "sign": 1, "size": 1.0, "filled": 0.0,
        **unknown, "refused": False, "bot": 0,
    }  # fmt: skip
    words = {name: Words.unknown(n) for name in ("calibration_id", "regime")}
    return Quotes(**_filled(n, values, defaults), **words)


def record_of(fills, quotes=None, seen=None, *, end_ms=None, bots=None, **others) -> Record:
    """One bot's record of ETH, flat at the start."""
    end_ms = int(fills.time_ms[-1]) + 1000 if end_ms is None else end_ms
    nothing = np.empty(0, np.int64)
    values = {
        "refusals": Refusals(nothing, np.empty(0, object)),
        "funding_ms": nothing,
        "funding": np.empty(0),
        "funding_bot": nothing,
    } | others
    return Record(
        coin="ETH", source="test", start_ms=START_MS, end_ms=end_ms, fills=fills,
        quotes=quotes or quotes_of(), seen=seen or Observations(nothing, np.empty(0)),
        bots=bots or [BotSpan("bot", START_MS, end_ms)], **values,
    )  # fmt: skip


@pytest.fixture
def known_market():
    return KnownMarket
