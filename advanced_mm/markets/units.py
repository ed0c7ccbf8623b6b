"""Integers for money: sizes in lots, prices in price units, amounts in micro-USDC.

A perpetual with szDecimals s trades in lots of 10**-s base units at multiples of 10**-(6 - s) USDC,
so price units times lots are micro-USDC, without rounding.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

__all__ = ["MICROS_PER_USDC", "CoinUnits", "dollars_text", "micros_text", "parse_micros"]

QUOTE_DECIMALS = 6
MICROS_PER_USDC = 10**QUOTE_DECIMALS


@dataclass(frozen=True, slots=True)
class CoinUnits:
    """The units of one coin; ``size_decimals`` is the venue's szDecimals, 0 to 6.

    Raises
    ------
    ValueError
        If ``size_decimals`` is out of range.
    """

    size_decimals: int

    def __post_init__(self) -> None:
        if not 0 <= self.size_decimals <= QUOTE_DECIMALS:
            raise ValueError(f"szDecimals {self.size_decimals} is outside 0 to {QUOTE_DECIMALS}")

    @property
    def price_decimals(self) -> int:
        """Decimals of the finest price."""
        return QUOTE_DECIMALS - self.size_decimals

    def lots(self, size: float) -> int:
        """Return the number of lots nearest to a size in base units."""
        return round(size * _power(self.size_decimals))

    def price_units(self, price: float) -> int:
        """Return the number of price units nearest to a price in USDC."""
        return round(price * _power(self.price_decimals))

    def size(self, lots: int) -> float:
        """Return a size in base units."""
        return lots / _power(self.size_decimals)

    def price(self, units: int) -> float:
        """Return a price in USDC."""
        return units / _power(self.price_decimals)

    def parse_lots(self, text: str) -> int:
        """Parse a size as clients write it into lots.

        Raises
        ------
        ValueError
            If it is not a number, not finite or not a multiple of a lot.
        """
        return _whole(text, self.size_decimals)

    def parse_price(self, text: str) -> int:
        """Parse a price as clients write it into price units.

        Raises
        ------
        ValueError
            If it is not a number, not finite or finer than a price unit.
        """
        return _whole(text, self.price_decimals)

    def size_text(self, lots: int) -> str:
        """Write a size as the venue does: no more decimals than needed, but at least one."""
        return _text(lots, self.size_decimals)

    def price_text(self, units: int) -> str:
        """Write a price as the venue does."""
        return _text(units, self.price_decimals)


def _power(decimals: int) -> int:
    return int(10**decimals)


def micros_text(micros: int) -> str:
    """Write an amount of micro-USDC in USDC."""
    return _text(micros, QUOTE_DECIMALS)


def dollars_text(micros: int) -> str:
    """Write an amount as in the venue's messages: USDC rounded down to cents, 87457.46, 4643."""
    return micros_text(micros - micros % (MICROS_PER_USDC // 100)).removesuffix(".0")


def parse_micros(text: str) -> int:
    """Parse an amount in USDC into the nearest number of micro-USDC.

    Raises
    ------
    ValueError
        If it is not a finite number.
    """
    return int((_decimal(text) * MICROS_PER_USDC).to_integral_value(ROUND_HALF_EVEN))


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return value


def _whole(text: str, decimals: int) -> int:
    scaled = _decimal(text).scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    return int(scaled)


def _text(value: int, decimals: int) -> str:
    digits = f"{abs(value):0{decimals + 1}d}"
    whole, fraction = (digits, "") if decimals == 0 else (digits[:-decimals], digits[-decimals:])
    return f"{'-' if value < 0 else ''}{whole}.{fraction.rstrip('0') or '0'}"
