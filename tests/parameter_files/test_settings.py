"""Settings: the block of config.json, Freqtrade's merging rules, and clear refusals."""

import json
from pathlib import Path

import pytest
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict
from freqtrade.configuration.load_config import load_from_files
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings, environment_overrides, load_settings


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_an_empty_block_gives_the_long_only_defaults():
    settings = Settings.from_config({})
    assert (settings.q_min, settings.q_max, settings.sides) == (0, 1, "both")
    assert settings.epsilon_source == "fill"
    assert settings.data_age_limit_seconds == 1800


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"fee_rate": 0.5}, "market_making.fee_rate = 0.5"),
        ({"toxicity_limit": 0}, "market_making.toxicity_limit = 0"),
        ({"epsilon_source": "median"}, "market_making.epsilon_source = 'median'"),
        ({"fee": 0.1}, "market_making.fee = 0.1: there is no such setting."),
        ({"fee_rat": 0.1}, "fee_rat = 0.1: there is no such setting, did you mean 'fee_rate'?"),
        ({"alpha": float("nan")}, "market_making.alpha = nan"),
        ({"q_min": 2, "q_max": 1}, "q_min = 2 must be below q_max = 1"),
    ],
)
def test_a_bad_value_is_refused_by_name(block, named):
    with pytest.raises(InputError, match="Correct it") as refusal:
        Settings.from_config({"market_making": block})
    assert named in str(refusal.value)


def test_files_merge_as_freqtrade_merges_them(tmp_path):
    write(tmp_path / "extra.json", {"market_making": {"alpha": 0.5, "q_max": 7}, "a": {"b": 1}})
    first = write(
        tmp_path / "config.json",
        {
            "add_config_files": ["extra.json"],
            "market_making": {"q_max": 3, "fee_rate": 0.0001},
            "exchange": {"pair_whitelist": ["ETH/USDC:USDC"]},
        },
    )
    second = write(tmp_path / "overlay.json", {"market_making": {"fee_rate": 0.0002}})
    settings, coins = load_settings([first, second])
    theirs = load_from_files([str(first), str(second)])
    assert Settings.from_config(theirs) == settings
    assert (settings.alpha, settings.q_max, settings.fee_rate) == (0.5, 3, 0.0002)
    assert coins == ["ETH"]


def test_the_environment_overrides_the_files(tmp_path, monkeypatch):
    path = write(tmp_path / "config.json", {"market_making": {"toxicity_limit": 2}})
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__TOXICITY_LIMIT", "3")
    settings, _ = load_settings([path])
    assert settings.toxicity_limit == 3


variables = st.dictionaries(
    st.from_regex(r"FREQTRADE__[A-Z]{1,5}(__[A-Z]{1,5}){0,2}", fullmatch=True),
    st.one_of(
        st.integers().map(str), st.floats().map(str), st.sampled_from(["true", "F", "[1, 2]", "x"])
    ),
    max_size=1,
)


@given(variables)
def test_variables_are_typed_as_freqtrade_types_them(environment):
    assert repr(environment_overrides(environment)) == repr(
        _flat_vars_to_nested_dict(environment, "FREQTRADE__")
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "not valid JSON"), ("[]", "no JSON object"), (None, "does not exist")],
)
def test_an_unreadable_configuration_is_named(tmp_path, text, complaint):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=complaint) as refusal:
        load_settings([path])
    assert str(path) in str(refusal.value)


def test_comments_are_allowed_as_in_freqtrade(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{\n // the maker fee\n "market_making": {"fee_rate": 0.0001,},}')
    assert load_settings([path])[0].fee_rate == 0.0001


def test_a_whitelist_is_told_by_its_codes(tmp_path):
    """Which coin a code is, only the venue's own list can tell."""
    pairs = ["WLFI/USDC:USDC", "KPEPE/USDC:USDC", "XYZ-XYZ100/USDC:USDC"]
    path = write(tmp_path / "config.json", {"exchange": {"pair_whitelist": pairs}})
    assert load_settings([path])[1] == ["WLFI", "KPEPE", "XYZ-XYZ100"]
    write(path, {"exchange": {"pair_whitelist": ["WLFI"]}})
    with pytest.raises(InputError, match="'WLFI'"):
        load_settings([path])


@pytest.mark.parametrize(
    ("block", "meant"),
    [
        ({}, ("long_only", 0, 1, "both", 1.0, False)),
        ({"q_min": -1, "q_max": 0}, ("short_only", -1, 0, "both", 1.0, True)),
        ({"q_min": -3, "q_max": 3}, (None, -3, 3, "both", 1.0, True)),  # of a replay
        ({"inventory_mode": "long_only"}, ("long_only", 0, 1, "both", 1.0, False)),
        ({"inventory_mode": "short_only", "size": 0.5}, ("short_only", -1, 0, "both", 0.5, True)),
        ({"inventory_mode": "layered", "q_max": 4}, ("layered", 0, 4, "one", 0.25, False)),
        (
            {"inventory_mode": "layered", "q_min": -2, "q_max": 0, "size": 0.1},
            ("layered", -2, 0, "one", 0.1, True),
        ),
        ({"inventory_mode": "two_legs"}, ("two_legs", -1, 1, "both", 1.0, False)),
        (
            {"inventory_mode": "two_legs", "leg": "short", "q_min": -1, "q_max": 1},
            ("two_legs", -1, 1, "both", 1.0, True),
        ),
    ],
)
def test_a_mode_sets_the_inventories_and_old_bounds_imply_it(block, meant):
    s = Settings.from_config({"market_making": block})
    assert (s.mode, s.q_min, s.q_max, s.sides, s.unit_share, s.sells_first) == meant
    assert Settings.model_validate(s.model_dump()) == s
    alone = s.alone()
    if s.mode == "two_legs":
        assert Settings.model_validate(alone.model_dump()) == alone
        assert (alone.q_min, alone.q_max) == ((-1, 0) if s.sells_first else (0, 1))
        assert alone.sells_first == s.sells_first
    else:
        assert alone == s


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"inventory_mode": "long_only", "q_max": 3}, "q_max = 3 contradicts inventory_mode = lo"),
        ({"inventory_mode": "long_only", "q_min": -1}, "q_min = -1 contradicts"),
        ({"inventory_mode": "two_legs", "q_min": 0, "q_max": 1}, "q_min = 0 contradicts"),
        ({"inventory_mode": "two_legs", "sides": "one"}, "sides = one contradicts"),
        ({"inventory_mode": "layered", "q_max": 3, "sides": "both"}, "sides = both contradicts"),
        ({"inventory_mode": "layered"}, "q_min = 0, q_max = 0: inventory_mode = layered holds"),
        ({"inventory_mode": "layered", "q_max": 1}, "set q_max to 2 or more"),
        ({"inventory_mode": "layered", "q_min": -2, "q_max": 2}, "set q_max to 2 or more"),
        ({"inventory_mode": "both"}, "market_making.inventory_mode = 'both'"),
        ({"inventory_mode": 3}, "market_making.inventory_mode = 3"),
        ({"leg": "long"}, "leg = long belongs to inventory_mode = two_legs, not None"),
        ({"inventory_mode": "layered", "q_max": 3, "size": 0.5}, "it can be at most 0.333"),
        ({"size": 0}, "market_making.size = 0"),
    ],
)
def test_what_contradicts_a_mode_is_refused_by_name(block, named):
    with pytest.raises(InputError, match="Correct it") as refusal:
        Settings.from_config({"market_making": block})
    assert named in str(refusal.value)
