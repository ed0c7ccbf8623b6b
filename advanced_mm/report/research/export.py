"""The report's figures in files: CSV with a notebook's columns, Parquet with all, JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from advanced_mm.report.research.expected import expected_json
from advanced_mm.report.research.hours import by_hour
from advanced_mm.report.research.insights import insights_of
from advanced_mm.report.research.study import Study, figures_of
from advanced_mm.research.columns import STRATEGY_METRICS
from advanced_mm.research.volatility import volatility_percentiles
from advanced_mm.research.volume_profile import volume_profile

__all__ = ["paths_for", "study_json", "write_metrics", "write_parquet"]


def write_metrics(path: Path, study: Study) -> None:
    """Write the candles' close and volume and the nine columns of the strategy as CSV.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    whole = study.candles.frame.join(study.columns[[
        name for name in STRATEGY_METRICS if name in study.columns
    ]])  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    whole[list(STRATEGY_METRICS)].to_csv(path, index_label="time")


def write_parquet(path: Path, study: Study) -> None:
    """Write candles and all columns as Parquet, indexed by ``time`` (UTC).

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    study.candles.frame.join(study.columns).rename_axis("time").to_parquet(path)


def paths_for(path: Path, studies: Sequence[Study]) -> list[Path]:
    """Return a file for each market: the path itself, or, of several, with the market's name."""
    if len(studies) == 1:
        return [path]
    plain = ["".join(c if c.isalnum() else "_" for c in study.name) for study in studies]
    short = [name.split("__")[0].strip("_") for name in plain]
    names = short if len(set(short)) == len(short) else plain
    return [path.with_name(f"{path.stem}_{name}{path.suffix}") for name in names]


def study_json(study: Study) -> dict[str, Any]:
    """Return what the page says, as plain values; unknown ones are null.

    ``spread_bp`` and ``volatility_bp`` have the names and the meaning of the screener's rows.
    """
    candles, figures = study.candles, figures_of(study)
    percentiles = volatility_percentiles(study.columns)
    return {
        "market": study.name,
        "start": figures.start.isoformat(),
        "end": figures.end.isoformat(),
        "step_seconds": candles.step_seconds,
        "candles": len(candles.frame),
        "missing": candles.missing,
        "unknown": candles.unknown,
        "tick": candles.tick,
        "fee_bp": study.fee_bp,
        **{
            name: _plain(value)
            for name, value in vars(figures).items()
            if name not in ("start", "end")
        },
        "volume_concentration_pct": _plain(volume_profile(candles).concentration_pct),
        "insights": [{"about": one.topic, "sentence": one.sentence} for one in insights_of(study)],
        "hours": {
            str(hour): {str(name): _plain(value) for name, value in row.items()}
            for hour, row in by_hour(study).iterrows()
        },
        "volatility": {
            str(window): {str(name): _plain(value) for name, value in row.items()}
            for window, row in percentiles.iterrows()
        },
        "metrics": {
            name: {"mean": _plain(values.mean()), "std": _plain(values.std())}
            for name, values in study.columns[list(STRATEGY_METRICS[2:])].items()
        },
        "tests": None if study.tested is None else study.tested.to_json(),
        "expected": expected_json(study),
        "screener": None if study.screened is None else study.screened.to_json(),
        "notes": list(candles.notes),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return float(value) if np.isfinite(value) else None
