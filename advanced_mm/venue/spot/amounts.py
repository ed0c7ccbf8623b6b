"""Amounts of assets as whole numbers of 1e-8, the finest a spot exchange keeps."""

from decimal import Decimal

from advanced_mm.markets.units import QUOTE_DECIMALS, CoinUnits

__all__ = ["ATOMS", "atoms_of", "atoms_text", "base_atoms", "price_text", "quote_atoms"]

DECIMALS = 8
ATOMS = 10**DECIMALS
"""Atoms of one unit of any asset."""

_ATOMS_PER_MICRO: int = 10 ** (DECIMALS - QUOTE_DECIMALS)


def base_atoms(units: CoinUnits, lots: int) -> int:
    """Return a size in lots as atoms of the base asset."""
    return int(lots * 10 ** (DECIMALS - units.size_decimals))


def quote_atoms(price: int, lots: int) -> int:
    """Return the value of ``lots`` at a price (price units) as atoms of the quote asset: exact."""
    return price * lots * _ATOMS_PER_MICRO


def atoms_of(amount: Decimal) -> int:
    """Return an amount of an asset as atoms, rounded down."""
    return int(amount * ATOMS)


def atoms_text(atoms: int) -> str:
    """Write atoms as the exchange does, with eight decimals: 0.05000000."""
    sign, size = ("-", -atoms) if atoms < 0 else ("", atoms)
    return f"{sign}{size // ATOMS}.{size % ATOMS:08d}"


def price_text(units: CoinUnits, price: int) -> str:
    """Write a price (price units) with eight decimals."""
    return atoms_text(int(price * 10 ** (DECIMALS - units.price_decimals)))
