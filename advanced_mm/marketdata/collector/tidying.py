"""Starts the upkeep of the recording as a process beside the collector."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from advanced_mm.marketdata.upkeep.retention import Retention
from advanced_mm.marketdata.upkeep.upkeep import upkeep_command

__all__ = ["tidy_regularly"]

logger = logging.getLogger(__name__)

_FIRST_SECONDS: Final = 60.0


async def tidy_regularly(
    data_dir: Path, coins: Sequence[str], retention: Retention, every_seconds: float
) -> NoReturn:
    """Run the upkeep of some coins until cancelled; a run under way is then killed.

    It starts for the first time after a minute, or ``every_seconds`` if that is less. A run that
    fails or cannot be started, as on a machine without memory, is logged, and the next one tries
    again.
    """
    await asyncio.sleep(min(_FIRST_SECONDS, every_seconds))
    while True:
        try:
            code = await _tidy(data_dir, coins, retention)
        except OSError as error:
            logger.warning("the upkeep of the recording cannot be started: %s", error)
        else:
            if code != 0:
                logger.warning("the upkeep of the recording ended with exit code %d", code)
        await asyncio.sleep(every_seconds)


async def _tidy(data_dir: Path, coins: Sequence[str], retention: Retention) -> int:
    """Run the upkeep once and return its exit code."""
    # In a session of its own, Ctrl-C in a terminal reaches the collector alone.
    process = await asyncio.create_subprocess_exec(
        *upkeep_command(data_dir, coins, retention), start_new_session=True
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # an interrupted merge is finished by the next run
