"""Settings of policies: frozen, validated, refused with one sentence."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from advanced_mm.errors import InputError

__all__ = ["PolicySettings"]


class PolicySettings(BaseModel):
    """Base of the settings of policies and hedges; the units stand in the fields' descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, settings: Mapping[str, Any], where: str = "policy") -> Self:
        """Validate a mapping, as a configuration file holds it.

        Parameters
        ----------
        settings
            Values by name; what is left out has its default.
        where
            What the names stand under, for the message.

        Raises
        ------
        InputError
            A setting is unknown, missing or out of range; the message names each with its value.
        """
        if not isinstance(settings, Mapping):
            raise InputError(f"{where} = {settings!r} must be a mapping of settings: correct it.")
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise InputError(cls._sentence(error, where)) from None

    @classmethod
    def _sentence(cls, error: ValidationError, where: str) -> str:
        faults = []
        for fault in error.errors():
            path = [str(part) for part in fault["loc"]]
            name = ".".join([where, *path])
            if fault["type"] == "extra_forbidden":
                close = get_close_matches(path[-1], cls.model_fields, n=1)
                meant = f"did you mean {close[0]}?" if close else "remove it, or use one of "
                known = "" if close else ", ".join(sorted(cls.model_fields))
                faults.append(f"{name} = {fault['input']!r} is not a setting here: {meant}{known}")
            elif fault["type"] == "missing":
                faults.append(f"{name} is missing: set it")
            else:
                value = f" = {fault['input']!r}" if path else ""
                faults.append(f"{name}{value}: {fault['msg'].removeprefix('Value error, ')}")
        return "; ".join(faults) + ". Correct the settings."
