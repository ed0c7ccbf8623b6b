"""Show what bots and makers quote, hold and earn, live in a browser. It only reads."""

import argparse
import logging
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from advanced_mm.cli import configure_logging, run
from advanced_mm.dashboard import Access, Places, Watcher, serve
from advanced_mm.errors import InputError

TOKEN = "MM_DASHBOARD_TOKEN"


def main(argv: list[str] | None = None) -> int:
    """Serve the page until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--journal",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a journal to show, may be repeated; default: those below --user-data that were "
        "written within the last hour",
    )
    parser.add_argument(
        "--user-data", type=Path, default=Path("user_data"), help="default: %(default)s"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("scripts/HL_data"),
        metavar="DIR",
        help="the recording, for journals without one beside them (default: %(default)s)",
    )
    parser.add_argument(
        "--hours",
        type=float,
        default=24.0,
        help="how much of the past is judged (default: %(default)g)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: %(default)s); any other than this machine's own "
        f"needs a token: {TOKEN} or --token-file",
    )
    parser.add_argument("--port", type=int, default=8790, help="0: any (default: %(default)s)")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="demand the token in this file"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="host name by which the page is reached, may be repeated",
    )
    options = parser.parse_args(argv)
    configure_logging()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if not 0 < options.hours <= 48:
        raise InputError(f"--hours {options.hours:g} must be above 0 and at most 48.")
    if not 0 <= options.port <= 65535:
        raise InputError(f"--port {options.port} must be from 0 to 65535.")
    access = Access(options.host, _token(options.token_file), options.name)
    places = Places(options.journal, options.user_data, options.data_dir)

    def announce(address: str) -> None:
        if options.name:  # the address may be 0.0.0.0
            address = f"http://{options.name[0]}:{urlsplit(address).port}/"
        print(f"the live page is at {address}", flush=True)

    serve(Watcher(places, options.hours), access, options.host, options.port, announce)
    return 0


def _token(file: Path | None) -> str | None:
    """Return the token that is demanded, None if none is."""
    if file is None:
        return os.environ.get(TOKEN, "").strip() or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token-file {file} cannot be read ({error}).") from None
    if not token:
        raise InputError(f"--token-file {file} is empty: write a token into it.")
    return token


if __name__ == "__main__":
    sys.exit(run(main))
