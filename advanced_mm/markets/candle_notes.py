"""What a folder of candles was made of: one JSON file beside them, ``recording.json``.

Candles of the two kinds look alike and must not be mixed, nor with candles that were downloaded.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import TypeAdapter, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version, version_in

__all__ = ["CANDLE_NOTES_VERSION", "NOTES_FILE", "CandleNotes", "PairNotes"]

NOTES_FILE: Final = "recording.json"
CANDLE_NOTES_VERSION: Final = 1
"""Raised when a field changes its meaning, or candles are made differently."""


@dataclass(frozen=True)
class PairNotes:
    """One pair's candles: of which recording, and what of it is missing.

    ``since`` and ``until`` are the starts of the first and of the last minute, ``left_out`` the
    spans between them that have no minute (start, and the end that is no longer part of it), all in
    ISO 8601, UTC. ``funding_rate`` is the share of the price that a long position pays an hour.
    """

    coin: str
    data_dir: str
    since: str
    until: str
    minutes: int
    funding_rate: float
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CandleNotes:
    """The kind of a folder's candles, and its pairs."""

    kind: Literal["touch", "through"]
    pairs: dict[str, PairNotes] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the notes of a folder, None if it has none.

        Raises
        ------
        InputError
            The file cannot be read or is not such notes.
        """
        path = folder / NOTES_FILE
        try:
            text = path.read_bytes()
            check_version(version_in(text), CANDLE_NOTES_VERSION, str(path))
            return TypeAdapter(cls).validate_json(text)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}).") from None
        except ValidationError as error:
            fault: Any = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InputError(
                f"{path}: {where}: {fault['msg']}; remove the folder and make its candles again "
                "with scripts/recording_to_freqtrade.py."
            ) from None

    def write(self, folder: Path) -> None:
        """Write the notes into a folder."""
        text = json.dumps({"version": CANDLE_NOTES_VERSION, **asdict(self)}, indent=1)
        (folder / NOTES_FILE).write_text(text + "\n", encoding="utf-8")
