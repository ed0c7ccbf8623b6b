"""How a session's processes end."""

import logging
import signal
import sys

from advanced_mm.session.processes import Part

SLOW = """
import pathlib, time
try:
    print("ready", flush=True); time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1.0)  # a second signal would cut this short
    pathlib.Path({done!r}).write_text("done")
"""
DEAF = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True); time.sleep(60)
"""


def start(program, folder):
    part = Part("bot", [sys.executable, "-c", program], folder / "bot.log", folder)
    while "ready" not in (folder / "bot.log").read_text():
        assert part.exit_code is None
    return part


def test_a_process_has_the_time_it_needs_to_end(tmp_path, caplog):
    part = start(SLOW.format(done=str(tmp_path / "done")), tmp_path)
    with caplog.at_level(logging.WARNING):
        part.stop()
    assert (tmp_path / "done").read_text() == "done"
    assert caplog.text == ""


def test_one_that_does_not_end_is_killed_with_a_warning(tmp_path, caplog):
    part = start(DEAF, tmp_path)
    part.patience_seconds = 0.3
    with caplog.at_level(logging.WARNING):
        part.stop()
    assert part.exit_code is not None
    assert "the bot did not end when interrupted and was killed" in caplog.text


def test_a_process_of_a_session_in_the_background_of_a_script_ends_in_order(tmp_path, caplog):
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what ends in "&"
    try:
        part = start(SLOW.format(done=str(tmp_path / "done")), tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    part.patience_seconds = 30.0
    with caplog.at_level(logging.WARNING):
        part.stop()
    assert (tmp_path / "done").exists()
    assert caplog.text == ""
