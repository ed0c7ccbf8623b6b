"""Rows by day. What both stores show of it is tested with them; here is the full disk."""

import json
import subprocess
import sys
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm import day_files
from advanced_mm.day_files import DayFiles, Rows, Skipped
from advanced_mm.errors import InputError

DAY = date(2026, 11, 23)
SCHEMA = pa.schema({"number": pa.int64(), "version": pa.int64(), "text": pa.string()})
ROWS = Rows(
    what="store",
    plural="things",
    version=2,
    schema=SCHEMA,
    decode=lambda lines: pa.Table.from_pylist([json.loads(x) for x in lines], SCHEMA),
    key="number",
    needed=["text"],
)


def line(number, length=1):
    return json.dumps({"number": number, "text": "x" * length})


def numbers(files, *days, skipped=None):
    return files.read(days or [DAY], skipped)["number"].to_pylist()


APPEND_TO_A_FULL_DISK = """
import json, resource, signal, sys
from datetime import date
from pathlib import Path
from tests.test_day_files import DAY, ROWS, line
from advanced_mm.day_files import DayFiles

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
files = DayFiles(Path(sys.argv[1]), ROWS)
files.append(DAY, [line(number) for number in range(10)])
try:
    files.append(DAY, [line(number, 300) for number in range(10, 20)])
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_that_fills_in_the_middle_keeps_all_of_a_write_or_nothing(tmp_path):
    program = [sys.executable, "-c", APPEND_TO_A_FULL_DISK, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    files = DayFiles(tmp_path, ROWS)
    skipped = Skipped()
    assert numbers(files, skipped=skipped) == list(range(10))
    assert skipped.lines == 0
    files.append(DAY, [line(10, 300)])
    assert numbers(files) == list(range(11))


def test_one_damaged_day_keeps_no_other_from_being_merged(tmp_path):
    files = DayFiles(tmp_path, ROWS)
    later = date(2026, 11, 24)
    files.append(DAY, [line(1)])
    files.append(later, [line(2)])
    files.path(DAY, ".parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"store .*2026-11-23\.parquet' cannot be read"):
        files.merge()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-11-23.jsonl", "2026-11-23.parquet", "2026-11-24.parquet",
    ]  # fmt: skip
    assert numbers(files, later) == [2]
    skipped = Skipped()
    assert numbers(files, DAY, later, skipped=skipped) == [1, 2]
    assert len(skipped.files) == 1


def test_rows_without_what_they_need_are_left_out_and_counted(tmp_path, caplog):
    files = DayFiles(tmp_path, ROWS)
    files.append(DAY, [line(1), '{"number": 2}', '{"text": "x"}', "{", line(3)])
    assert numbers(files) == [1, 3]
    assert "skipped 2 rows that are not things" in caplog.text
    assert "skipped 1 of 5 lines (truncated)" in caplog.text
    skipped = Skipped()
    numbers(files, skipped=skipped)
    assert (skipped.lines, skipped.rows, skipped.files) == (1, 2, [])


def test_a_merge_holds_only_a_piece_of_the_day_at_a_time(tmp_path, monkeypatch):
    """A day of a busy maker has millions of rows: a merge must not read them all at once."""
    monkeypatch.setattr(day_files, "_PIECE_ROWS", 4)
    files = DayFiles(tmp_path, ROWS)
    for start in range(0, 30, 3):
        # As after a merge that was killed before it deleted the lines: the last row again.
        files.append(DAY, [line(n) for n in range(max(start - 1, 0), start + 3)])
        files.merge()
        assert files.merged_rows(DAY) == start + 3
    assert numbers(files) == list(range(30))
    with pq.ParquetFile(files.path(DAY, ".parquet")) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert max(sizes) < 10
    assert len(sizes) < 10  # small pieces of earlier merges are put together
