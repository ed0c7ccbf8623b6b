"""Publication of a fit in the parameter files, keeping the last good fit if necessary."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.entries import (
    common_fields,
    epsilon_entry,
    fair_price_entry,
    kappa_entry,
    lambda_entry,
)
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.parameter_files import (
    MissingParametersError,
    ParameterEntry,
    ParameterFileError,
    ParameterFiles,
    ParameterSet,
    Settings,
    ValueFunctionEntry,
    with_measured_age,
    with_value_function,
)
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory

__all__ = ["PublishedSets", "RefitHistory", "last_published", "parameter_set", "publish"]

logger = logging.getLogger(__name__)

Entry = TypeVar("Entry", bound=ParameterEntry)


class PublishedSets(Protocol):
    """Where refits are published: `ParameterFiles`."""

    def read(self, coin: str) -> ParameterSet:
        """Return the coin's published set; raise ParameterFileError if there is none."""

    def publish(self, sets: Mapping[str, ParameterSet]) -> None:
        """Replace the coins' sets."""


class RefitHistory(Protocol):
    """Where every refit is kept: `CalibrationHistory`."""

    def append(self, sets: Mapping[str, ParameterSet]) -> None:
        """Add one refit of each coin."""

    def merge(self) -> None:
        """Write what is left to write."""


def publish(
    calibration: CoinCalibration, settings: Settings, files: ParameterFiles, published_at: datetime
) -> ParameterSet:
    """Write one coin's entries, first to the history, then to the files, and return them.

    Raises
    ------
    InputError
        If the history cannot be written; nothing is published then.
    UnusableParametersError
        If an existing file is not JSON; it is not changed.
    """
    previous = last_published(files, calibration.coin)
    entries = parameter_set(calibration, settings, previous, published_at)
    history = CalibrationHistory(files.directory / HISTORY_FOLDER, settings.history_days)
    history.append({calibration.coin: entries})
    files.publish({calibration.coin: entries})
    return entries


def last_published(files: PublishedSets, coin: str) -> ParameterSet | None:
    """Return the coin's published entries, None if there are none that belong together."""
    try:
        return files.read(coin)
    except MissingParametersError:
        return None
    except ParameterFileError as error:
        logger.warning("%s: the earlier fit cannot be used: %s", coin, error)
        return None


def parameter_set(
    calibration: CoinCalibration,
    settings: Settings,
    previous: ParameterSet | None,
    published_at: datetime,
    *,
    window_grown: bool = False,
    filled_age: tuple[float, int] | None = None,
) -> ParameterSet:
    """Return the entries of this refit, all with the same ``calibration_id``.

    If an estimate is insufficient, the last good one is kept with its values and its ``fitted_at``,
    under status ``stale``. If there never was one, the entry holds only status and counts. The
    value function is solved for the parameters in the other three. ``window_grown`` is true if the
    fit's window is longer than usual. ``filled_age`` is the mean age of filled quotes (seconds) and
    their number, which the problem then counts, unless the age is set. An earlier fair price is not
    kept, nor what was fitted around it: the next seconds of a market are foretold by its present,
    or not at all.
    """
    old = previous
    kappa = kappa_entry(calibration, published_at)
    kappa = _kept(kappa, old.kappa if old else None, window_grown)
    epsilon = epsilon_entry(calibration, published_at)
    epsilon = _kept(epsilon, old.epsilon if old else None, window_grown)
    lambda_ = lambda_entry(calibration, published_at)
    lambda_ = _kept(lambda_, old.lambda_ if old else None, window_grown)
    fair_price = _kept(fair_price_entry(calibration, published_at), None, window_grown)
    around = {
        name: entry.model_copy(update={"window_grown": window_grown})
        for name in ("kappa", "epsilon", "lambda_")
        if isinstance(entry := getattr(fair_price, name), ParameterEntry)
    }
    fair_price = fair_price.model_copy(update=around)
    unsolved = ParameterSet(calibration.coin, kappa, epsilon, lambda_, (), fair_price)
    absent = ValueFunctionEntry(**common_fields(calibration, published_at, Status.INSUFFICIENT))
    if filled_age is not None:
        settings = with_measured_age(unsolved, settings, *filled_age)
    return with_value_function(unsolved, settings, absent)


def _kept(new: Entry, old: Entry | None, window_grown: bool) -> Entry:
    """Return the new entry, or the last good one marked stale if the new one has no values."""
    if new.status != "insufficient" or old is None or old.status == "insufficient":
        marked = window_grown or new.status != "insufficient"
        return new.model_copy(update={"window_grown": window_grown}) if marked else new
    return old.model_copy(
        update={
            "status": Status.STALE.value,
            "calibration_id": new.calibration_id,
            "published_at": new.published_at,
            "silent": new.silent,
        }
    )
