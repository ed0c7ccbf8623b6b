"""What a maker's file must say before orders for money, and one maker a market."""

import importlib
from pathlib import Path

import pytest
import yaml

from advanced_mm.errors import InputError
from advanced_mm.maker.config.keys import KEY_VARIABLES
from advanced_mm.maker.config.live import check_bounds, only_maker_there
from advanced_mm.maker.config.settings import MakerSettings

ROOT = Path(__file__).parents[3]
KEYS = {"BINANCE_API_KEY": "a" * 64, "BINANCE_API_SECRET": "b" * 64}
FILE = """
name: NAME
exchanges: {binance: {kind: binance_spot}}
markets: [{exchange: binance, symbol: SUI/USDC, policy: {kind: spot}MORE}]
"""


def file(name="one", more=""):
    text = FILE.replace("NAME", name).replace("MORE", more)
    return MakerSettings.model_validate(yaml.safe_load(text))


def test_spot_without_a_bound_is_refused():
    with pytest.raises(InputError, match="those that you held before too"):
        check_bounds(file())
    check_bounds(file(more=", limits: {capital: 1000}"))
    check_bounds(file(more=", limits: {max_position_value: 500}"))


def test_missing_keys_are_told_before_what_would_be_done_with_them(monkeypatch, capsys):
    for variable in (one for names in KEY_VARIABLES.values() for one in names.values()):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    main = importlib.import_module("market_maker").main
    with pytest.raises(InputError, match="HYPERLIQUID_WALLET_ADDRESS is not set"):
        main(["--live", "--config", str(ROOT / "user_data" / "makers" / "sol_simple.yaml")])
    assert capsys.readouterr().out == ""


def test_a_market_of_an_account_has_one_maker(tmp_path):
    with only_maker_there(file(), KEYS, tmp_path):
        with (
            pytest.raises(InputError, match="Another maker already trades SUI/USDC on binance"),
            only_maker_there(file("two"), KEYS, tmp_path),
        ):
            pass
        with only_maker_there(file("two", ", other_makers: true"), KEYS, tmp_path):
            pass
        with only_maker_there(file("two"), {**KEYS, "BINANCE_API_KEY": "c" * 64}, tmp_path):
            pass
    with only_maker_there(file("two"), KEYS, tmp_path):
        pass
    assert not any("a" * 8 in one.name for one in tmp_path.iterdir())
