"""What the wizard writes is a maker's file, whatever is answered."""

import io
import runpy
from pathlib import Path

import pytest
import yaml

from advanced_mm.errors import InputError
from advanced_mm.maker.config import read_config
from advanced_mm.maker.config.draft import HEDGES, Answers, file_text
from advanced_mm.maker.config.words import sentences
from advanced_mm.policies import KINDS, MarketState

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "user_data" / "makers").glob("*.yaml"))
NOWHERE = "http://127.0.0.1:1"


def drafted(folder, **given):
    settings = {"name": "it", "kind": "hyperliquid", "symbol": "SUI/USDC:USDC", "policy": "auto"}
    answers = Answers(**({"price": 2.5, "capital": 1000, "spread_bp": 20} | settings | given))
    path = folder / "it.yaml"
    path.write_text(file_text(answers))
    return read_config(path)


@pytest.mark.parametrize("policy", list(KINDS))
@pytest.mark.parametrize("spot", [True, False])
def test_each_policy_quotes_both_sides_with_the_capital(policy, spot, tmp_path):
    place = {"kind": "binance_spot", "symbol": "SUI/USDC"} if spot else {}
    config = drafted(tmp_path, policy=policy, **place)
    limits = config.settings.markets[0].limits
    assert limits.target_inventory == (200 if spot else 0)
    assert limits.capital == 1000
    state = MarketState(
        0, ((2.4999, 900.0),), ((2.5001, 900.0),), inventory=limits.target_inventory,
        quote_balance=500.0 if spot else 1000.0, volatility=1e-4, usual_volatility=1e-4,
    )  # fmt: skip
    ladder = config.policies[0].ladder(state)
    assert ladder.bids
    assert ladder.asks
    worth = sum(level.price * level.size for level in ladder.bids)
    assert 5 <= worth <= 1001
    assert sum(level.size for level in ladder.asks) <= (200 if spot else 400) * 1.001
    spread_bp = (ladder.asks[0].price - ladder.bids[0].price) / 2.5 * 1e4
    assert 15 < spread_bp < 45, policy


@pytest.mark.parametrize("hedge", HEDGES)
def test_hedges_are_on_hyperliquid_s_perpetual(hedge, tmp_path):
    config = drafted(tmp_path, kind="binance_spot", symbol="SUI/USDC", hedge=hedge, url=NOWHERE)
    wanted = config.settings.markets[0].hedge
    if hedge == "none":
        assert wanted is None
        assert list(config.settings.exchanges) == ["binance_spot"]
        return
    assert (wanted.exchange, wanted.symbol) == ("hyperliquid", "SUI/USDC:USDC")
    assert (wanted.active is not None) == (hedge in ("active", "both"))
    assert (wanted.passive is not None) == (hedge in ("passive", "both"))


@pytest.fixture
def wizard(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(ROOT / "scripts" / "init_maker.py"))["main"]

    def run(*words, answers=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        assert main(list(words)) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_answers_may_be_piped_and_empty_ones_take_the_default(wizard):
    answers = ["binance_spot", "SUI", NOWHERE, "2.5", "nonsense", "curve", "-3", "30", "500"]
    answers += ["passive", NOWHERE, "", ""]
    shown = wizard(answers="\n".join([*answers, ""]))
    path = Path("user_data/makers/sui_binance_spot.yaml")
    config = read_config(path)
    (market,) = config.settings.markets
    assert (config.policies[0].name, config.policies[0].settings.bin_step) == ("curve", 15)
    assert (market.limits.max_daily_loss, market.hedge.active) == (0.03, None)
    assert f"{NOWHERE} does not say what SUI costs" in shown
    assert "It must be above 0 and at most 5000." in shown
    assert f"python scripts/market_maker.py --config {path}" in shown
    assert "then set BINANCE_API_KEY, BINANCE_API_SECRET, HYPERLIQUID_WALLET_ADDRESS" in shown


def test_defaults_ask_nothing_and_replace_nothing(wizard):
    wizard("my.yaml", "--defaults", "--loopback")
    exchange = yaml.safe_load(Path("my.yaml").read_text())["exchanges"]["hyperliquid"]
    assert exchange["url"] == "http://127.0.0.1:8792"
    with pytest.raises(InputError, match=r"my.yaml is there already"):
        wizard("my.yaml", "--defaults", "--loopback")
    wizard("my.yaml", "--defaults", "--loopback", "--force")


def test_answers_that_end_too_early_are_an_error(wizard):
    with pytest.raises(InputError, match="The answers end at 'Coin'"):
        wizard(answers="hyperliquid\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_named_after_its_file_and_says_what_it_does(path):
    config = read_config(path)
    assert config.settings.name == path.stem
    told = list(sentences(config, live=True))
    market = config.settings.markets[0]
    assert any(f"It quotes {market.symbol} on {market.exchange}" in one for one in told)
    assert ("Trigger orders rest on" in " ".join(told)) == ("spot_" in path.stem)
    dry = list(sentences(config, live=False))
    assert "makes up orders and fills there, with" in dry[0]
    assert any(f"user_data/journal/{path.stem}_dry;" in one for one in dry)
