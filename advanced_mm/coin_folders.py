"""One folder a coin below a common one: how it is found, made its own, and listed.

A folder is named by `instruments.folder_of`, without the colon of ``xyz:XYZ100``. Earlier versions
kept the colon; such a folder is the same coin's, and is renamed by the first who writes into it.
"""

from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.instruments import coin_of_folder, folder_of

__all__ = ["coin_folder", "coins_below", "has_been_renamed", "writable_coin_folder"]


def coin_folder(parent: Path, coin: str) -> Path:
    """Return where a coin's files lie, or would lie if there were any.

    Raises
    ------
    InputError
        ``coin`` is not a coin's name, or it has a folder of each name.
    """
    folder = parent / folder_of(coin)
    earlier = parent / coin
    if earlier == folder or not earlier.is_dir():
        return folder
    if folder.is_dir():
        raise InputError(
            f"{coin} has two folders, {str(folder)!r} and {str(earlier)!r}: move the files of the "
            "second into the first and delete it"
        )
    return earlier


def writable_coin_folder(parent: Path, coin: str) -> Path:
    """Return where to write a coin's files; a folder of the earlier name is renamed.

    Raises
    ------
    InputError
        As `coin_folder`.
    OSError
        The disk refuses.
    """
    folder = parent / folder_of(coin)
    found = coin_folder(parent, coin)
    if found != folder:
        found.rename(folder)
    return folder


def has_been_renamed(folder: Path) -> bool:
    """Tell whether a folder of the earlier name, seen before, now has the other name."""
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
