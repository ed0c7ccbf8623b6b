"""The journal as a store.

Behaviours: what was recorded is read back, whoever asks and however far the merging has come; a
killed process loses at most a second; bad files and rows cost themselves and are counted; a clock
that is set is told of, and reorders nothing; writers share a journal; old days go.
"""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm import day_files
from advanced_mm.day_files import DayFiles
from advanced_mm.errors import InputError
from advanced_mm.journal import (
    EVENTS,
    BadRowsCounted,
    ClockJumped,
    Fill,
    Funding,
    JournalFollower,
    JournalWriter,
    Look,
    RefusalChanged,
    journal_coins,
    read_journal,
)
from advanced_mm.journal.rows import COLUMNS, NEEDED

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


class Clock:
    """Both clocks of a writer; `set` moves the one on the wall alone."""

    def __init__(self, now_ms=NOON_MS):
        self.wall, self.running = now_ms, 5_000

    def __call__(self):
        return self.wall

    def go(self, milliseconds):
        self.wall += milliseconds
        self.running += milliseconds

    def set(self, milliseconds):
        self.wall += milliseconds


@pytest.fixture
def clock():
    return Clock()


def writer_at(folder, clock, bot="bot", keep_days=None):
    return JournalWriter(folder, bot, keep_days, clock, lambda: clock.running)


def funding(amount, time_ms=NOON_MS, coin="ETH", bot="bot"):
    return Funding(time_ms=time_ms, coin=coin, bot=bot, amount=float(amount))


def amounts(journal):
    return journal.table(Funding)["amount"].to_pylist()


def files(folder, coin="ETH"):
    return sorted(path.name for path in (folder / coin).iterdir() if path.name[0] != ".")


def values_of(kind):
    """Any event of a kind: floats bit by bit, text of any letters."""
    strategies = {}
    for name, column in COLUMNS[kind.event].items():
        one = {
            "int64": st.integers(0, 2**53),
            "double": st.floats(allow_nan=False, allow_infinity=False),
            "string": st.text(st.characters(exclude_categories=["Cs"])),
        }[str(column)]
        optional = name not in NEEDED[kind.event] and str(column) != "string"
        strategies[name] = st.none() | one if optional else one
    strategies["coin"] = st.sampled_from(["ETH", "xyz:XYZ100", "", "no coin/at all"])
    return st.builds(kind, **strategies)


@settings(max_examples=40)
@given(
    events=st.lists(st.one_of(*map(values_of, EVENTS)), max_size=15), merged=st.sampled_from("nye")
)
def test_what_was_recorded_is_read_back(tmp_path_factory, events, merged):
    folder, clock = tmp_path_factory.mktemp("journal"), Clock()
    writer = writer_at(folder, clock)
    for event in events:
        writer.record(event)
        if merged == "e":
            writer.flush()
    writer.close() if merged == "y" else writer.flush()
    if not events:
        with pytest.raises(InputError, match="no bot has written there yet"):
            read_journal(folder)
        return
    journal = read_journal(folder)
    for kind in EVENTS:
        wanted = [event for event in events if isinstance(event, kind)]
        found = journal.events(kind)
        assert sorted(map(repr, found)) == sorted(map(repr, wanted))
        for coin in {event.coin for event in wanted}:  # the order of one coin's is kept
            own = [[one for one in some if one.coin == coin] for some in (found, wanted)]
            if coin:
                assert own[0] == own[1]
    assert (journal.notes.damaged, journal.notes.lines, journal.notes.rows) == ((), 0, 0)


def test_numbers_that_are_none_are_left_out(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    sound = {"time_ms": NOON_MS, "coin": "ETH", "bot": "bot", "what": "end"}
    writer.record(Look(**sound, position=1.0, mid=float("nan"), equity=float("inf")))
    writer.record(Look(**sound, position=float("nan")))
    writer.flush()
    journal = read_journal(tmp_path)
    assert journal.events(Look) == [Look(**sound, position=1.0)]
    assert journal.notes.sentences() == ["Left out 1 row that lacks what an event needs."]


def test_a_day_is_a_file_and_the_newest_are_lines(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for number in range(5):
        writer.record(funding(number))
        writer.flush()
    assert files(tmp_path) == ["2026-11-23.jsonl", "2026-11-23.parquet"]
    line = json.loads((tmp_path / "ETH" / "2026-11-23.jsonl").read_text().splitlines()[0])
    assert (line["event"], line["amount"], line["written_ms"]) == ("funding", 1.0, NOON_MS)
    clock.go(86_400_000)
    writer.record(funding(5))
    writer.close()
    assert files(tmp_path) == ["2026-11-23.parquet", "2026-11-24.parquet"]
    assert amounts(read_journal(tmp_path)) == [0, 1, 2, 3, 4, 5]


def test_lines_are_merged_now_and_then(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for _ in range(2):
        for number in range(3700):
            writer.record(funding(number))
        writer.flush()
    assert files(tmp_path) == ["2026-11-23.parquet"]
    assert read_journal(tmp_path).table(Funding).num_rows == 7400


def test_a_coin_and_a_range_of_time(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for number in range(10):
        writer.record(funding(number, NOON_MS + number))
        writer.record(funding(100 + number, NOON_MS + number, coin="xyz:XYZ100"))
    writer.record(BadRowsCounted(time_ms=NOON_MS, coin="", bot="bot", told="2 bad rows"))
    writer.record(BadRowsCounted(time_ms=NOON_MS, coin="NOPE/USDC:USDC", bot="bot", told="mine"))
    writer.close()
    journal = read_journal(tmp_path, "eth", NOON_MS + 2, NOON_MS + 4)
    assert amounts(journal) == [2, 3, 4]
    assert amounts(read_journal(tmp_path, "XYZ-XYZ100", since_ms=NOON_MS + 9)) == [109]
    told = read_journal(tmp_path, "ETH", until_ms=NOON_MS).table(BadRowsCounted)
    assert told["told"].to_pylist() == ["2 bad rows"]
    assert journal_coins(tmp_path) == ["ETH", "xyz:XYZ100"]
    with pytest.raises(InputError, match="has no coin 'BTC'; it has ETH, xyz:XYZ100"):
        read_journal(tmp_path, "BTC")
    with pytest.raises(InputError, match="no bot has written there yet"):
        read_journal(tmp_path / "elsewhere")


def test_days_are_chosen_by_their_names_with_room_for_what_was_told_late(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for day in range(6):
        writer.record(funding(day, clock.wall - 80_000_000))  # of almost a day before
        clock.go(86_400_000)
    writer.flush()
    for day in range(6):
        at = NOON_MS + day * 86_400_000 - 80_000_000
        assert amounts(read_journal(tmp_path, since_ms=at, until_ms=at)) == [day]
    (tmp_path / "ETH" / "2026-11-23.jsonl").write_text("{\n" * 7)
    late = read_journal(tmp_path, since_ms=NOON_MS + 4 * 86_400_000)
    assert late.notes.lines == 0  # that day was not looked at


def test_a_damaged_day_is_named_skipped_and_counted(tmp_path, clock, caplog):
    writer = writer_at(tmp_path, clock)
    for number in range(3):
        writer.record(funding(number))
        writer.flush()
        clock.go(86_400_000)
    bad = tmp_path / "ETH" / "2026-11-24.parquet"
    bad.write_bytes(bad.read_bytes()[:-40])
    journal = read_journal(tmp_path)
    assert amounts(journal) == [0, 2]
    (told,) = journal.notes.sentences()
    assert told.startswith("Skipped a damaged day file: ")
    assert "2026-11-24.parquet (" in told
    clock.go(-86_400_000 * 2)  # a writer that comes upon it keeps its lines beside it
    later = writer_at(tmp_path, clock)
    later.record(funding(3))
    later.flush()
    clock.go(86_400_000)
    later.record(funding(4))
    later.flush()
    assert caplog.text.count("2026-11-24.parquet' cannot be read") == 2
    assert sorted(amounts(read_journal(tmp_path))) == [0, 2, 3, 4]
    bad.unlink()
    later.close()
    assert files(tmp_path) == [f"2026-11-{day}.parquet" for day in (23, 24, 25)]
    assert sorted(amounts(read_journal(tmp_path))) == [0, 2, 3, 4]


def test_lines_cut_short_and_rows_with_gaps_cost_themselves(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for number in range(4):
        writer.record(funding(number))
        writer.flush()
    path = tmp_path / "ETH" / "2026-11-23.jsonl"
    whole = path.read_text()
    strays = [
        '{"row": 1, "written_ms": 1, "event": "funding", "time_ms": 3, "coin": "ETH"}',
        '{"row": 2, "written_ms": 1, "event": "novelty", "time_ms": 3, "coin": "ETH"}',
        '{"row": 3, "event": "funding", "amount": 3.0}',
        '{"row": "much"}',
        "[]",
    ]
    path.write_text("\n".join(strays) + "\n" + whole[:-9])
    after = writer_at(tmp_path, clock)
    after.record(funding(9))
    after.flush()
    journal = read_journal(tmp_path)
    assert amounts(journal) == [0, 1, 2, 9]
    assert journal.notes.sentences() == [
        "Left out 2 rows that lack what an event needs."
    ]  # the rest at merging
    path.write_text("\n".join(strays) + "\n" + whole[:-9])
    assert read_journal(tmp_path).notes.lines == 2


def test_some_columns_are_those_of_the_whole(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    for number in range(3):
        writer.record(funding(number))
        writer.record(RefusalChanged(time_ms=1, coin="ETH", bot="bot", kind="a", reason=None))
        writer.flush()
        clock.go(86_400_000)
    writer.close()
    some = read_journal(tmp_path, "ETH", columns={Funding: ("amount",), Fill: ("order",)})
    assert set(some.tables) == {"funding", "fill", "clock_jump"}
    table, whole = some.table(Funding), read_journal(tmp_path).table(Funding)
    assert table.column_names == ["time_ms", "coin", "bot", "amount", "run"]
    for name in table.column_names:
        assert table[name].to_pylist() == whole[name].to_pylist()
    assert pa.types.is_dictionary(table["bot"].type)


@pytest.mark.parametrize("seconds", [-7200, -3, 4, 90_000])
def test_a_clock_that_is_set_is_told_of_and_reorders_nothing(tmp_path, seconds):
    clock = Clock(NOON_MS - 11 * 3_600_000)  # at one in the night: two hours back is yesterday
    writer = writer_at(tmp_path, clock, "long")
    for number in range(6):
        writer.record(funding(number, clock.wall))
        if number % 2:
            writer.flush()
        clock.go(500)
        if number == 2:
            clock.set(1000 * seconds)
    writer.close()
    journal = read_journal(tmp_path, "ETH")
    assert amounts(journal) == [0, 1, 2, 3, 4, 5]
    (jump,) = journal.notes.clock_jumps
    assert (jump.seconds, jump.bot) == (seconds, "long")
    assert f"The clock of long jumped by {seconds:+.1f} s" in journal.notes.sentences()[0]
    assert len(journal.events(ClockJumped)) == 1


def test_days_beyond_the_retention_go_unless_the_clock_is_in_doubt(tmp_path, clock):
    writer = writer_at(tmp_path, clock, keep_days=2)
    for day in range(5):
        writer.record(funding(day))
        writer.flush()
        clock.go(86_400_000)
    assert files(tmp_path) == [f"2026-11-{day}.parquet" for day in (25, 26, 27)]
    clock.set(3650 * 86_400_000)
    writer.record(funding(9))
    writer.close()
    assert len(files(tmp_path)) == 4


def test_a_disk_that_refuses_is_tried_again(tmp_path, clock, caplog):
    (tmp_path / "journal").write_text("in the way")
    writer = writer_at(tmp_path / "journal", clock)
    for number in range(3):
        writer.record(funding(number))
        writer.flush()
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "journal").unlink()
    writer.record(funding(3))
    writer.flush()
    assert amounts(read_journal(tmp_path / "journal")) == [0, 1, 2, 3]


def test_a_write_that_breaks_off_leaves_nothing_of_itself(tmp_path, clock, monkeypatch):
    writer = writer_at(tmp_path, clock)
    writer.record(funding(0))
    writer.flush()
    writer.record(funding(1))
    writer.flush()

    def full(files, day, lines):
        path = files.path(day, ".jsonl")
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(lines[0].encode()[:20])
        assert path.stat().st_size > size
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("advanced_mm.journal.writer.DayFiles.append", full)
        writer.record(funding(2))
        writer.flush()
    writer.record(funding(3))
    writer.flush()
    assert amounts(read_journal(tmp_path)) == [0, 1, 2, 3]


WRITE_ON = """
import sys, time
from pathlib import Path
from advanced_mm.journal import Funding, JournalWriter
writer = JournalWriter(Path(sys.argv[1]), "bot")
for number in range(100_000):
    now = writer.now_ms()
    writer.record(Funding(time_ms=now, coin="ETH", bot="bot", amount=float(number)))
    if number % 10 == 0:
        print(now, flush=True)
    time.sleep(0.002)
"""


WATCHED = """
import json, sys, threading, time
from pathlib import Path
from advanced_mm.journal import Funding, JournalWriter
writer = JournalWriter(Path(sys.argv[1]), "bot")
def write_on(numbers):
    global now
    for number in numbers:
        now = writer.now_ms()
        writer.record(Funding(time_ms=now, coin="ETH", bot="bot", amount=float(number)))
        time.sleep(0.002)
for number in (0, 1):  # the first write of a day is merged at once
    write_on([number])
    writer.flush()
threading.Thread(target=write_on, args=[range(2, 100_000)], daemon=True).start()
(path,) = Path(sys.argv[1], "ETH").glob("*.jsonl")
while True:
    begin = time.monotonic()
    time.sleep(0.1)
    late, handed_over = time.monotonic() - begin - 0.1, now
    durable = json.loads(path.read_bytes().rpartition(b"\\n")[0].splitlines()[-1])["time_ms"]
    print(handed_over - durable, round(1000 * late), handed_over, flush=True)
"""
"""Writes on, and compares what was handed over with what is on disk."""


def test_a_killed_process_loses_at_most_a_second(tmp_path):
    command = [sys.executable, "-c", WATCHED, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    waiting, lateness, times = [], [], []
    try:
        while not times or times[-1] < times[0] + 2500:
            for column, word in zip(
                (waiting, lateness, times), process.stdout.readline().split(), strict=True
            ):
                column.append(int(word))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    # What was not on disk yet is what a kill would have cost then. A busy machine delays every
    # thread: by as much as the watching one was late, the writer may be, too.
    assert max(waiting) <= 1000 + max(lateness)
    found = amounts(read_journal(tmp_path))
    assert found == list(range(len(found)))
    newest = read_journal(tmp_path).table(Funding)["time_ms"].to_pylist()[-1]
    assert newest >= times[-1] - 1000 - max(lateness)
    after = JournalWriter(tmp_path, "bot")
    after.record(funding(-1))
    after.close()
    assert amounts(read_journal(tmp_path)) == [*found, -1]


def test_several_processes_write_beside_each_other(tmp_path):
    program = WRITE_ON.replace("100_000", "400").replace('"bot"', "sys.argv[2]")
    program += "\nwriter.close()"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), bot], stdout=-3)
        for bot in ("long", "short")
    ]
    follower, told = JournalFollower(tmp_path, bot="short"), []
    while any(one.poll() is None for one in writers):
        told += follower.news()
        time.sleep(0.05)
    told += follower.news()
    table = read_journal(tmp_path).table(Funding).to_pylist()
    for bot in ("long", "short"):
        assert [row["amount"] for row in table if row["bot"] == bot] == list(range(400))
    assert len({row["run"] for row in table}) == 2
    assert [event.amount for event in told] == list(range(400))


def test_a_follower_tells_each_event_once_however_far_the_merging_is(tmp_path, clock):
    follower, told = JournalFollower(tmp_path), []
    assert follower.news() == []
    writer = writer_at(tmp_path, clock)
    for number in range(40):
        writer.record(funding(number))
        writer.flush()
        if number % 3 == 0:
            told += follower.news()
        if number % 7 == 0:  # merges all there is
            other = writer_at(tmp_path, clock, "other")
            other.record(funding(1000 + number, bot="other"))
            other.close()
        if number == 20:
            clock.go(86_400_000)
    told += follower.news()
    assert [one.amount for one in told if one.bot == "bot"] == list(range(40))
    assert [one.amount for one in told if one.bot == "other"] == [1000 + 7 * i for i in range(6)]
    assert follower.news() == []


def test_after_a_merge_a_follower_reads_only_the_end_of_the_day(tmp_path, clock, monkeypatch):
    """A page that follows a busy bot would read hundreds of thousands of rows at each merge."""
    monkeypatch.setattr(day_files, "_PIECE_ROWS", 50)
    pieces, read = DayFiles.pieces, []

    def counted(self, *given):
        for end, table in pieces(self, *given):
            read.append(table.num_rows)
            yield end, table

    monkeypatch.setattr(DayFiles, "pieces", counted)
    follower, told = JournalFollower(tmp_path), []
    for run in range(4):
        writer = writer_at(tmp_path, clock)
        for number in range(200):
            writer.record(funding(200 * run + number))
        writer.close()
        told += follower.news()
    assert [event.amount for event in told] == list(range(800))
    assert sum(read) < 4 * 200 + 4 * 2 * 50


def test_a_day_s_file_that_was_moved_away_is_begun_anew(tmp_path, clock):
    follower = JournalFollower(tmp_path)
    for count in (30, 3):
        writer = writer_at(tmp_path, clock)
        for number in range(count):
            writer.record(funding(number))
        writer.close()
        assert [event.amount for event in follower.news()] == list(range(count))
        for path in tmp_path.rglob("*.parquet"):
            path.rename(path.with_suffix(".away"))
        assert follower.news() == []


def test_a_row_stays_in_the_day_in_which_it_was_written(tmp_path, clock):
    writer = writer_at(tmp_path, clock)
    fill = Fill(
        time_ms=NOON_MS - 86_400_000, coin="ETH", bot="bot", fill="1", order="2", side="bid",
        price=3000.0, size=1.0, fee=0.45,
    )  # fmt: skip
    writer.record(fill)
    writer.close()
    assert files(tmp_path) == [f"{date(2026, 11, 23)}.parquet"]
    day = timedelta(days=1) // timedelta(milliseconds=1)
    assert read_journal(tmp_path, until_ms=NOON_MS - day).events(Fill) == [fill]
