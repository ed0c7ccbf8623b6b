"""Whether Freqtrade runs, is paused or stopped, which it does not tell its strategies."""

import logging
from collections.abc import Callable
from typing import Any

__all__ = ["takes_entries", "when_stopped"]

logger = logging.getLogger(__name__)


def takes_entries(data_provider: Any) -> bool:
    """Return whether Freqtrade itself would open positions: it runs and was not paused.

    A moved entry does not pass Freqtrade's own check of that. Its state is not public; if it cannot
    be read, the answer is no, and entries are cancelled and placed anew.
    """
    state = getattr(_bot_of(data_provider), "state", None)
    return getattr(state, "name", None) == "RUNNING"


def when_stopped(data_provider: Any, then: Callable[[], None]) -> None:
    """Call ``then`` in each loop of a stopped bot (``/stop``), after Freqtrade's own clean-up.

    Many times a second. Freqtrade calls no strategy then, and would end at an error; one is logged.
    """
    bot = _bot_of(data_provider)
    own = getattr(bot, "process_stopped", None)
    if bot is None or own is None:
        logger.warning("Freqtrade's loop is not found: nothing is done when it is stopped")
        return

    def process_stopped() -> None:
        own()
        try:
            then()
        except Exception:
            logger.exception("while stopped")

    bot.process_stopped = process_stopped


def _bot_of(data_provider: Any) -> Any:
    try:
        return data_provider._DataProvider__rpc._rpc._freqtrade
    except AttributeError:
        return None
