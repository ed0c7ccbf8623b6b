"""The options of the script; that it serves is tested with the page."""

import importlib.util
from pathlib import Path

import pytest

from advanced_mm.errors import InputError

SCRIPT = Path(__file__).parents[2] / "scripts" / "dashboard.py"
TOKEN = "a-token-of-a-good-length"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.delenv("MM_DASHBOARD_TOKEN", raising=False)
    spec = importlib.util.spec_from_file_location("dashboard_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    served = []
    monkeypatch.setattr(module, "serve", lambda *given: served.append(given))
    module.served = served
    return module


def test_a_token_in_a_file_is_demanded(script, tmp_path, capsys):
    file = tmp_path / "dashboard.token"
    file.write_text(f"{TOKEN}\n")
    script.main(["--host", "0.0.0.0", "--token-file", str(file), "--name", "bots.lan"])
    ((_, access, host, port, announce),) = script.served
    assert (host, port) == ("0.0.0.0", 8790)
    announce("http://0.0.0.0:8790/")
    assert capsys.readouterr().out == "the live page is at http://bots.lan:8790/\n"
    assert access.is_token(TOKEN)
    assert access.answers_to({"host": "bots.lan:8790"})
    assert not access.knows({})


def test_a_token_in_the_environment_is_demanded_on_this_machine_too(script, monkeypatch):
    monkeypatch.setenv("MM_DASHBOARD_TOKEN", TOKEN)
    script.main([])
    ((_, access, _, _, _),) = script.served
    assert access.is_token(TOKEN) and not access.knows({})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "set MM_DASHBOARD_TOKEN"),
        (["--token-file", "nowhere"], "cannot be read"),
        (["--hours", "0"], "--hours 0"),
        (["--port", "70000"], "--port 70000"),
    ],
)
def test_it_says_what_is_wrong_with_the_options(script, options, said):
    with pytest.raises(InputError, match=said):
        script.main(options)
    assert script.served == []


def test_a_port_in_use_is_named(tmp_path):
    import socket

    from advanced_mm.dashboard import Access, Places, Watcher, serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        watcher = Watcher(Places([], tmp_path, tmp_path))
        with pytest.raises(InputError, match=f"--port {port} cannot be listened at"):
            serve(watcher, Access("127.0.0.1"), "127.0.0.1", port, print)
