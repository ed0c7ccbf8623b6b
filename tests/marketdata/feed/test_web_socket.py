"""A websocket over aiohttp: what cannot be opened is named in one sentence."""

import re

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from advanced_mm.marketdata.feed.web_socket import WebSocket


async def test_a_wrong_path_is_told_from_a_venue_that_is_away() -> None:
    async with TestServer(web.Application()) as server, aiohttp.ClientSession() as session:
        url = f"ws://127.0.0.1:{server.port}/elsewhere"
        said = f"{url}: the answer is HTTP 404: Invalid response status; is the path right?"
        with pytest.raises(ConnectionError, match=re.escape(said)):
            await WebSocket.open(session, url)
