"""What every venue's admin interface does alike: bodies, errors, faults, price gaps."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from advanced_mm.errors import InputError
from advanced_mm.markets.price_gaps import Gap, GapMarket
from advanced_mm.venue.conditions.faults import ActiveFault, Fault
from advanced_mm.venue.conditions.faulty_line import FaultyLine
from advanced_mm.venue.protocol.client_json import shortened
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = [
    "Handler", "add_price_gap", "clear_faults", "explained", "fault_view", "read_body", "set_fault",
]  # fmt: skip

M = TypeVar("M")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class GapRequest(BaseModel):
    """A price gap that takes effect in the next block."""

    model_config = ConfigDict(extra="forbid")

    coin: str
    percent: float = Field(gt=-100, le=100, allow_inf_nan=False)


_FAULT: TypeAdapter[Fault] = TypeAdapter(Fault)
_GAP = TypeAdapter(GapRequest)


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


async def add_price_gap(markets: Mapping[str, GapMarket], request: web.Request) -> web.Response:
    """Make a market's price jump as posted, and answer when (market ms)."""
    gap = await read_body(request, _GAP)
    if gap.coin not in markets:
        raise InputError(f"coin is {gap.coin!r}, must be one of {', '.join(markets)}")
    market = markets[gap.coin]
    time_ms = market.latest_ms + 1
    market.add(Gap(time_ms, gap.percent))
    return web.json_response({"time": time_ms})


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
