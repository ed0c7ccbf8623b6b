"""Folders per coin below a common one: lookup, renaming and listing.

A folder is named by `instruments.folder_of`, without the colon of ``xyz:XYZ100``. Earlier versions
kept the colon; such a folder belongs to the same coin and is renamed by its first writer.
"""

from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.instruments import coin_of_folder, folder_of

__all__ = ["coin_folder", "coins_below", "has_been_renamed", "writable_coin_folder"]


def coin_folder(parent: Path, coin: str) -> Path:
    """Return the folder of a coin's files, which need not exist.

    Raises
    ------
    InputError
        ``coin`` is not a valid coin name, or both folder names exist.
    """
    folder = parent / folder_of(coin)
    earlier = parent / coin
    if earlier == folder or not earlier.is_dir():
        return folder
    if folder.is_dir():
        raise InputError(
            f"{coin} has two folders, {str(folder)!r} and {str(earlier)!r}: move the files of the "
            "second into the first and delete the second"
        )
    return earlier


def writable_coin_folder(parent: Path, coin: str) -> Path:
    """Return the folder for writing a coin's files; rename one with the earlier name.

    Raises
    ------
    InputError
        As for `coin_folder`.
    OSError
        The folder cannot be renamed.
    """
    folder = parent / folder_of(coin)
    found = coin_folder(parent, coin)
    if found != folder:
        found.rename(folder)
    return folder


def has_been_renamed(folder: Path) -> bool:
    """Return whether a folder with the earlier name has been renamed since."""
    return not folder.is_dir() and folder.with_name(folder.name.replace(":", "-")).is_dir()


def coins_below(parent: Path) -> list[str]:
    """Return the coins that have a folder, sorted.

    Raises
    ------
    OSError
        ``parent`` cannot be read.
    """
    named = ((coin_of_folder(entry.name), entry) for entry in parent.iterdir())
    return sorted({coin for coin, entry in named if coin is not None and entry.is_dir()})
