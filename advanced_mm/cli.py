"""What every script does around its main(): logging, and errors as one sentence, exit code 2."""

import logging
import sys
from collections.abc import Callable

from advanced_mm.errors import AdvancedMMError

__all__ = ["configure_logging", "run"]


def configure_logging(verbose: bool = False) -> None:
    """Log warnings and news to standard error, with ``verbose`` the details too."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("matplotlib", "numba", "numexpr", "asyncio", "schedule"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def run(main: Callable[[list[str] | None], int]) -> int:
    """Run ``main`` and return the exit code; an error the user can act on becomes one sentence."""
    try:
        return main(None)
    except AdvancedMMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
