"""The ports on which parts of a set-up will listen: whether somebody else does, or two of them."""

import contextlib
import errno
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import psutil

from advanced_mm.doctor.lines import Line, fault, ok
from advanced_mm.doctor.patient import Patient

__all__ = ["Listener", "examine_ports", "listeners_of_bot", "listeners_of_machine"]

_METRICS_PORT: Final = re.compile(r"--metrics-port[ =](\d{1,9})")
_DASHBOARD_PORT: Final = 8790


@dataclass(frozen=True)
class Listener:
    """A part that will listen, or does already.

    Attributes
    ----------
    whose
        What listens, for messages: ``"the live page"``.
    name
        What sets its port.
    host, port
        Where; ``port`` may be anything that stands in a configuration.
    words
        Words of its command line, all of them, by which a running one is known.
    """

    whose: str
    name: str
    host: str
    port: object
    words: frozenset[str]


def listeners_of_bot(patient: Patient) -> list[Listener]:
    """Return where a bot will listen: Freqtrade's REST API and its metrics."""
    words = frozenset({"trade", *map(str, patient.config_files)})
    found = []
    server = patient.config.get("api_server")
    if isinstance(server, Mapping) and server.get("enabled"):
        host, port = server.get("listen_ip_address", "127.0.0.1"), server.get("listen_port", 8080)
        name = "api_server.listen_port"
        found.append(Listener("Freqtrade's REST API", name, str(host), port, words))
    if patient.settings.metrics_port is not None:
        name, port = "market_making.metrics_port", patient.settings.metrics_port
        found.append(Listener("the bot's metrics", name, "127.0.0.1", port, words))
    return found


def listeners_of_machine(environment: Mapping[str, str]) -> list[Listener]:
    """Return where the live page will listen, and collector and runner as the containers do."""
    told = environment.get("MM_DASHBOARD_PORT", str(_DASHBOARD_PORT))
    found = []
    if told != "0":
        port: object = int(told) if told.isdecimal() and len(told) < 10 else told
        name = "MM_DASHBOARD_PORT, or --port of scripts/dashboard.py,"
        words = frozenset({"dashboard.py"})
        found.append(Listener("the live page", name, "127.0.0.1", port, words))
    for what, variable, script in (
        ("the collector's metrics", "MM_COLLECTOR_OPTIONS", "hyperliquid_data_collector.py"),
        ("the runner's metrics", "MM_RUNNER_OPTIONS", "periodic_test_runner.py"),
    ):
        if given := _METRICS_PORT.search(environment.get(variable, "")):
            name = f"--metrics-port in {variable}"
            words = frozenset({script})
            found.append(Listener(what, name, "127.0.0.1", int(given.group(1)), words))
    return found


def examine_ports(listeners: Sequence[Listener]) -> Iterator[Line]:
    """Check each port once, and that no two parts want the same."""
    first: dict[str, Listener] = {}
    for one in listeners:
        other = first.setdefault(str(one.port), one)
        if other is one:
            yield _port(one)
        else:
            yield fault(
                "ports",
                f"{one.whose} and {other.whose} both want port {one.port}",
                f"set {one.name} to another port",
            )


def _port(one: Listener) -> Line:
    name, host, port = one.name, one.host, one.port
    if not isinstance(port, int) or not 0 < port < 65536:
        return fault("ports", f"{name} = {port!r} is no port", f"set {name} to 1024 to 65535")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, TypeError, ValueError) as error:  # the last two: it is no name of a host
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return _taken(one)
        why = error.strerror if isinstance(error, OSError) else error
        where = " api_server.listen_ip_address to 127.0.0.1, and" if "api_server" in name else ""
        return fault(
            "ports",
            f"nobody can listen at {host}:{port} ({why})",
            f"set{where} {name} to a free port above 1023",
        )
    return ok("ports", f"{port} is free for {one.whose}")


def _taken(one: Listener) -> Line:
    holder = _holder(one.port)
    words = [] if holder is None else _words(holder)
    if one.words <= {*words, *(word.rpartition("/")[2] for word in words)}:
        return ok("ports", f"{one.port} is that of {one.whose}, running")
    shown = takewhile(lambda word: not word.startswith("-"), words[:3])  # options may be secret
    by = "" if holder is None else f" by process {holder.pid} ({' '.join(shown)})"
    return fault(
        "ports",
        f"{one.port} is in use{by}: {one.whose} cannot listen there",
        f"end it, or set {one.name} to another port",
    )


def _holder(port: object) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
                return psutil.Process(one.pid)
    return None


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return [str(word) for word in process.cmdline()]
    return []
