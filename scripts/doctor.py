"""Look for what is missing or wrong in a set-up, and say what to do about it.

Exit code 0 if nothing was found, 1 if there are warnings, 2 if there are faults (or the options
cannot be used). What could not be checked is said, and does not count.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from freqtrade.config_schema.config_schema import CONF_SCHEMA, SCHEMA_TRADE_REQUIRED
from rich.console import Console

from advanced_mm.cli import run
from advanced_mm.doctor import Asked, examine, exit_code
from advanced_mm.doctor.screen import as_json, print_lines
from advanced_mm.marketdata.upkeep.retention import Retention

ROOT = Path(__file__).resolve().parents[1]
PIPED_WIDTH = 120
ENV_FILES = ("secrets.env", "maker.env", "dashboard.env")  # of docker-compose.yml


def main(argv: list[str] | None = None) -> int:
    """Examine, and print a line for each thing that was looked at."""
    options = parse(argv)
    retention = None
    if options.keep_days is not None or options.keep_gigabytes is not None:
        retention = Retention(options.keep_days, options.keep_gigabytes)
    given = options.config or [options.userdir / "config.json"]
    makers = [path for path in given if path.suffix in (".yaml", ".yml")]
    asked = Asked(
        config_files=tuple(path for path in given if path not in makers),
        schema=schema(),
        project=ROOT,
        user_data=options.userdir,
        data_dir=options.data_dir,
        strategy_dir=options.strategy_path,
        retention=retention,
        offline=options.offline,
        makers=tuple(makers),
        env_files=tuple(options.env_file),
        other_env_files=tuple(
            path for name in ENV_FILES if (path := ROOT / "docker" / name).exists()
        ),
    )
    with quiet_logs():
        lines = list(examine(asked))
    if options.json:
        print(as_json(lines))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = PIPED_WIDTH
        print_lines(console, lines)
    return exit_code(lines)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Log only errors meanwhile: the lines say the rest."""
    ours = logging.getLogger("advanced_mm")
    before = ours.level
    ours.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ours.setLevel(before)


def schema() -> dict[str, Any]:
    """Return Freqtrade's schema, with the fields a bot needs for which Freqtrade has no default."""
    fields = CONF_SCHEMA["properties"]
    needed = [name for name in SCHEMA_TRADE_REQUIRED if "default" not in fields.get(name, {})]
    return {**CONF_SCHEMA, "required": needed}


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="configuration as Freqtrade is given it, and makers' YAML files, several times if "
        "need be (default: config.json in --userdir)",
    )
    parser.add_argument("--userdir", type=Path, default=Path("user_data"), metavar="DIR")
    parser.add_argument(
        "--strategy-path", type=Path, metavar="DIR", help="folder of the strategy, as Freqtrade's"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(__file__).parent / "HL_data",
        metavar="DIR",
        help="folder of the recordings (default: %(default)s)",
    )
    parser.add_argument(
        "--env-file",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="variables that the container gets, such as docker/secrets.env",
    )
    parser.add_argument("--keep-days", type=float, metavar="DAYS", help="as given to the collector")
    parser.add_argument(
        "--keep-gigabytes", type=float, metavar="GB", help="as given to the collector"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the venue")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run(main))
