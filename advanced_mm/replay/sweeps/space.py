"""What a sweep varies: settings of the ``market_making`` block and their ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard, get_args

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import qmc

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings

__all__ = ["NOT_SWEPT", "Space", "Value"]

Value = bool | int | float | str | None
"""A setting's value."""

_CALIBRATION: Final = "belongs to the calibration, whose history a replay only reads"
_NOT_REPLAYED: Final = "has no part in a replay"
NOT_SWEPT: Final[Mapping[str, str]] = {
    "fee_rate": "is what the exchange charges, not a choice",
    "account_fee": "matters to a live bot alone",
    "max_drawdown": _NOT_REPLAYED,
    "max_daily_loss": _NOT_REPLAYED,
    "max_position_value": _NOT_REPLAYED,
    "min_market_spread_bp": _NOT_REPLAYED,
    "max_funding_bp": _NOT_REPLAYED,
    "funding_pause_seconds": _NOT_REPLAYED,
    "max_errors_in_a_row": _NOT_REPLAYED,
    "error_pause_seconds": _NOT_REPLAYED,
    "dead_mans_switch_seconds": _NOT_REPLAYED,
    "max_stops_a_day": _NOT_REPLAYED,
    "protection_pause_minutes": _NOT_REPLAYED,
    "notify_after_seconds": _NOT_REPLAYED,
    "alerts": _NOT_REPLAYED,
    "metrics_port": _NOT_REPLAYED,
    "leg": _NOT_REPLAYED,
    "size": _NOT_REPLAYED,
    "volatile_from": _NOT_REPLAYED,
    "volatile_size": _NOT_REPLAYED,
    "toxic_size": _NOT_REPLAYED,
    "inventory_size": _NOT_REPLAYED,
    "window_minutes": _CALIBRATION,
    "max_window_minutes": _CALIBRATION,
    "block_seconds": _CALIBRATION,
    "refit_interval_seconds": _CALIBRATION,
    "history_days": _NOT_REPLAYED,
    "journal_days": _NOT_REPLAYED,
    "parameter_dir": _NOT_REPLAYED,
}
"""Settings that a sweep refuses, since they change nothing in a replay, and why."""

_NEXT_TO_AN_END: Final = 0.02
"""Share of a range (of its logarithm with ``log``)."""
_RANGE_KEYS: Final = {"low", "high", "log", "step"}


@dataclass(frozen=True)
class Space:
    """The ranges of a sweep by the setting's name."""

    ranges: Mapping[str, BaseDistribution]

    @classmethod
    def of(cls, block: object, base: Settings) -> "Space":
        """Read the ``settings`` block of a sweep file.

        Each entry is ``{low, high}``, with ``log: true`` or a ``step``, or ``{choices: [...]}``.
        Both ends and each choice must be valid together with the other settings of ``base``.

        Raises
        ------
        InputError
            A setting is unknown or has no part in a replay, or a range cannot be used.
        """
        if not isinstance(block, Mapping) or not block:
            raise InputError(
                f"settings = {block!r} must name at least one setting and its range, as in "
                "risk_aversion: {low: 0.001, high: 1, log: true}"
            )
        return cls({str(name): _range(str(name), entry, base) for name, entry in block.items()})

    def spread(self, count: int, seed: int) -> list[dict[str, Value]]:
        """Spread points evenly over the space (a scrambled Sobol sequence).

        They depend on nothing that was measured.
        """
        sequence = qmc.Sobol(len(self.ranges), rng=np.random.default_rng(seed))
        cube = sequence.random_base2(max(count - 1, 0).bit_length())[:count]
        return [
            {
                name: _value(distribution, share)
                for (name, distribution), share in zip(self.ranges.items(), point, strict=True)
            }
            for point in cube
        ]

    def at_an_end(self, values: Mapping[str, Value]) -> list[str]:
        """Return the settings whose value is next to an end of its range."""
        return [name for name, one in self.ranges.items() if _at_an_end(one, values[name])]


def _range(name: str, entry: object, base: Settings) -> BaseDistribution:
    if name not in Settings.model_fields:
        raise InputError(f"settings.{name} is not a setting of the market_making block")
    if name in NOT_SWEPT:
        raise InputError(f"settings.{name} cannot be swept: it {NOT_SWEPT[name]}")
    if not isinstance(entry, Mapping):
        raise InputError(
            f"settings.{name} = {entry!r} must be a range, {{low: …, high: …}}, or {{choices: […]}}"
        )
    if "choices" in entry:
        return _choices(name, entry, base)
    unknown = sorted(set(entry) - _RANGE_KEYS)
    if unknown:
        raise InputError(
            f"settings.{name}.{unknown[0]} is not known; a range has low, high, log and step"
        )
    low, high = (_end(name, entry, key, base) for key in ("low", "high"))
    if low >= high:
        raise InputError(f"settings.{name}: low = {low!r} must be below high = {high!r}")
    log, step = _spacing(name, entry, low, high)
    if int in _types(name):
        if step is not None and step != int(step):
            raise InputError(f"settings.{name}.step = {step!r} must be a whole number")
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _spacing(
    name: str, entry: Mapping[str, object], low: float, high: float
) -> tuple[bool, float | None]:
    log, step = entry.get("log", False), entry.get("step")
    if not isinstance(log, bool):
        raise InputError(f"settings.{name}.log = {log!r} must be true or false")
    if log and low <= 0:
        raise InputError(f"settings.{name}.low = {low!r} must be positive with log: true")
    if step is None:
        return log, None
    if log:
        raise InputError(f"settings.{name} has both log and step; leave one out")
    if not _is_number(step) or not 0 < step <= high - low:
        raise InputError(
            f"settings.{name}.step = {step!r} must be positive and fit between low and high"
        )
    return log, step


def _choices(name: str, entry: Mapping[str, object], base: Settings) -> BaseDistribution:
    choices = entry["choices"]
    if set(entry) != {"choices"}:
        raise InputError(f"settings.{name} has choices beside other keys; leave those out")
    if not isinstance(choices, Sequence) or isinstance(choices, str) or len(choices) < 2:
        raise InputError(f"settings.{name}.choices = {choices!r} must list at least two values")
    for choice in choices:
        _check(f"{name}.choices", name, choice, base)
    return CategoricalDistribution(tuple(choices))


def _end(name: str, entry: Mapping[str, object], key: str, base: Settings) -> int | float:
    if key not in entry:
        raise InputError(f"settings.{name}.{key} is missing")
    value = entry[key]
    if not _is_number(value):
        raise InputError(f"settings.{name}.{key} = {value!r} must be a number")
    if not _types(name) & {int, float}:
        raise InputError(f"settings.{name} has no range; list its values as {{choices: […]}}")
    _check(f"{name}.{key}", name, value, base)
    return value


def _check(where: str, name: str, value: object, base: Settings) -> None:
    """Validate a value by itself: two ends of two ranges need not fit each other."""
    bound = name in ("q_min", "q_max") and base.inventory_mode is None
    wide = {"q_min": -100, "q_max": 100} if bound else {}
    try:
        Settings.from_config({"market_making": base.model_dump() | wide | {name: value}})
    except InputError as error:
        reason = str(error).partition(": ")[2].partition(". Correct it")[0]
        raise InputError(f"settings.{where} = {value!r}: {reason}") from None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _types(name: str) -> set[object]:
    annotation = Settings.model_fields[name].annotation
    return set(get_args(annotation)) or {annotation}


def _at_an_end(distribution: BaseDistribution, value: Value) -> bool:
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        return False
    assert isinstance(value, int | float)
    ends = np.array([distribution.low, value, distribution.high], dtype=np.float64)
    low, place, high = np.log(ends) if distribution.log else ends
    return not _NEXT_TO_AN_END < (place - low) / (high - low) < 1 - _NEXT_TO_AN_END


def _value(distribution: BaseDistribution, share: float) -> Value:
    """The value at a share of the range, 0 to 1."""
    if isinstance(distribution, CategoricalDistribution):
        place = min(int(share * len(distribution.choices)), len(distribution.choices) - 1)
        return distribution.choices[place]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        value = float(np.exp(np.log(low) + share * (np.log(high) - np.log(low))))
        return round(value) if isinstance(distribution, IntDistribution) else value
    if step is None:
        return float(low + share * (high - low))
    places = int((high - low) / step + 1e-9) + 1
    return type(distribution.low)(low + step * min(int(share * places), places - 1))
