"""The fitting scripts: what they print, what they write, how they refuse."""

import json
import runpy
from pathlib import Path

import pytest

from advanced_mm.cli import run
from advanced_mm.errors import InputError

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script():
    return lambda name: runpy.run_path(str(SCRIPTS / f"test_{name}.py"))["main"]


@pytest.fixture
def eth(recordings_dir):
    return ["--crypto", "ETH", "--time-range", "60", "--data-dir", str(recordings_dir)]


@pytest.mark.recorded
def test_kappa_prints_the_keys_of_the_files(script, eth, capsys):
    assert script("kappa")([*eth, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["ETH"]
    expected = {
        "lambda+": 1.0095,
        "lambda-": 0.6751,
        "lambda0+": 0.2847,
        "lambda0-": 0.1897,
        "kappa+": 2.649,
        "kappa-": 2.725,
    }
    for key, value in expected.items():
        assert entry[key] == pytest.approx(value, rel=0.01)
        assert entry[f"{key}_se"] > 0
        assert 0 < entry[f"{key}_low"] < value < entry[f"{key}_high"]
        assert entry[f"{key}_status"] == "ok"
    assert (entry["n+"], entry["n-"], entry["n1+"], entry["n1-"]) == (1150, 769, 204, 135)
    assert entry["status"] == "ok"


@pytest.mark.recorded
def test_epsilon_prints_the_keys_of_the_files(script, eth, capsys):
    assert script("epsilon")([*eth, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["ETH"]
    expected = {
        "epsilon+": 0.1234,
        "epsilon-": 0.1291,
        "epsilon_fill+": 0.7197,
        "epsilon_fill-": 0.6693,
        "kappa_epsilon+": 0.327,
        "kappa_epsilon_fill-": 1.824,
    }
    for key, value in expected.items():
        assert entry[key] == pytest.approx(value, rel=0.03)
        assert 0 < entry[f"{key}_low"] < value < entry[f"{key}_high"]
    for key in ("epsilon_fill_slope+", "pareto_alpha-", "pareto_threshold+", "pareto_mean+"):
        assert entry[key] > 0


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["kappa", "epsilon"])
def test_thin_coin_is_insufficient_and_no_error(script, recordings_dir, capsys, name):
    arguments = ["--crypto", "WLFI", "--data-dir", str(recordings_dir)]
    assert script(name)([*arguments, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["WLFI"]
    assert entry["status"] == "insufficient"
    assert not any(key.startswith(("kappa", "lambda", "epsilon")) for key in entry)
    assert script(name)(arguments) == 0
    assert "insufficient" in capsys.readouterr().out


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["kappa", "epsilon"])
def test_table_and_picture(script, eth, tmp_path, capsys, name):
    picture = tmp_path / "fit.png"
    assert script(name)([*eth, "--plot", str(picture), "--verbose"]) == 0
    table = capsys.readouterr().out
    for word in (f"{name}+", "std error", "95% interval", "in bp", "status", "ok"):
        assert word in table
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="--plot"):
        script(name)([*eth, "--plot", str(tmp_path / "absent" / "fit.png")])


@pytest.mark.recorded
def test_epsilon_says_what_a_fill_is_worth_at_the_configured_fee(script, eth, tmp_path, capsys):
    config = tmp_path / "config.json"
    for fee_rate, fee in ((0.00015, "0.5015"), (0.0003, "1.003")):
        config.write_text(json.dumps({"market_making": {"fee_rate": fee_rate}}))
        assert script("epsilon")([*eth, "--config", str(config)]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert f"after a fee of {fee}" in text
        assert "competitive, unprofitable from 1.5 on" in text
        assert "no depth that was measured pays" in text
        for row in ("kappa*eps_fill+ 1.907", "edge a fill+ -", "income an hour- -"):
            assert row in text


@pytest.mark.recorded
def test_writes_only_when_asked(script, eth, tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text('{"exchange": {"pair_whitelist": ["ETH/USDC:USDC"]}}')
    output = tmp_path / "out"
    options = [*eth[2:], "--config", str(config), "--output-dir", str(output)]
    assert script("kappa")(options) == 0  # without --crypto: the configured pair
    assert "ETH" in capsys.readouterr().out
    assert not output.exists()
    assert script("epsilon")([*options, "--write"]) == 0
    found = {path.name: json.loads(path.read_text())["ETH"] for path in output.glob("*.json")}
    assert set(found) == {"kappa.json", "epsilon.json", "lambda.json", "value_function.json"}
    found["value_function.json"] = found["value_function.json"][0]
    assert len({entry["calibration_id"] for entry in found.values()}) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--crypto", "ETH", "--data-dir", "/nonexistent/data"], "/nonexistent/data"),
        (["--config", "/nonexistent/config.json"], "/nonexistent/config.json"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(script, capsys, options, named):
    main = script("kappa")
    assert run(lambda _: main(options)) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("error: ") == 1


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("option", "value"), [("--crypto", "NOPE"), ("--time-range", "-5"), ("--time-range", "nan")]
)
def test_unknown_coin_and_impossible_range(script, eth, option, value):
    with pytest.raises(InputError, match=value.lstrip("-")):
        script("epsilon")([*eth, option, value])
