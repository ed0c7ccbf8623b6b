"""A coin's folder: no colon in its name, one of before is the same coin's, and never two."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.coin_folders import (
    coin_folder,
    coins_below,
    has_been_renamed,
    writable_coin_folder,
)
from advanced_mm.errors import InputError

COIN = "xyz:XYZ100"

NAME = st.from_regex(r"([A-Za-z0-9]{1,6}:)?[A-Za-z0-9@][A-Za-z0-9_@]{0,7}", fullmatch=True)


@given(st.sets(NAME, min_size=1, max_size=5))
def test_what_is_written_is_listed_and_found(coins):
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        for coin in coins:
            writable_coin_folder(parent, coin).mkdir()
        assert coins_below(parent) == sorted(coins)
        for coin in coins:
            assert coin_folder(parent, coin).is_dir()
        assert not [path for path in parent.iterdir() if ":" in path.name]


def test_a_folder_of_before_is_found_and_renamed_by_who_writes(tmp_path):
    (tmp_path / COIN / "trades").mkdir(parents=True)
    found = coin_folder(tmp_path, COIN)
    assert found == tmp_path / COIN
    assert not has_been_renamed(found)
    assert coins_below(tmp_path) == [COIN]
    assert writable_coin_folder(tmp_path, COIN) == tmp_path / "xyz-XYZ100"
    assert coins_below(tmp_path) == [COIN]
    assert coin_folder(tmp_path, COIN) == tmp_path / "xyz-XYZ100"
    assert (tmp_path / "xyz-XYZ100" / "trades").is_dir()
    assert has_been_renamed(found)
    assert not has_been_renamed(tmp_path / "xyz-XYZ100")


def test_two_folders_of_one_coin_are_told_of(tmp_path):
    for name in (COIN, "xyz-XYZ100"):
        (tmp_path / name).mkdir()
    for found in (coin_folder, writable_coin_folder):
        with pytest.raises(InputError, match="move the files of the second into the first"):
            found(tmp_path, COIN)


def test_a_text_that_is_no_name_leads_nowhere(tmp_path):
    for text in ("../ETH", "", "a/b"):
        with pytest.raises(InputError, match="not a coin's name"):
            coin_folder(tmp_path, text)
