"""The long-lived processes read and write shards without pandas in memory."""

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
{guard}
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
store = ShardStore(Path(sys.argv[1]))
recorder = Recorder(store, ["ETH"], {{"ETH": 0.1}})
recorder.handle({{"channel": "bbo", "data": {{"coin": "ETH", "time": 1000, "bbo": [
    {{"px": "3000.0", "sz": "1.0", "n": 1}}, {{"px": "3000.1", "sz": "2.0", "n": 1}}]}}}}, 1.0)
recorder.flush()
print(len(store.read("ETH").quotes), "pandas" in sys.modules)
import pandas
"""


def run(folder, guard: str) -> str:
    program = PROGRAM.format(guard=guard)
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    ).stdout


def test_pandas_stays_out_and_can_still_be_imported_by_others(tmp_path):
    assert run(tmp_path / "lean", "keep_pandas_out()") == "1 False\n"
    assert run(tmp_path / "plain", "") == "1 True\n"
