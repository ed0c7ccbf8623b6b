"""Two bots on two accounts that quote one inventory, shared by a file of each.

Each writes what it holds into ``legs/long.json`` or ``legs/short.json`` of the parameter folder,
once a second and with each fill, and reads the other's before each decision. Whether the other is
alive is told by its counter, as seen by our own monotonic clock: no clocks are compared, and a file
that an earlier run left behind is never believed.
"""

import json
import logging
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from advanced_mm.errors import InputError
from advanced_mm.file_versions import NewerVersionError, check_version
from advanced_mm.parameter_files import Leg, write_json_atomically

__all__ = ["FOLDER", "LEGS_VERSION", "SILENT_SECONDS", "Held", "Legs", "account_of_leg"]

logger = logging.getLogger(__name__)

FOLDER: Final = "legs"
LEGS_VERSION: Final = 1
"""Raised when a field changes its meaning or unit; the two bots may be of different versions."""
SILENT_SECONDS: Final = 5.0
"""After this time without news from the other bot, a bot quotes its own inventories."""

BEAT_SECONDS: Final = 1.0
_LARGEST_RATIO: Final = 1.5
"""Units of the two legs may differ by this factor, as their accounts' balances drift apart."""


@dataclass(frozen=True)
class Held:
    """What a leg holds of a coin: signed units, and the stake of one unit (None if unknown)."""

    units: float
    stake: float | None = None


@dataclass(frozen=True)
class _Told:
    """The other leg's file."""

    writer: str
    beat: int
    account: str | None
    certain: bool
    coins: Mapping[str, Held]


class Legs:
    """One bot's view of the inventory that two bots share.

    Parameters
    ----------
    folder
        The parameter folder, which both bots use.
    leg
        Which of the two this bot is.
    account
        Address it trades from; None in a dry run. Two legs on one account would net.
    clock
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        folder: Path,
        leg: Leg,
        account: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._other_leg: Leg = "short" if leg == "long" else "long"
        self._own = folder / FOLDER / f"{leg}.json"
        self._others = folder / FOLDER / f"{self._other_leg}.json"
        self._leg, self._account, self._clock = leg, account, clock
        self._writer = uuid.uuid4().hex
        self._beat = 0
        self._written: tuple[object, float] | None = None
        self._conflict = False
        self._told: _Told | str | None = None  # a text says why the file is not understood
        self._last: tuple[str, int] | None = None
        self._read_at: float | None = None
        self._heard_at: float | None = None
        self._why: str | None = None

    # ---- ours

    def tell(self, coins: Mapping[str, Held], *, certain: bool = True) -> None:
        """Write down what this bot holds, if it changed or a second has passed.

        ``certain`` is False while an order is in doubt, so that the other does not rely on it.
        """
        content = {
            "version": LEGS_VERSION,
            "leg": self._leg,
            "account": self._account,
            "certain": certain,
            "coins": {c: {"units": h.units, "stake": h.stake} for c, h in coins.items()},
        }
        now = self._clock()
        if self._written is not None:
            before, at = self._written
            if before == content and now - at < BEAT_SECONDS:
                return
            found = _load(self._own)
            self._conflict = found is not None and found.get("writer") != self._writer
        self._beat += 1
        try:
            self._own.parent.mkdir(parents=True, exist_ok=True)
            write_json_atomically(
                self._own, {"writer": self._writer, "beat": self._beat, **content}
            )
        except OSError as error:  # the other bot then hears nothing and quotes alone
            logger.warning("%s cannot be written: %s", self._own, error)
            return
        self._written = content, now

    def close(self) -> None:
        """Withdraw our file, so that the other bot quotes alone at once."""
        found = _load(self._own)
        if found is not None and found.get("writer") == self._writer:
            self._own.unlink(missing_ok=True)

    @property
    def refusal(self) -> str | None:
        """Why nothing may be opened; None if it may."""
        if self._conflict:
            return (
                f"two bots are the {self._leg} leg and write {self._own}: set market_making.leg of "
                f"one of them to {self._other_leg}"
            )
        told = self._told
        if isinstance(told, _Told) and self._account is not None and told.account == self._account:
            return (
                f"both legs trade from {self._account}, where their positions net: give each an "
                "account of its own"
            )
        return None

    # ---- the other's

    def joint(self, coin: str, own: int, stake: float | None = None) -> int | None:
        """Return the inventory of both, -1 to 1 units; None if the other is not to be relied on.

        Parameters
        ----------
        coin
            The venue's name of the coin.
        own
            What we hold, signed units.
        stake
            The stake of one unit of ours; None if unknown.
        """
        now = self._clock()
        found = self._see(coin, stake, now)
        why = found if isinstance(found, str) else None
        if why != self._why:
            if why is None:
                logger.info("the %s leg is heard: both quote one inventory", self._other_leg)
            else:
                logger.warning("%s; this leg quotes its own inventories", why)
            self._why = why
        if isinstance(found, str):
            return None
        other = math.floor(abs(found.units) + 0.5)
        return max(-1, min(own + (other if self._other_leg == "long" else -other), 1))

    def _see(self, coin: str, stake: float | None, now: float) -> Held | str:
        """Return what the other holds, or why that is not known."""
        self._read(now)
        other, told = self._other_leg, self._told
        if isinstance(told, str):
            return told
        if told is None:
            return f"nothing is heard from the {other} leg ({self._others})"
        if self._heard_at is None or now - self._heard_at > SILENT_SECONDS:
            return f"the {other} leg is silent for more than {SILENT_SECONDS:g} s"
        if not told.certain:
            return f"the {other} leg has an order in doubt"
        held = told.coins.get(coin)
        if held is None:
            return f"the {other} leg does not trade {coin}"
        if stake and held.stake and not 1 / _LARGEST_RATIO <= stake / held.stake <= _LARGEST_RATIO:
            return (
                f"a unit is {held.stake:.2f} for the {other} leg and {stake:.2f} here, more than a "
                f"factor of {_LARGEST_RATIO:g} apart: set stake_amount of both alike"
            )
        return held

    def _read(self, now: float) -> None:
        try:
            told: _Told | str | None = _parsed(_load(self._others), self._other_leg)
        except NewerVersionError as error:
            told = str(error).replace("the file", str(self._others), 1)
        if isinstance(told, _Told) and self._last != (told.writer, told.beat):
            self._last = told.writer, told.beat
            # It was written after we looked last; how long before the first look is not known.
            self._heard_at = self._read_at
        self._told, self._read_at = told, now


def account_of_leg(folder: Path, leg: Leg) -> str | None:
    """Return the account from which a leg trades by its file in the parameter folder, if any."""
    try:
        told = _parsed(_load(folder / FOLDER / f"{leg}.json"), leg)
    except NewerVersionError:
        return None
    return None if told is None else told.account


def _load(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _parsed(found: Mapping[str, Any] | None, leg: Leg) -> _Told | None:
    """Return a leg's file as it is meant; None if anything in it is not as it should be.

    Raises
    ------
    NewerVersionError
        The other bot is of a later version of this program.
    """
    if found is None:
        return None
    try:
        check_version(found.get("version"), LEGS_VERSION, "the file")
    except NewerVersionError:
        raise
    except InputError:
        return None
    try:
        coins = {}
        for coin, held in found["coins"].items():
            units, stake = float(held["units"]), held["stake"]
            if not math.isfinite(units) or abs(units) >= 1.5 or units * _sign(leg) < 0:
                return None
            coins[str(coin)] = Held(units, None if stake is None else float(stake))
        account = found["account"]
        if found["leg"] != leg or not isinstance(found["certain"], bool):
            return None
        return _Told(
            str(found["writer"]),
            int(found["beat"]),
            None if account is None else str(account),
            found["certain"],
            coins,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _sign(leg: Leg) -> int:
    return 1 if leg == "long" else -1
