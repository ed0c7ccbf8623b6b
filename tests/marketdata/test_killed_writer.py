"""A recorder killed at any moment leaves whole shards only and loses what was not flushed."""

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

from advanced_mm.marketdata import ShardStore

KILLS = 25

# One process that forks a recorder, lets it flush for some milliseconds, kills it, and starts over.
FORKING = """
import json, os, random, signal, sys, time
from pathlib import Path
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore

keep_pandas_out()
folder, kills = Path(sys.argv[1]), int(sys.argv[2])
rng, number = random.Random(1), 0

def record(number, pipe):
    store = ShardStore(folder)
    with store.recording("ETH"):  # refused if the lock outlived the one before
        recorder = Recorder(store, ["ETH"], {"ETH": 0.1}, flush_seconds=1.0)
        while True:
            number += 1
            for side in "AB":
                recorder.handle({"channel": "trades", "data": [{
                    "coin": "ETH", "side": side, "px": "100.1", "sz": "1", "hash": "0x1",
                    "time": 10**12 + number, "tid": 2 * number + (side == "A")}]}, number)
            recorder.flush()
            os.write(pipe, b"%d\\n" % number)

flushed = []
for _ in range(kills):
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            record(number, told)
        except BaseException as error:
            os.write(2, f"{error!r}\\n".encode())
        os._exit(1)
    os.close(told)
    text = os.read(heard, 64)  # the first flush
    time.sleep(rng.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(heard, "rb") as rest:
        text += rest.read()
    known = [int(line) for line in text.split()]
    flushed += known
    number = known[-1] + 1  # one more may have reached the disk unsaid
print(json.dumps(flushed))
"""


def test_killed_during_a_flush_many_times(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path), str(KILLS)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    flushed = json.loads(done.stdout)
    files = sorted((tmp_path / "ETH/trades").glob("*.parquet"))
    for file in files:  # none that is cut short is ever visible
        assert pq.read_table(file).num_rows == 2
    recording = ShardStore(tmp_path).read("ETH")
    assert recording.skipped_files == ()
    found = np.unique(recording.trades.trade_id // 2)
    assert set(flushed) <= set(found.tolist()), "what was flushed is there"
    assert len(found) - len(flushed) <= KILLS, "and at most one flush more for each kill"
    assert len(flushed) > KILLS
