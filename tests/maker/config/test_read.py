"""A maker's file: what it means, and one sentence for each fault in it."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from eth_account import Account

from advanced_mm.errors import InputError
from advanced_mm.maker.config import keys_of, read_config
from advanced_mm.maker.dry import Fees

ROOT = Path(__file__).parents[3]
GOOD = """\
name: sui_spot
exchanges:
  binance: {kind: binance_spot}
  hyperliquid: {kind: hyperliquid, dry: {capital: 500, maker_fee_bp: -0.2}}
markets:
  - exchange: binance
    symbol: SUI/USDC
    policy: {kind: auto, bin_step: 25, vol_lower_threshold: 6e-5}
    volatility: {short: 60, long: 600, ewma_lambda: 0.94}
    limits: {max_daily_loss: 0.05}
    hedge:
      exchange: hyperliquid
      symbol: SUI/USDC:USDC
      active: {active_hedge_iqv_ratio: 0.3}
"""


def file_of(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "maker.yaml"
    path.write_text(text)
    return path


def test_a_file_becomes_settings_and_policies(tmp_path):
    config = read_config(file_of(tmp_path))
    (market,) = config.settings.markets
    assert config.policies[0].name == "auto"
    assert config.policies[0].settings.bin_step == 25
    assert config.policies[0].settings.vol_lower_threshold == 6e-5  # YAML 1.1 reads a text
    assert market.limits.max_daily_loss == 0.05
    assert market.hedge.active.active_hedge_iqv_ratio == Decimal("0.3")
    assert config.settings.journal_in(live=True) == Path("user_data/journal/sui_spot")
    assert config.settings.journal_in(live=False) == Path("user_data/journal/sui_spot_dry")
    assert config.settings.kill_path == Path("user_data/makers/sui_spot.stop")


def test_a_dry_account_pays_the_lowest_tier_unless_it_says_otherwise(tmp_path):
    exchanges = read_config(file_of(tmp_path)).settings.exchanges
    fees = {name: one.dry.fees(one.kind) for name, one in exchanges.items()}
    assert fees["binance"] == Fees(Decimal("0.001"), Decimal("0.001"))
    assert fees["hyperliquid"] == Fees(Decimal("-0.00002"), Decimal("0.00045"))


KEY = "ab" * 32


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            [("bin_step", "bin_stop")],
            "line 8: markets[0].policy.bin_stop is not a setting: you may mean bin_step.",
        ),
        (
            [("max_daily_loss", "max_dayly_loss")],
            "line 10: markets[0].limits.max_dayly_loss is not a setting: you may mean "
            "max_daily_loss.",
        ),
        (
            [("    limits:", "    fruits:")],
            "line 10: markets[0].fruits is not a setting: the settings are exchange, symbol, "
            "policy, volatility, limits, hedge, other_makers.",
        ),
        (
            [("active: {active_hedge_iqv_ratio", "active: {ratio: 1, active_hedge_iqv_ratio")],
            "line 14: markets[0].hedge.active.ratio is not a setting: the settings are",
        ),
        (
            [("capital", "capitol")],
            "line 4: exchanges.hyperliquid.dry.capitol is not a setting: you may mean capital.",
        ),
        (
            [("25", "-3")],
            "line 8: markets[0].policy.bin_step = -3: it should be greater than or equal to 0.001.",
        ),
        (
            [("0.05", "1.5")],
            "line 10: markets[0].limits: max_daily_loss = 1.5 is a share: it must be below 1.",
        ),
        (
            [("0.05", "often")],
            "line 10: markets[0].limits.max_daily_loss = 'often': it should be a valid number",
        ),
        (
            [("short: 60", "short: 900")],
            "line 9: markets[0].volatility: short = 900 must not be above long = 600",
        ),
        ([("kind: auto", "kind: otto")], "markets[0].policy.kind = 'otto' is not a policy."),
        (
            [("kind: hyperliquid", "kind: bybit")],
            "line 4: exchanges.hyperliquid.kind = 'bybit': it should be 'binance_spot' or "
            "'hyperliquid'.",
        ),
        (
            [("exchange: hyperliquid", "exchange: hyper")],
            "line 12: markets[0].hedge.exchange = 'hyper' is none of the exchanges: use one of "
            "binance, hyperliquid.",
        ),
        (
            [("SUI/USDC:USDC", "SUI/USDC")],
            "line 13: markets[0].hedge.symbol = 'SUI/USDC' is no market of hyperliquid: write it "
            "like SUI/USDC:USDC.",
        ),
        (
            [("symbol: SUI/USDC\n", "symbol: SUIUSDC\n")],
            "line 7: markets[0].symbol = 'SUIUSDC' is no market of binance_spot: write it like "
            "SUI/USDC.",
        ),
        ([("name: sui_spot\n", "")], "maker.yaml: name is missing: set it."),
        ([("sui_spot", "../sui")], "line 1: name = '../sui': it should be letters, digits"),
        ([("sui_spot", "a\nname: b")], "line 2: name is set a second time (first in line 1)"),
        (
            [("{kind: binance_spot}", "{kind: binance_spot, url: 127.0.0.1:8793}")],
            "exchanges.binance.url = '127.0.0.1:8793': it should be an address such as",
        ),
        (
            [("{kind: binance_spot}", "{kind: binance_spot}\n  other: {kind: binance_spot}")],
            "line 4: exchanges.other = this block is binance once more: they share one account.",
        ),
        (
            [("{kind: auto, bin_step: 25, vol_lower_threshold: 6e-5}", "auto")],
            "line 8: markets[0].policy = 'auto': it should be a block of settings",
        ),
        ([("markets:", "markets")], "line 6 is no YAML: could not find expected ':'"),
    ],
)
def test_a_fault_is_one_sentence_that_says_where(changes, sentence, tmp_path):
    with pytest.raises(InputError) as caught:
        read_config(file_of(tmp_path, *changes))
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_faults_are_told_at_once(tmp_path):
    path = file_of(tmp_path, ("25", "-3"), ("0.94", "1"), ("0.05", "5"))
    with pytest.raises(InputError) as caught:
        read_config(path)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "change",
    [
        ("{kind: binance_spot}", f"{{kind: binance_spot, api_key: {KEY[:20]}}}"),
        ("{kind: binance_spot}", f"{{kind: binance_spot, url: {KEY}}}"),
        ("kind: hyperliquid,", f"kind: hyperliquid, privateKey: 0x{KEY},"),
        ("name: sui_spot", f"name: sui_spot\nkeys: [1, '0x{KEY}']"),
    ],
)
def test_a_key_in_the_file_is_refused_and_not_shown(change, tmp_path):
    with pytest.raises(InputError, match="keys are never read from a file") as caught:
        read_config(file_of(tmp_path, change))
    assert KEY[:20] not in str(caught.value)
    assert "BINANCE_API_KEY and BINANCE_API_SECRET" in str(caught.value)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: None, "does not exist: write it with scripts/init_maker.py"),
        (lambda path: path.write_text(""), "holds no settings"),
        (lambda path: path.write_text("- a\n- b\n"), "holds no settings"),
        (lambda path: path.write_bytes(b"name: \xff"), "is no text in UTF-8"),
        (lambda path: path.write_text("a: [1, {b: 2, b: 3}]"), "a[1].b is set a second time"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(write, sentence, tmp_path):
    path = tmp_path / "maker.yaml"
    write(path)
    with pytest.raises(InputError) as caught:
        read_config(path)
    assert sentence in str(caught.value)


WALLET = {"HYPERLIQUID_WALLET_ADDRESS": "0x" + "1a" * 20, "HYPERLIQUID_PRIVATE_KEY": "0x" + KEY}


def test_keys_come_from_the_environment():
    assert keys_of("hyperliquid", WALLET) == {
        "walletAddress": "0x" + "1a" * 20,
        "privateKey": "0x" + KEY,
    }
    environment = {"BINANCE_API_KEY": " a ", "BINANCE_API_SECRET": "b"}
    assert keys_of("binance_spot", environment) == {"apiKey": "a", "secret": "b"}


def test_a_key_that_is_missing_or_has_no_key_s_form_is_named_but_not_shown():
    with pytest.raises(InputError, match="BINANCE_API_SECRET is not set"):
        keys_of("binance_spot", {"BINANCE_API_KEY": "a"})
    wrong = WALLET | {"HYPERLIQUID_PRIVATE_KEY": KEY[:-1]}
    with pytest.raises(InputError, match="HYPERLIQUID_PRIVATE_KEY has 63 characters") as caught:
        keys_of("hyperliquid", wrong)
    assert KEY[:20] not in str(caught.value)


def test_the_documented_pair_of_keys_is_accepted():
    page = (ROOT / "docs" / "maker.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("python -c"))
    printed = subprocess.run(
        ["sh", "-c", command.replace("python", sys.executable, 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    keys = keys_of("hyperliquid", dict(re.findall(r"(\w+)=(\w+)", printed)))
    assert Account.from_key(keys["privateKey"]).address == keys["walletAddress"]
