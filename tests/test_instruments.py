"""Instruments: ccxt's own parser is the oracle of the codes; names come back whole."""

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.instruments import (
    code_of,
    code_of_pair,
    coin_of_folder,
    coin_of_market,
    dex_of,
    folder_of,
    is_coin_name,
    nearest,
    pair_of,
    resolve_coin,
    resolve_coins,
)

KNOWN = ["ETH", "BTC", "kPEPE", "PEPE2", "xyz:XYZ100", "flx:TSLA", "WLFI"]

NAME = st.from_regex(r"([A-Za-z0-9]{1,6}:)?[A-Za-z0-9@][A-Za-z0-9_@]{0,7}", fullmatch=True)


def parsed_by_ccxt(name: str) -> dict:
    """The market as unmodified ccxt makes it from the venue's record."""
    exchange = ccxt.hyperliquid()
    record = {"name": name, "szDecimals": "2", "maxLeverage": "10", "markPx": "12.5", "baseId": "7"}
    return exchange.parse_market(record)


@given(NAME)
def test_the_code_is_the_one_ccxt_makes(name):
    market = parsed_by_ccxt(name)
    assert code_of(name) == market["base"]
    assert code_of(market["symbol"]) == code_of_pair(market["symbol"]) == market["base"]
    assert coin_of_market(market) == name
    assert pair_of(name) == market["symbol"]


@given(NAME)
def test_a_folder_names_its_coin_and_has_no_colon(name):
    assert ":" not in folder_of(name)
    assert coin_of_folder(folder_of(name)) == name
    assert coin_of_folder(name) == name  # a recording of before


@given(NAME)
def test_every_spelling_finds_the_coin(name):
    for spelling in (name, code_of(name), f"{code_of(name)}/USDC:USDC", name.lower()):
        assert resolve_coin(spelling, [name, "another"], "the venue") == name


@pytest.mark.parametrize("text", ["", "a/b", "../ETH", "ETH ", "a:b:c", "XYZ-XYZ100", ":A", "A:"])
def test_what_is_no_name(text):
    assert not is_coin_name(text)
    with pytest.raises(InputError, match="not a coin's name"):
        folder_of(text)


@pytest.mark.parametrize("name", ["journal.txt", ".hidden", "a b", "a-b-c"])
def test_a_folder_that_is_no_coins(name):
    assert coin_of_folder(name) is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("PEPE", "kPEPE"), ("XYZ100", "xyz:XYZ100"), ("EHT", "ETH"), ("TSLA/USDC:USDC", "flx:TSLA")],
)
def test_a_wrong_name_gets_the_right_one_in_the_answer(name, nearest):
    with pytest.raises(InputError) as error:
        resolve_coin(name, KNOWN, "the recording")
    assert nearest in str(error.value)
    assert name in str(error.value)
    assert "the recording" in str(error.value)


def test_the_nearest_are_three_at_most_and_named_once():
    assert nearest("PEPE", KNOWN) == ("PEPE2", "kPEPE")
    assert nearest("QQQQQQQ", KNOWN) == ()
    assert len(nearest("COIN", [f"COIN{n}" for n in range(9)])) == 3


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(InputError, match="it has BTC, ETH"):
        resolve_coin("QQQQQQQ", ["ETH", "BTC"], "the venue")
    with pytest.raises(InputError, match="it has none"):
        resolve_coin("ETH", [], "the venue")


def test_two_coins_of_one_code_must_be_told_apart():
    assert resolve_coin("kPEPE", ["kPEPE", "KPEPE"], "the venue") == "kPEPE"
    with pytest.raises(InputError, match="KPEPE and kPEPE"):
        resolve_coin("kpepe", ["kPEPE", "KPEPE"], "the venue")


def test_coins_named_twice_are_returned_once():
    assert resolve_coins(["KPEPE", "ETH", "kPEPE"], KNOWN, "the venue") == ("kPEPE", "ETH")


def test_exchange_of_a_coin():
    assert dex_of("ETH") == ""
    assert dex_of("xyz:XYZ100") == "xyz"


@pytest.mark.parametrize("market", [{}, {"info": {}}, {"symbol": "A/B", "info": {"name": "A/B"}}])
def test_a_market_of_another_kind(market):
    with pytest.raises(InputError, match="pair_whitelist"):
        coin_of_market(market)


@pytest.mark.parametrize("pair", ["ETH", "/USDC:USDC", ""])
def test_a_text_that_is_no_pair(pair):
    with pytest.raises(InputError, match="pair_whitelist"):
        code_of_pair(pair)
