"""Which policy with which settings and account, from words, files and the market."""

import json

import pytest

from advanced_mm.errors import InputError
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.policies import KINDS, MarketState, build
from advanced_mm.replay.ladders.setup import LadderSetup, account_for, ladder_setup
from advanced_mm.replay.ladders.suited import MarketFigures, needs_figures, suited_settings

MAKER = """
name: two
markets:
  - {exchange: binance, symbol: SUI/USDC, policy: {kind: curve, decay_rate: 0.5}}
  - exchange: hyperliquid
    symbol: ETH/USDC:USDC
    policy: {kind: curve, decay_rate: 0.8}
    volatility: {short: 30, long: 300}
"""


def test_settings_come_as_json_or_from_a_file(tmp_path) -> None:
    settings = {"decay_rate": 0.9}
    file = tmp_path / "curve.json"
    file.write_text(json.dumps(settings))
    for text in (json.dumps(settings), str(file)):
        assert dict(ladder_setup("curve", text, "ETH").settings) == settings
    assert ladder_setup("curve", None, "ETH").policy().name == "curve"


def test_a_makers_file_gives_the_market_of_the_coin_with_its_volatility(tmp_path) -> None:
    file = tmp_path / "maker.yaml"
    file.write_text(MAKER)
    found = ladder_setup("curve", str(file), "ETH")
    assert dict(found.settings) == {"decay_rate": 0.8}
    assert (found.volatility.short, found.volatility.long) == (30, 300)
    with pytest.raises(InputError, match=r"no market of BTC has the policy 'curve'.*SUI by curve"):
        ladder_setup("curve", str(file), "BTC")


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("curv", None, "You may mean 'curve'"),
        ("curve", "{'decay'", "are no JSON"),
        ("curve", "missing.yaml", "missing.yaml cannot be read: No such file"),
        ("curve", '{"kind": "spot"}', "settings are of 'spot', not of 'curve'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(kind, text, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        ladder_setup(kind, text, "ETH")


def test_an_unknown_setting_is_refused_when_the_policy_is_built() -> None:
    with pytest.raises(InputError, match="decay_rat"):
        ladder_setup("curve", '{"decay_rat": 0.5}', "ETH").policy()


def test_a_policy_with_a_target_share_gets_a_spot_account_that_starts_there() -> None:
    account = account_for(LadderSetup("curve", {"init_iqv_ratio": 0.3}), 5000.0)
    assert (account.spot, account.init_ratio, account.capital) == (True, 0.3, 5000.0)
    assert account_for(LadderSetup("curve", {}), 5000.0).init_ratio == 0.5
    flat = account_for(LadderSetup("basis_points", {}), 5000.0)
    assert (flat.spot, flat.init_ratio) == (False, 0.0)
    assert account_for(LadderSetup("basis_points", {}), 5000.0, spot=True).init_ratio == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_every_policy_quotes_both_sides_with_the_settings_that_suit_a_market(kind: str) -> None:
    market = SyntheticParameters()
    settings = suited_settings(
        kind,
        {},
        capital=10_000.0,
        mid=3000.0,
        size_step=1e-4,
        fee_rate=1e-4,
        figures=MarketFigures.of_truth(market.truth()),
    )
    account = account_for(LadderSetup(kind, settings), 10_000.0)
    opening = account.opening(3000.0, 1e-4)
    state = MarketState(
        1_000,
        bids=((2999.95, 5.0),),
        asks=((3000.05, 5.0),),
        inventory=opening.inventory,
        quote_balance=opening.cash,
        volatility=1 / 3000,
        usual_volatility=1 / 3000,
    )
    ladder = build(kind, settings).ladder(state)
    assert ladder.bids, ladder.reason
    assert ladder.asks, ladder.reason
    worth = sum(level.price * level.size for level in ladder.bids)
    assert worth <= opening.cash + 1e-6


def test_what_is_given_is_kept_and_what_a_market_must_tell_is_known() -> None:
    common = {"capital": 1e4, "mid": 3000.0, "size_step": 1e-4, "fee_rate": 0.0}
    settings = suited_settings("basis_points", {"order_size": 2.0}, **common)
    assert settings["order_size"] == 2.0
    assert settings["max_inventory"] == 20.0
    assert needs_figures("glft", {})
    assert not needs_figures("glft", {"kappa": 1.0, "intensity": 1.0})
    assert not needs_figures("curve", {})
    with pytest.raises(InputError, match="kappa"):
        build("glft", suited_settings("glft", {}, **common))
