"""The YAML file of a sweep, validated: settings and ranges, objectives, folds, trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.replay.sweeps.objectives import ObjectiveName
from advanced_mm.replay.sweeps.space import Space

__all__ = ["FoldPlan", "SweepPlan", "load_plan"]

_MARKOUT_S = 10.0
"""Horizon of the adverse selection in reports, seconds."""


class FoldPlan(BaseModel):
    """How the recording is split into stretches to tune on and later ones to test on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    tests: int = Field(3, ge=1, le=100, description="stretches to test on, one after the other")
    train_hours: float | None = Field(
        None, gt=0, description="hours to tune on before each test; null is all before it"
    )
    purge_minutes: float | None = Field(
        None,
        ge=0,
        description="time left out between tuning and test; null is the calibration window",
    )


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    settings: dict[str, Any]
    objectives: Annotated[list[ObjectiveName], Field(min_length=1)] = ["net_per_hour"]
    folds: FoldPlan = FoldPlan()
    trials: int = Field(100, ge=2, le=100_000)
    batch: int = Field(10, ge=1, le=1000)
    sampler: Literal["tpe", "spread"] = "tpe"
    queue: Literal["front", "model", "back"] = "model"
    seed: int = Field(1, ge=0)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("names one twice")
        if "net_per_hour" not in self.objectives:
            raise ValueError("must have net_per_hour, the one that luck is judged by")
        return self


@dataclass(frozen=True)
class SweepPlan:
    """What is varied, by what it is judged, and on which parts of the recording.

    Attributes
    ----------
    space : Space
        Settings and their ranges.
    base : Settings
        The settings of the configuration, which hold where nothing is varied.
    objectives : tuple of str
        Figures to optimise; the first decides between trials.
    folds : FoldPlan
        Stretches to tune and to test on.
    purge_s : float
        Time between a stretch to tune on and its test, seconds.
    trials, batch : int
        Trials in each fold, and how many are asked for at a time. The result depends on ``batch``
        and ``seed``, not on the number of workers.
    sampler : str
        tpe: the first half of the trials evenly over the ranges, the others where results were
        good; spread: all evenly.
    queue : str
        The queue assumption that trials are judged by.
    """

    space: Space
    base: Settings
    objectives: tuple[ObjectiveName, ...]
    folds: FoldPlan
    purge_s: float
    trials: int
    batch: int
    sampler: Literal["tpe", "spread"]
    queue: Literal["front", "model", "back"]
    seed: int


def load_plan(path: Path, base: Settings, trials: int | None = None) -> SweepPlan:
    """Read and validate a sweep file; ``trials`` overrides the file's.

    Raises
    ------
    InputError
        The file cannot be read or a field cannot be used; the message names file, field and value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping):
        raise InputError(f"{path} must be a mapping with at least `settings`")
    try:
        read = _Contents.model_validate(dict(content))
        return SweepPlan(
            space=Space.of(read.settings, base),
            base=base,
            objectives=tuple(read.objectives),
            folds=read.folds,
            purge_s=_purge_s(read.folds, read.settings, base),
            trials=read.trials if trials is None else trials,
            batch=read.batch,
            sampler=read.sampler,
            queue=read.queue,
            seed=read.seed,
        )
    except ValidationError as error:
        raise InputError(f"{path}: {_first_fault(error)}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _purge_s(folds: FoldPlan, ranges: Mapping[str, Any], base: Settings) -> float:
    """Nothing that a test depends on may reach back into its training."""
    ages = ranges.get("max_quote_age_seconds", {"high": base.max_quote_age_seconds or 0.0})
    oldest_quote = max(ages["choices"]) if "choices" in ages else ages["high"]
    least = max(base.window_seconds, float(oldest_quote), _MARKOUT_S)
    if folds.purge_minutes is None:
        return least
    if folds.purge_minutes * 60 < least:
        raise InputError(
            f"folds.purge_minutes = {folds.purge_minutes:g} must be at least {least / 60:g}, the "
            "longest of the calibration window, a quote's life and the markout's horizon"
        )
    return folds.purge_minutes * 60


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "objectives"
    if first["type"] == "extra_forbidden":
        block = FoldPlan if first["loc"][0] == "folds" else _Contents
        known = ", ".join(block.model_fields)
        return f"{field} is not a known field; the fields are {known}"
    if first["type"] == "missing":
        return f"{field} is missing"
    if first["type"] == "value_error":
        return f"{field} {first['ctx']['error']}"
    return f"{field} = {first['input']!r}: {first['msg']}"
