"""The actions of a market maker and their results, as typed events.

Every event has

``time_ms``
    When it happened, epoch milliseconds. Fills, funding and the looks at a live account have the
    exchange's own time, everything else the bot's clock.
``coin``
    The venue's name of the coin; empty where an event is of the whole account or the whole bot.
``bot``
    The name of the bot or maker.

Prices and money are in the quote currency, sizes and positions in the base currency, signed where
they are positions. An order is named by the venue's (in a dry run Freqtrade's) own order id, so
that quotes, ends and fills join on ``order``; an order the venue refused never had one and gets a
made-up name, ``refused-…``. A fill may belong to an order without a quote: a stop, a forced exit,
an order that was given up as lost (and ended as ``refused``) but had reached the venue.

What is read back also has ``written_ms``, the writer's clock when the event was recorded, and
``run``, a number of the process that wrote it; rows keep the order in which a run recorded them.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "EVENTS",
    "AccountMarked",
    "BadRowsCounted",
    "ClockJumped",
    "Event",
    "Fill",
    "Funding",
    "GuardChanged",
    "Look",
    "QuoteEnded",
    "QuoteSent",
    "RefusalChanged",
    "RequestsUsed",
]

Side = Literal["bid", "ask"]
Purpose = Literal["entry", "exit", "at_touch"]
Outcome = Literal["filled", "partial", "cancelled", "refused"]
Liquidity = Literal["maker", "taker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Fields common to all events; ``event`` names the kind."""

    event: ClassVar[str]

    time_ms: int
    coin: str
    bot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteSent(Event):
    """An order that was sent to rest, and the inputs of its price.

    Attributes
    ----------
    order, side, price, size
        The order as sent to the venue.
    mid, bid, ask
        The book when it was decided, without our own orders; the touch may be unknown.
    depth
        Distance of the ideal price from the fair price; the price is that rounded away from it.
    fair_price
        The mid, moved by what the sizes at the touch foretell; None: the mid itself.
    tick
        The venue's price step there.
    inventory, units
        Position when it was decided: signed base currency, and in the model's units.
    calibration_id
        Of the refit it rests on; None at the touch, which needs no parameters.
    expected_edge
        Expected profit of a fill, quote currency per unit of the base currency, after the fee.
    toxicity, regime
        kappa * epsilon_fill of that side, a pure number, and its regime's name.
    volatility
        The mid's, quote currency per square root of a second.
    purpose
        ``entry`` opens or enlarges, ``exit`` closes at the optimal depth, ``at_touch`` closes at
        the touch because no usable parameters exist.
    queue_ahead
        Size resting before it at its price when it was decided, base currency.
    widened
        The factor by which guards made the depth larger than the model's; ``depth`` includes it.
    """

    event: ClassVar[str] = "quote_sent"

    order: str
    side: Side
    price: float
    size: float
    mid: float
    depth: float
    tick: float
    inventory: float
    units: int
    purpose: Purpose
    bid: float | None = None
    ask: float | None = None
    calibration_id: str | None = None
    expected_edge: float | None = None
    toxicity: float | None = None
    regime: str | None = None
    volatility: float | None = None
    queue_ahead: float | None = None
    fair_price: float | None = None
    widened: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteEnded(Event):
    """The end of an order that was sent to rest.

    Attributes
    ----------
    outcome
        ``filled`` whole, in part (``partial``, the rest was cancelled), ``cancelled`` without a
        fill, or ``refused``, by the venue or by Freqtrade on the way there.
    why
        The reason it ended, in words.
    filled_size
        Base currency.
    age_seconds
        From sending it to its end as the bot saw it.
    """

    event: ClassVar[str] = "quote_ended"

    order: str
    outcome: Outcome
    why: str
    filled_size: float
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Event):
    """One fill of an order of ours.

    A bot that was down records the fills it missed when it starts again, with their own time.

    Attributes
    ----------
    fill
        The venue's number of the fill; in a dry run made from the order's id. Recorded once.
    order, side
        Which order; ``bid`` bought, ``ask`` sold.
    price, size
        Quote currency per unit, and base currency.
    fee
        Quote currency, positive where it was paid, negative for a rebate.
    liquidity
        Whether we rested or took; None where that is not known.
    rested_seconds
        From sending the order to the fill.
    age_seconds
        From the last look that found its price right, or off by no more than is tolerated, at
        first the one that decided it, to the fill.
    mid, bid, ask
        The book as the bot last saw it before the fill, without our own orders; None if that
        was more than a minute before or is no longer known. A recording's mid is closer.
    position_after
        Signed position after it, base currency.
    """

    event: ClassVar[str] = "fill"

    fill: str
    order: str
    side: Side
    price: float
    size: float
    fee: float
    liquidity: Liquidity | None = None
    rested_seconds: float | None = None
    age_seconds: float | None = None
    mid: float | None = None
    bid: float | None = None
    ask: float | None = None
    position_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalChanged(Event):
    """Why nothing is quoted from now on.

    ``kind`` is the reason without its numbers; ``reason`` is None, and ``kind`` empty, when quoting
    is allowed again.
    """

    event: ClassVar[str] = "refusal"

    kind: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardChanged(Event):
    """What a guard does from now on; the coin is empty where it is about the whole bot.

    Attributes
    ----------
    guard
        Its name, such as ``volatility``.
    does
        ``pause`` entries, ``widen`` them, or nothing any longer (``over``).
    sides
        Whose entries: ``bid``, ``ask`` or ``both``.
    widen
        Factor on the depth of entries.
    reason
        In words; None when it is over.
    """

    event: ClassVar[str] = "guard"

    guard: str
    does: Literal["pause", "widen", "over"]
    sides: Literal["bid", "ask", "both"]
    widen: float
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMarked(Event):
    """What the guards of the account must know after a restart.

    Profits are since the bot's first trade, open positions included, in the quote currency.

    Attributes
    ----------
    profit, peak, day_start
        Now, at its highest, and at the first look of the day (UTC).
    paused_ms
        Since when a drawdown pauses entries, epoch milliseconds; None: it does not.
    """

    event: ClassVar[str] = "account_mark"

    profit: float
    peak: float
    day_start: float
    paused_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding(Event):
    """Funding that was paid: ``amount`` positive where we received it.

    ``position`` is what it was paid on, base currency, signed.
    """

    event: ClassVar[str] = "funding"

    amount: float
    position: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsUsed(Event):
    """Actions the venue has counted for this address in total, and how many it allows."""

    event: ClassVar[str] = "requests"

    used: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Event):
    """The state now and then: at the start, once a minute, at the end.

    Attributes
    ----------
    what
        ``start``, ``minute`` or ``end``.
    mid, bid, ask
        The book without our own orders; None where it cannot be had.
    position
        Signed, base currency; live, the venue's own.
    mark
        The price at which the account is valued: live the venue's mark price, None if the
        venue reports none (no position).
    source
        Whose figures position, cash and equity are: the ``venue``'s own, or the bot's ``books``.
    cash, equity
        Of the whole account. Cash moves by ``-size * price`` with each purchase, ``+`` with each
        sale, by fees and by funding, so that equity is cash + the sum of position * mark over all
        coins.
    """

    event: ClassVar[str] = "look"

    what: Literal["start", "minute", "end"]
    position: float
    source: Literal["venue", "books"] = "books"
    mid: float | None = None
    bid: float | None = None
    ask: float | None = None
    mark: float | None = None
    cash: float | None = None
    equity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRowsCounted(Event):
    """What has been left out of the venue's lists and of the files so far, in words."""

    event: ClassVar[str] = "bad_rows"

    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The writer's clock was set: ``seconds`` forward, negative backward. ``time_ms`` is after."""

    event: ClassVar[str] = "clock_jump"

    seconds: float


EVENTS = (
    QuoteSent,
    QuoteEnded,
    Fill,
    RefusalChanged,
    GuardChanged,
    AccountMarked,
    Funding,
    RequestsUsed,
    Look,
    BadRowsCounted,
    ClockJumped,
)
"""All kinds of events."""
