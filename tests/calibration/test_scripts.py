"""The fitting scripts: output, files written and errors."""

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
        # The buy side's reach fails its own test.
        misfit = key in ("lambda0+", "kappa+")
        assert entry[f"{key}_status"] == ("misfit" if misfit else "ok")
    assert (entry["n+"], entry["n-"], entry["n1+"], entry["n1-"]) == (1150, 769, 204, 135)
    assert entry["ks+"] > entry["ks_critical+"]
    assert entry["ks-"] < entry["ks_critical-"]
    assert entry["status"] == "misfit"


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
    assert script(name)([*arguments, "--verbose"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.endswith(" insufficient  ")]
    assert len(rows) >= 6
    for row in rows:  # no digits of what must not be used, only how little there was
        assert set(row[row.index("–") : -2]) == {"–"}
        assert row[-2].isdigit()
    assert f"{name}+ insufficient: " in "\n".join(lines)


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["kappa", "epsilon"])
def test_table_and_picture(script, eth, tmp_path, capsys, name):
    picture = tmp_path / "fit.png"
    assert script(name)([*eth, "--plot", str(picture), "--verbose"]) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[-1] == f"plot written to {picture}"
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
        assert "no measured depth pays: do not quote this market" in text
        for row in ("kappa*eps_fill+ 1.907", "edge per fill+ -", "income per hour- -"):
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
    assert set(found) == {
        *("kappa.json", "epsilon.json", "lambda.json"),
        *("value_function.json", "fair_price.json"),
    }
    found["value_function.json"] = found["value_function.json"][0]
    assert len({entry["calibration_id"] for entry in found.values()}) == 1


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["kappa", "epsilon"])
def test_says_what_it_wrote_beside_pure_json(script, eth, tmp_path, capsys, name):
    options = [*eth, "--plot", str(tmp_path / "fit.png"), "--write"]
    options += ["--output-dir", str(tmp_path / "out"), "--config", str(configured(tmp_path, {}))]
    assert script(name)([*options, "--json"]) == 0
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)) == {"ETH"}
    for said in (captured.err, (script(name)(options), capsys.readouterr().out)[1]):
        assert f"plot written to {tmp_path / 'fit.png'}" in said
        (line,) = (line for line in said.splitlines() if line.startswith("published ETH in "))
        assert str(tmp_path / "out") in line
        for file in (
            "kappa.json misfit",
            "epsilon.json ok",
            "lambda.json misfit",
            "value_function.json misfit",
        ):
            assert file in line


def configured(folder, settings):
    config = folder / "config.json"
    pairs = {"pair_whitelist": ["WLFI/USDC:USDC"]}
    config.write_text(json.dumps({"market_making": settings, "exchange": pairs}))
    return config


@pytest.mark.recorded
def test_crypto_overrides_the_coin_of_config_and_nothing_else(script, eth, tmp_path, capsys):
    """With blocks of up to 0.2 s the feed hides about a twentieth of the bursts' orders."""
    lambdas = {}
    for block_seconds in (None, 0.2):
        config = configured(tmp_path, {"block_seconds": block_seconds})
        assert script("kappa")([*eth, "--config", str(config), "--json"]) == 0
        lambdas[block_seconds] = json.loads(capsys.readouterr().out)["ETH"]["lambda+"]
    assert lambdas[None] == pytest.approx(1150 / 1139.166, rel=1e-6)
    assert 1.03 < lambdas[0.2] / lambdas[None] < 1.08


@pytest.mark.parametrize("name", ["kappa", "epsilon"])
def test_config_is_read_and_judged_though_a_coin_is_named(script, tmp_path, name):
    coin = ["--crypto", "ETH", "--data-dir", str(tmp_path)]
    with pytest.raises(InputError, match=r"/nonexistent/config\.json"):
        script(name)([*coin, "--config", "/nonexistent/config.json"])
    config = configured(tmp_path, {"block_seconds": 5})
    with pytest.raises(InputError, match="block_seconds = 5"):
        script(name)([*coin, "--config", str(config)])


@pytest.mark.recorded
def test_a_coin_can_be_fitted_with_no_configuration_but_not_published(
    script, eth, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert script("epsilon")(eth) == 0
    assert "after a fee of 0.5015" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__FEE_RATE", "0.0003")
    assert script("epsilon")(eth) == 0
    assert "after a fee of 1.003" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(InputError, match=r"user_data/config\.json does not exist"):
        script("epsilon")([*eth, "--write"])
    assert not list(tmp_path.iterdir())


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
