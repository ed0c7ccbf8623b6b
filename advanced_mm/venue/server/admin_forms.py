"""What every venue's admin interface does alike: bodies, errors, faults."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.venue.conditions.faults import ActiveFault, Fault
from advanced_mm.venue.conditions.faulty_line import FaultyLine
from advanced_mm.venue.protocol.client_json import shortened
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["Handler", "clear_faults", "explained", "fault_view", "read_body", "set_fault"]

M = TypeVar("M")
Handler = Callable[[web.Request], Awaitable[web.Response]]

_FAULT: TypeAdapter[Fault] = TypeAdapter(Fault)


async def set_fault(line: FaultyLine, request: web.Request) -> web.Response:
    """Put the posted fault in force."""
    return web.json_response({"id": line.set_fault(await read_body(request, _FAULT)).number})


async def clear_faults(line: FaultyLine, request: web.Request) -> web.Response:
    """End the fault whose number the path gives, or all."""
    text = request.match_info.get("id")
    if text is not None and not text.isdecimal():
        raise InputError(
            f"fault id {text!r} is not a number: give the id returned by POST, or none for all"
        )
    return web.json_response({"cleared": line.faults.clear(int(text) if text else None)})


def fault_view(entry: ActiveFault, now_s: float) -> dict[str, Json]:
    """Describe a fault in force at ``now_s`` (real seconds)."""
    fault = entry.fault.model_dump(mode="json", exclude_defaults=True)
    return {
        "id": entry.number,
        "kind": entry.fault.kind,
        **fault,
        "struck": entry.struck,
        "seconds_left": None if entry.ends_s is None else round(entry.ends_s - now_s, 3),
    }


async def read_body(request: web.Request, form: TypeAdapter[M]) -> M:
    """Parse the posted body; an empty one counts as an empty object."""
    try:
        return form.validate_json(await request.read() or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        if first["type"] == "missing":
            raise InputError(f"{field} is missing") from None
        value = shortened(repr(first["input"]))
        raise InputError(f"{field} = {value}: {first['msg']}") from None


def explained(handler: Handler) -> Handler:
    """Wrap a handler so that it answers an InputError with status 400."""

    async def explained(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except InputError as error:
            return web.json_response({"error": str(error)}, status=400)

    return explained
