"""A folder of shards anywhere, laid out as a data directory: ``<root>/<COIN>/<kind>/<name>``."""

import json
from collections.abc import Sequence
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.instruments import folder_of
from advanced_mm.marketdata.listing import shard_time_ms
from advanced_mm.marketdata.sharing.locations import Location

__all__ = ["RemoteFolder"]

_CLAIM: Final = "publisher.json"


class RemoteFolder:
    """A place of shards for a `Publisher`; many publish to one root, each coin by one of them.

    Parameters
    ----------
    location : Location
        The root.
    """

    def __init__(self, location: Location) -> None:
        self._root = location
        self.url = location.url

    def claim(self, folder: str, owner: str, *, take_over: bool) -> None:
        """Note in the coin's folder whose recording it is.

        Raises
        ------
        InputError
            Another data directory publishes the coin there.
        LocationError
            The root cannot be reached.
        """
        try:
            noted = json.loads(self._root.read(f"{folder}/{_CLAIM}"))
            holder = noted.get("data_directory") if isinstance(noted, dict) else None
        except FileNotFoundError:
            holder = None
        except ValueError:
            holder = "unknown"
        if holder == owner:
            return
        if holder is not None and not take_over:
            raise InputError(
                f"{self._root.below(folder)} is published by another data directory: let each "
                "coin have one collector, use another root, or pass --take-over if the other one "
                "has ended for good."
            )
        note = json.dumps({"data_directory": owner})
        self._root.put(f"{folder}/{_CLAIM}", note.encode())

    def sizes(self, folder: str, kind: str) -> dict[str, int | None]:
        """Return the shards there and their bytes."""
        names = self._root.names(f"{folder}/{kind}")
        return {n: size for n, size in names.items() if shard_time_ms(n, kind) is not None}

    def put(self, coin: str, kind: str, name: str, content: bytes) -> None:
        """Write a shard whole."""
        self._root.put(f"{folder_of(coin)}/{kind}/{name}", content)

    def replace(self, coin: str, kind: str, name: str, content: bytes, old: Sequence[str]) -> None:
        """Write a merged shard, then delete those whose rows it has.

        Between the two a reader may see rows twice, never too few.
        """
        self.put(coin, kind, name, content)
        for gone in old:
            self._root.remove(f"{folder_of(coin)}/{kind}/{gone}")
