"""The command that checks a recording, with the exit code a supervisor can act on."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from advanced_mm.cli import progress
from advanced_mm.errors import InputError
from advanced_mm.marketdata.checking.check import Check
from advanced_mm.marketdata.store import ShardStore

__all__ = ["check_recording"]


def check_recording(data_dir: Path, names: Sequence[str], *, as_json: bool) -> int:
    """Check the recordings of some coins, or of all, and print what was found.

    Parameters
    ----------
    data_dir : Path
        Data directory of the recording.
    names : sequence of str
        Coins in any spelling; none means every recorded coin.
    as_json : bool
        Print one JSON document instead of tables.

    Returns
    -------
    int
        Exit code: 0 if all are sound, 1 if there are faults.

    Raises
    ------
    InputError
        If there is no recording to check, or it cannot be read.
    """
    from rich.console import Console

    from advanced_mm.marketdata.checking.screen import print_findings

    store = ShardStore(data_dir)
    coins = list(dict.fromkeys(map(store.resolve, names))) if names else store.coins()
    checks = [Check(store, coin) for coin in coins]
    if not any(map(len, checks)):
        raise InputError(f"{str(data_dir)!r} has no recording to check: pass the data directory")
    steps = (step for check in checks for step in check.steps())
    for _ in progress(steps, "checking …", sum(map(len, checks))):
        pass
    found = [check.findings() for check in checks]
    faulty = [findings for findings in found if findings.faults()]
    if as_json:
        document = {"sound": not faulty, "coins": [findings.as_json() for findings in found]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        print_findings(Console(), found)
    return 1 if faulty else 0
