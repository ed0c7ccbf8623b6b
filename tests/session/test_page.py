"""A session's live page: named once it listens, and not missed when it ends."""

import sys
import time

from advanced_mm.session.processes import Part
from advanced_mm.session.session import PaperSession, SessionOptions


def test_a_session_goes_on_when_its_page_ends(tmp_path):
    session = PaperSession(SessionOptions(root=tmp_path, folder=tmp_path))
    assert session.page_address is None
    program = (
        "import pathlib, time; print('the live page is at http://127.0.0.1:5/', flush=True)\n"
        "while not pathlib.Path('seen').exists(): time.sleep(0.01)\n"
        "1 / 0"
    )
    session.page = Part("dashboard", [sys.executable, "-c", program], tmp_path / "log", tmp_path)
    deadline = time.monotonic() + 30
    seen = set()
    while session.page.exit_code is None and time.monotonic() < deadline:
        seen.add(session.page_address)
        if len(seen) == 2:
            (tmp_path / "seen").touch()
        time.sleep(0.001)
    assert session.page.exit_code == 1
    assert session.page_address is None
    session.raise_if_dead()
    assert seen == {None, "http://127.0.0.1:5/"}
