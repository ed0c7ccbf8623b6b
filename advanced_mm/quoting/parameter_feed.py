"""Newest consistent parameter set, re-read only when a file was replaced."""

from typing import Protocol

from advanced_mm.parameter_files import MixedParametersError, ParameterFiles, ParameterSet

__all__ = ["ParameterFeed", "ParameterSource"]


class ParameterSource(Protocol):
    """What a quoter takes its parameters from: a `ParameterFeed`, or a `HistoryFeed`."""

    def latest(self) -> ParameterSet:
        """Return the newest set; raise ParameterFileError if there is no usable one."""


class ParameterFeed:
    """Serves one coin's newest complete parameter set.

    While a refit is being published, its files are briefly inconsistent. The previous set then
    remains in use; its age limits how long it may be quoted from.
    """

    def __init__(self, files: ParameterFiles, coin: str) -> None:
        self._files = files
        self._coin = coin
        self._signature: object = None
        self._set: ParameterSet | None = None

    def latest(self) -> ParameterSet:
        """Return the newest set.

        Raises
        ------
        ParameterFileError
            There is no usable set. A missing or malformed file is never replaced by an older set,
            because it needs attention.
        """
        signature = self._files.signature()
        if self._set is not None and signature == self._signature:
            return self._set
        try:
            self._set = self._files.read(self._coin)
            self._signature = signature
        except MixedParametersError:
            if self._set is None:
                raise
        return self._set
