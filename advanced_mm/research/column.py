"""A column of the report: how it is computed, and the words that explain it."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advanced_mm.research.candles import Candles
from advanced_mm.research.windows import FloatArray, Window

__all__ = ["Column", "Market", "Register"]

_WORD = re.compile(r"^- (formula|unit|source|note): ", re.M)


@dataclass(frozen=True)
class Column:
    """A column and its explanation.

    Attributes
    ----------
    name
        Its name, with the window, such as ``volatility_300s``.
    meaning
        One sentence.
    formula
        How a row is computed; w is the window, in rows.
    unit
        Its unit; "1" for a plain number, "fraction" for a share of the price or of a volume.
    source
        Who defined it.
    note
        What to beware of, and where it differs from what is often computed; may be empty.
    window_seconds
        Length of its window, if its name has one.
    """

    name: str
    meaning: str
    formula: str
    unit: str
    source: str
    note: str
    window_seconds: int | None
    compute: Callable[["Market"], FloatArray]


class Market:
    """Candles as arrays, and the columns that other columns need, each computed once."""

    def __init__(self, candles: Candles, table: Mapping[str, Column]) -> None:
        self._candles = candles
        self._table = table
        self._known: dict[str, FloatArray] = {}
        self.step_seconds = candles.step_seconds
        self.tick = candles.tick
        self.rows = len(candles.frame)

    def candle(self, name: str) -> FloatArray:
        """Return a column of the candles."""
        values: FloatArray = self._candles.frame[name].to_numpy()
        return values

    def window(self, seconds: int) -> Window:
        """Return a window; without rows if it is not a whole number of candles."""
        rows, rest = divmod(seconds, self.step_seconds)
        return Window(0 if rest else rows)

    def __getitem__(self, name: str) -> FloatArray:
        """Return a column and keep it until it is taken."""
        if name not in self._known:
            self._known[name] = self._table[name].compute(self)
        return self._known[name]

    def take(self, name: str) -> FloatArray:
        """Return a column for the last time."""
        return self._known.pop(name) if name in self._known else self._table[name].compute(self)

    def drop(self, name: str) -> None:
        """Forget a column that nothing needs any more."""
        self._known.pop(name, None)


def _fixed(
    function: Callable[[Market, int], FloatArray], seconds: int
) -> Callable[[Market], FloatArray]:
    return lambda market: function(market, seconds)


class Register(dict[str, Column]):
    """The columns of a module by name, their words from the docstrings of their functions.

    A docstring has a sentence, a blank line and a list: ``- formula: …``, ``- unit: …``,
    ``- source: …`` and perhaps ``- note: …``.
    """

    def add(self, function: Callable[[Market], FloatArray]) -> Callable[[Market], FloatArray]:
        """Register a column named as its function."""
        self._enter(function.__name__, function, None, function)
        return function

    def over(
        self, *seconds: int
    ) -> Callable[[Callable[[Market, int], FloatArray]], Callable[[Market, int], FloatArray]]:
        """Register a function of a window as one column for each length: ``name_60s``.

        An underscore at the end of the function's name, which tells it from one without a window,
        is left out.
        """

        def register(
            function: Callable[[Market, int], FloatArray],
        ) -> Callable[[Market, int], FloatArray]:
            for length in seconds:
                name = f"{function.__name__.rstrip('_')}_{length}s"
                self._enter(name, _fixed(function, length), length, function)
            return function

        return register

    def _enter(
        self,
        name: str,
        compute: Callable[[Market], FloatArray],
        seconds: int | None,
        function: Callable[..., FloatArray],
    ) -> None:
        meaning, *rest = _WORD.split(inspect.getdoc(function) or "")
        words = {
            key: " ".join(text.split()) for key, text in zip(rest[::2], rest[1::2], strict=True)
        }
        self[name] = Column(
            name=name,
            meaning=" ".join(meaning.split()),
            formula=words["formula"],
            unit=words["unit"],
            source=words["source"],
            note=words.get("note", ""),
            window_seconds=seconds,
            compute=compute,
        )
