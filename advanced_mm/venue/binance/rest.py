"""The REST interface: requests, their faults, refusals and headers."""

from aiohttp import web

from advanced_mm.venue.binance.calls import Call, Calls
from advanced_mm.venue.binance.hub import Hub
from advanced_mm.venue.binance.line import BinanceLine, request_names
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.refusals import FAILED, error_body, status_of
from advanced_mm.venue.binance.routing import Guard, OwnRoute, Route
from advanced_mm.venue.binance.signing import signed_text
from advanced_mm.venue.binance.weights import LimitedError
from advanced_mm.venue.conditions.faults import DroppedReply, HttpError
from advanced_mm.venue.conditions.faulty_line import drop_reply, pause
from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["Rest"]

LISTEN_KEY_PATH = "/api/v3/userDataStream"
LISTEN_KEY_WEIGHT = 2


class Rest:
    """Answers requests over HTTP.

    Parameters
    ----------
    calls
        Carries them out.
    hub
        Tells the users' streams what they have changed.
    line
        The faults.
    """

    def __init__(self, calls: Calls, hub: Hub, line: BinanceLine) -> None:
        self._calls = calls
        self._hub = hub
        self._line = line

    def add(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_route("*", LISTEN_KEY_PATH, self._answer_listen_key)
        for prefix in ("/api", "/sapi", "/fapi", "/dapi"):
            app.router.add_route("*", prefix + "/{rest:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        route = self._calls.by_rest.get(f"{request.method} {request.path}")
        if route is None:
            return web.json_response({"code": -1, "msg": "no such endpoint"}, status=404)
        call, names = await self._call(request), request_names(route)
        delays = self._line.delays(*names)
        await pause(delays["request"])
        for failure, _ in self._line.faults.strike(HttpError, *names):
            return web.json_response(FAILED, status=failure.status)
        response = self._response(route, call)
        for dropped, _ in self._line.faults.strike(DroppedReply, *names):
            return await drop_reply(request, dropped)
        await pause(delays["reply"])
        return response

    def _response(self, route: Route | OwnRoute, call: Call) -> web.Response:
        try:
            answer = self._calls.answer(route, call)
        except SpotRefusedError as error:
            return self._refused(error, call, route)
        self._hub.publish_events()
        return web.json_response(answer, headers=self._calls.headers(call, route))

    async def _call(self, request: web.Request) -> Call:
        body = (await request.read()).decode("utf-8", "replace")
        text, values = signed_text(request.url.raw_query_string, body)
        key = request.headers.get("X-MBX-APIKEY")
        return Call(str(request.remote), key, Params(values), text)

    def _refused(
        self, error: SpotRefusedError, call: Call, route: Route | OwnRoute | None = None
    ) -> web.Response:
        self._hub.publish_events()  # half of a cancel-replace may have been done
        headers = {} if route is None else self._calls.headers(call, route)
        if isinstance(error, LimitedError):
            headers["Retry-After"] = str(error.retry_s)
        return web.json_response(error_body(error), status=status_of(error), headers=headers)

    async def _answer_listen_key(self, request: web.Request) -> web.Response:
        """Give, prolong or end a listen key; it does not expire by itself."""
        call = await self._call(request)
        try:
            self._calls.charge(call.address, LISTEN_KEY_WEIGHT)
            account = self._calls.account(call, Guard.KEY)
        except SpotRefusedError as error:
            return self._refused(error, call)
        if request.method == "POST":
            return web.json_response({"listenKey": self._hub.listen_key(account)})
        text = call.params.text("listenKey") or ""
        if self._hub.listen_keys.get(text) != account.key:
            unknown = SpotRefusedError(-1125, "This listenKey does not exist.")
            return self._refused(unknown, call)
        if request.method == "DELETE":
            del self._hub.listen_keys[text]
        return web.json_response({})
