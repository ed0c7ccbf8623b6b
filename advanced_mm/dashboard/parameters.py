"""The fitted parameters of a coin as a page shows them."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from advanced_mm.parameter_files import ParameterFileError, ParameterFiles, ParameterSet

__all__ = ["FollowedParameters"]

_ROWS: Final = (
    ("λ", "/s", "lambda_", "lambda"),
    ("λ₀", "/s", "lambda_", "lambda0"),
    ("κ", "", "kappa", "kappa"),
    ("ε", "", "epsilon", "epsilon"),
    ("ε_fill", "", "epsilon", "epsilon_fill"),
)
_SIDES: Final = (("ask", "plus"), ("bid", "minus"))
_NORMAL_95: Final = 1.96


class FollowedParameters:
    """One coin's parameters, read again when their files have changed."""

    def __init__(self, folder: Path, coin: str) -> None:
        self._files, self._coin = ParameterFiles(folder), coin
        self._signature: object = ()
        self._told: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """Return them, or ``fault``: why there are none."""
        try:
            signature = self._files.signature()
            if signature != self._signature or not self._told:
                self._told = _told(self._files.read(self._coin))
                self._signature = signature
        except (ParameterFileError, OSError) as error:
            self._told, self._signature = {"fault": str(error)}, ()
        return self._told


def _told(published: ParameterSet) -> dict[str, Any]:
    solved = any(entry.anchor == "fair price" for entry in published.value_functions)
    quoted = published.around("imbalance" if solved else "mid")
    kappa = quoted.kappa
    return {
        "id": quoted.calibration_id,
        "published_ms": _ms(kappa.published_at),
        "fitted_ms": _ms(kappa.fitted_at),
        "observed_s": kappa.observed_seconds,
        "silent": kappa.silent,
        "statuses": {
            "λ": quoted.lambda_.status,
            "κ": kappa.status,
            "ε": quoted.epsilon.status,
        },
        "rows": [
            {
                "name": name,
                "unit": unit,
                **{side: _side(getattr(quoted, entry), f"{stem}_{end}") for side, end in _SIDES},
            }
            for name, unit, entry, stem in _ROWS
        ],
    }


def _side(entry: object, name: str) -> dict[str, float | None]:
    """Return a value and its 95% interval: the fit's own, else that of its standard error."""
    value = getattr(entry, name, None)
    low, high = getattr(entry, f"{name}_low", None), getattr(entry, f"{name}_high", None)
    error = getattr(entry, f"{name}_se", None)
    if low is None and high is None and value is not None and error is not None:
        low, high = value - _NORMAL_95 * error, value + _NORMAL_95 * error
    return {"value": value, "low": low, "high": high}


def _ms(when: datetime | None) -> int | None:
    return None if when is None else round(when.timestamp() * 1000)
