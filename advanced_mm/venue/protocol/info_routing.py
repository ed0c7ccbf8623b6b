"""Requests to /info: the form and the handler of each type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["InfoRequest", "InfoRouter", "RejectedRequest", "Route", "UnknownCoinError"]


class InfoRequest(BaseModel):
    """The form of a request; unknown fields are ignored, as on Hyperliquid."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RejectedRequest(Exception):
    """The request is malformed, or its type is unknown; answered with HTTP 422."""


class UnknownCoinError(Exception):
    """No such market; answered with HTTP 500 and ``null``."""


R = TypeVar("R", bound=InfoRequest)


@dataclass(frozen=True)
class Route(Generic[R]):
    """The form of a request type's body, and the function that answers it."""

    form: type[R]
    answer: Callable[[R], Json]


class InfoRouter:
    """Answers a decoded request body by its ``type``.

    Parameters
    ----------
    groups
        Routes by request type; no type may appear twice.
    """

    def __init__(self, *groups: Mapping[str, Route[Any]]) -> None:
        self._routes: dict[str, Route[Any]] = {}
        for group in groups:
            if doubled := self._routes.keys() & group.keys():
                raise ValueError(f"request types with more than one route: {sorted(doubled)}")
            self._routes.update(group)

    @property
    def types(self) -> list[str]:
        """The request types that are answered."""
        return list(self._routes)

    def answer(self, body: object) -> Json:
        """Return the answer to ``body``.

        Raises
        ------
        RejectedRequest
            If the body is not an object, its type is unknown, or a field is missing or invalid.
        UnknownCoinError
            If the coin does not trade here.
        """
        if not isinstance(body, dict) or not isinstance(body.get("type"), str):
            raise RejectedRequest("missing field `type`")
        route = self._routes.get(body["type"])
        if route is None:
            raise RejectedRequest(f"unknown variant `{body['type']}`")
        try:
            request = route.form.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise RejectedRequest(f"field `{field}`: {first['msg']}") from error
        return route.answer(request)
