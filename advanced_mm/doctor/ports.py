"""The ports on which the bot will listen: whether somebody else does."""

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from advanced_mm.doctor.lines import Line, fault, ok
from advanced_mm.doctor.patient import Patient

__all__ = ["examine_ports"]


def examine_ports(patient: Patient) -> Iterator[Line]:
    """Check the port of Freqtrade's REST API, if it is switched on."""
    server = patient.config.get("api_server")
    if not isinstance(server, Mapping) or not server.get("enabled"):
        yield ok("ports", "the bot opens none")
        return
    yield _port(server, patient.config_files)


def _port(server: Mapping[str, Any], config_files: Sequence[Path]) -> Line:
    name = "api_server.listen_port"
    host, port = str(server.get("listen_ip_address", "127.0.0.1")), server.get("listen_port", 8080)
    if not isinstance(port, int) or not 0 < port < 65536:
        return fault("ports", f"{name} = {port!r} is no port", f"set {name} to 1024 to 65535")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(name, port, config_files)
        return fault(
            "ports",
            f"nobody can listen at {host}:{port} ({error.strerror})",
            f"set api_server.listen_ip_address to 127.0.0.1, and {name} to a free port above 1023",
        )
    return ok("ports", f"{port} is free")


def _taken(name: str, port: int, config_files: Sequence[Path]) -> Line:
    holder = _holder(port)
    words = [] if holder is None else _words(holder)
    if "trade" in words and {str(file) for file in config_files} <= set(words):
        return ok("ports", f"{port} is this bot's, which is running")
    whose = "" if holder is None else f" by process {holder.pid} ({' '.join(words[:3])})"
    return fault("ports", f"{port} is in use{whose}", f"end it, or set {name} to another port")


def _holder(port: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
                return psutil.Process(one.pid)
    return None


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return [str(word) for word in process.cmdline()]
    return []
