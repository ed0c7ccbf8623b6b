"""Asset numbers of coins of several exchanges."""

import pytest

from advanced_mm.markets.listing import Listing

COINS = ["xyz:XYZ100", "ETH", "abc:GOLD", "kPEPE", "xyz:TSLA"]


@pytest.mark.parametrize(
    ("coin", "asset"),
    [
        ("ETH", 0),
        ("kPEPE", 1),
        ("xyz:XYZ100", 110_000),
        ("xyz:TSLA", 110_001),
        ("abc:GOLD", 120_000),
    ],
)
def test_coins_are_numbered_as_the_venue_documents(coin, asset):
    listing = Listing(COINS)
    assert listing.asset_of(coin) == asset
    assert listing.coin_of(asset) == coin


def test_the_main_exchange_is_first_even_where_it_lists_nothing():
    assert Listing(COINS).dexs == ("", "xyz", "abc")
    assert Listing(["xyz:TSLA"]).dexs == ("", "xyz")
    assert Listing(["xyz:TSLA"]).coins_of("") == ()


@pytest.mark.parametrize("asset", [2, 100_000, 110_002, 130_000])
def test_a_number_of_nothing_is_no_coin(asset):
    assert Listing(COINS).coin_of(asset) is None
    assert Listing(COINS).coins_of("no") == ()
