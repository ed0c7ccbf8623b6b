"""Who may read the page: the token, the page's own names, pages of other sites."""

import asyncio

import httpx
import pytest

from advanced_mm.dashboard import Access, Places, Watcher
from advanced_mm.dashboard.access import is_loopback
from advanced_mm.dashboard.server import Hub, application
from advanced_mm.errors import InputError

TOKEN = "a-token-of-a-good-length"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
READABLE = ["/", "/state", "/events", "/page.js", "/pictures.js"]


class Client:
    """A browser without a network: it keeps its cookies."""

    def __init__(self, app, base):
        self._app, self._base, self._cookies = app, base, httpx.Cookies()

    def get(self, path, **options):
        return asyncio.run(self._answer("GET", path, **options))

    def post(self, path, **options):
        return asyncio.run(self._answer("POST", path, **options))

    async def _answer(self, method, path, **options):
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(
            transport=transport, base_url=self._base, cookies=self._cookies, trust_env=False
        ) as client:
            answer = await client.request(method, path, **options)
            self._cookies = client.cookies
            return answer


@pytest.fixture
def client_of(tmp_path, monkeypatch):
    monkeypatch.setattr("advanced_mm.dashboard.server._AFTER_WRONG_S", 0.0)

    def client(token=None, host="127.0.0.1", names=(), base="http://127.0.0.1:8790"):
        hub = Hub(Watcher(Places([], tmp_path, tmp_path)))
        app = application(Access(host, token, names), hub)
        return Client(app, base)

    return client


def test_without_a_token_this_machine_reads_everything(client_of):
    client = client_of()
    assert client.get("/").text.startswith("<!doctype html>")
    assert client.get("/state").json()["desks"] == {}
    assert "EventSource" in client.get("/page.js").text


@pytest.mark.parametrize("path", READABLE)
@pytest.mark.parametrize(
    "wrong",
    [
        {"Authorization": "Bearer a-token-of-another-length"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": "", "Cookie": f"mm_dashboard={TOKEN}"},
    ],
)
def test_a_wrong_token_is_refused(client_of, path, wrong):
    answer = client_of(TOKEN).get(path, headers=wrong)
    assert answer.status_code == 401
    assert TOKEN not in answer.text


@pytest.mark.parametrize("path", READABLE[1:])
def test_no_token_is_refused_as_well(client_of, path):
    assert client_of(TOKEN).get(path).status_code == 401


def test_the_token_opens_the_page(client_of):
    client = client_of(TOKEN)
    for path in ("/", "/state", "/page.js"):
        assert client.get(path, headers=BEARER).status_code == 200


def test_a_browser_gives_the_token_once(client_of):
    client = client_of(TOKEN)
    assert client.get("/").headers["location"] == "/login"
    assert client.get("/login").status_code == 200
    assert client.post("/login", data={"token": "another"}).status_code == 401
    assert client.get("/state").status_code == 401
    answer = client.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    assert client.get("/state").status_code == 200


def test_a_token_is_demanded_where_others_can_reach_the_page():
    for host in ("0.0.0.0", "::", "192.168.0.5", "example.org"):
        assert not is_loopback(host)
        with pytest.raises(InputError, match="MM_DASHBOARD_TOKEN"):
            Access(host)
        Access(host, TOKEN)
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        Access(host)


def test_a_short_token_is_refused_and_not_printed():
    with pytest.raises(InputError, match="8 characters") as caught:
        Access("127.0.0.1", "tooshort")
    assert "tooshort" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8790", "localhost:8790", "[::1]:8790", "10.0.0.7"])
def test_it_answers_to_addresses_and_its_own_name(client_of, host):
    assert client_of().get("/state", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8790", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_others_lead_here_is_refused(client_of, host):
    assert client_of().get("/state", headers={"Host": host}).status_code == 421


def test_a_name_can_be_allowed(client_of):
    client = client_of(TOKEN, host="0.0.0.0", names=["bots.lan"])
    assert client.get("/state", headers={"Host": "Bots.lan", **BEARER}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_pages_of_other_sites_may_not_read_it(client_of, headers):
    answer = client_of().get("/state", headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_its_own_page_and_links_to_it_may(client_of):
    client = client_of()
    own = {"Origin": "http://127.0.0.1:8790", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/state", headers=own).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200


@pytest.mark.parametrize("path", ["/", "/state", "/nowhere", "/login"])
def test_every_answer_forbids_embedding_loading_and_referring(client_of, path):
    headers = client_of().get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_nothing_can_be_changed_through_it(client_of):
    client = client_of()
    for path in ("/", "/state", "/events"):
        assert client.post(path).status_code == 405
