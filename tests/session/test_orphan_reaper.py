"""A killed session leaves no process behind, and its parts are ended in order."""

import signal
import subprocess
import sys
import textwrap
import time

import psutil

PART = """
import signal, sys, time
def end(number, frame):
    print(sys.argv[1], signal.Signals(number).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
print("ready", sys.argv[1], flush=True)
time.sleep(60)
"""

SESSION = """
import sys, threading, time
from pathlib import Path
from advanced_mm.session.orphan_reaper import OrphanReaper
from advanced_mm.session.processes import Part
folder, program = Path(sys.argv[1]), sys.argv[2]
reaper = OrphanReaper()
for name in ("first", "second"):
    part = Part(name, [sys.executable, "-c", program, name], folder / f"{name}.log", folder)
    reaper.watch(part.pid)
    while "ready" not in part.log_path.read_text():
        time.sleep(0.02)
    print(part.pid, flush=True)
threading.Thread(target=time.sleep, args=(60,)).start()  # sessions have more threads than one
time.sleep(60)
"""


def session(folder):
    command = [sys.executable, "-c", textwrap.dedent(SESSION), str(folder), PART]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    parts = [psutil.Process(int(process.stdout.readline())) for _ in range(2)]
    return process, parts


def test_parts_of_a_killed_session_are_interrupted_once_last_one_first(tmp_path):
    process, parts = session(tmp_path)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(parts, timeout=60)[1] == []
    logs = {name: tmp_path / f"{name}.log" for name in ("first", "second")}
    for name, log in logs.items():
        assert log.read_text().split() == ["ready", name, name, "SIGINT"]
    assert logs["second"].stat().st_mtime_ns <= logs["first"].stat().st_mtime_ns


def test_a_part_that_has_ended_is_left_alone(tmp_path):
    process, parts = session(tmp_path)
    parts[1].send_signal(signal.SIGINT)
    while parts[1].status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(parts[:1], timeout=60)[1] == []
    assert (tmp_path / "second.log").read_text().split() == ["ready", "second", "second", "SIGINT"]
