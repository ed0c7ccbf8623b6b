"""Published refits: one id, no unusable values, the last good fit kept with its own age."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from advanced_mm.calibration.calibrate import calibrate
from advanced_mm.calibration.publish import parameter_set, publish
from advanced_mm.model import ModelParameters, solve
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import CalibrationHistory

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTINGS = Settings(q_min=-2, q_max=2, fee_rate=0.0, phi=0.001)


@pytest.fixture(scope="module")
def good(simulated):
    recording = simulated.simulate(simulated.Market(realistic=True, sigma=0.45), seed=11)
    return calibrate(recording, window_minutes=30)


@pytest.fixture(scope="module")
def thin(simulated):
    recording = simulated.simulate(simulated.Market(seconds=200), seed=1)
    return calibrate(recording, window_minutes=30)


def entries(files, coin="SIM"):
    content = {n: json.loads((files.directory / n).read_text())[coin] for n in ParameterFiles.names}
    content["value_function.json"] = content["value_function.json"][0]
    return content


def test_published_values_are_the_fitted_ones(tmp_path, good):
    files = ParameterFiles(tmp_path / "new")
    publish(good, SETTINGS, files, NOW)
    found = entries(files)
    assert found["kappa.json"]["kappa+"] == good.fill_curve.plus.kappa.value
    assert found["kappa.json"]["kappa-_se"] == good.fill_curve.minus.kappa.se
    assert found["lambda.json"]["lambda0-"] == good.fill_curve.minus.lambda0.value
    assert found["lambda.json"]["lambda+"] == good.arrivals.plus.rate.value
    assert found["epsilon.json"]["epsilon_fill+"] == good.fill_impact.epsilon_fill.plus.value
    assert found["epsilon.json"]["epsilon-"] == good.impact.epsilon.minus.value
    assert found["epsilon.json"]["sigma"] == good.volatility.value
    assert found["epsilon.json"]["sigma_se"] == good.volatility.se
    assert found["epsilon.json"]["pareto_truncated+"] is good.pareto.plus.truncated
    assert found["fair_price.json"]["beta"] == 0.0  # the sizes of this market never change
    assert found["fair_price.json"]["looks"] == good.fair_price.slope.n > 1000
    for entry in found.values():
        assert entry["status"] == "ok"
        assert (entry["n+"], entry["n1-"]) == (good.n.plus, good.n1.minus)
        assert datetime.fromisoformat(entry["published_at"]) == NOW
        fitted_at = datetime.fromisoformat(entry["fitted_at"])
        assert fitted_at == datetime.fromtimestamp(good.end_ms / 1000, UTC)
    assert len({entry["calibration_id"] for entry in found.values()}) == 1
    assert files.read("SIM").calibration_id == found["kappa.json"]["calibration_id"]


def test_what_is_published_by_hand_is_in_the_history_too(tmp_path, good):
    files = ParameterFiles(tmp_path)
    publish(good, SETTINGS, files, NOW)
    (row,) = CalibrationHistory(tmp_path / "calibration_history").read("SIM").to_pylist()
    assert row["calibration_id"] == files.read("SIM").calibration_id
    assert row["kappa+"] == good.fill_curve.plus.kappa.value
    assert row["published_at"] == NOW


def test_a_grown_window_is_told_in_every_entry(good, thin):
    grown = parameter_set(good, SETTINGS, None, NOW, window_grown=True)
    usual = parameter_set(good, SETTINGS, None, NOW)
    assert [entry.window_grown for entry in grown.entries] == [True] * 4
    assert [entry.window_grown for entry in usual.entries] == [False] * 4
    kept = parameter_set(thin, SETTINGS, grown, NOW, window_grown=False)
    assert kept.kappa.status == "stale"
    assert kept.kappa.window_grown  # the values are still those of the grown window


def test_value_function_is_the_solution_for_the_published_parameters(tmp_path, good):
    files = ParameterFiles(tmp_path)
    publish(good, SETTINGS.model_copy(update={"quote_age_seconds": 0.0}), files, NOW)
    plus, minus = good.fill_curve.plus, good.fill_curve.minus
    fill = good.fill_impact.epsilon_fill
    expected = solve(
        ModelParameters(
            lambda_plus=plus.lambda0.value,
            lambda_minus=minus.lambda0.value,
            kappa_plus=plus.kappa.value,
            kappa_minus=minus.kappa.value,
            epsilon_plus=fill.plus.value,
            epsilon_minus=fill.minus.value,
            phi=0.001,
            q_min=-2,
            q_max=2,
        )
    )
    found = entries(files)["value_function.json"]
    assert found["q"] == [-2, -1, 0, 1, 2]
    assert found["ask_depth"][0] is None
    assert found["bid_depth"][-1] is None
    assert found["ask_depth"][1:] == pytest.approx(expected.ask_depth[1:])
    assert found["bid_depth"][:-1] == pytest.approx(expected.bid_depth[:-1])


def test_too_little_without_an_earlier_fit_has_status_and_counts_only(tmp_path, thin):
    files = ParameterFiles(tmp_path)
    publish(thin, SETTINGS, files, NOW)
    for entry in entries(files).values():
        assert entry["status"] == "insufficient"
        assert set(entry) == {
            "version",
            "status",
            "calibration_id",
            "published_at",
            "window_seconds",
            "observed_seconds",
            *("n+", "n-", "n1+", "n1-"),
        }


def test_last_good_fit_stays_as_stale_with_its_own_age(tmp_path, good, thin):
    files = ParameterFiles(tmp_path)
    publish(good, SETTINGS, files, NOW)
    before = entries(files)
    for later in (15, 30):  # stale stays stale, its age its own
        publish(thin, SETTINGS, files, NOW + timedelta(seconds=later))
        after = entries(files)
        assert (
            after.pop("fair_price.json")["status"] == "insufficient"
        )  # an old one foretells nothing
        for name, entry in after.items():
            assert entry["status"] == "stale"
            assert entry["fitted_at"] == before[name]["fitted_at"]
            assert datetime.fromisoformat(entry["published_at"]) == NOW + timedelta(seconds=later)
            assert entry["n+"] == before[name]["n+"]
        assert after["kappa.json"]["kappa+"] == before["kappa.json"]["kappa+"]
        assert after["value_function.json"]["h"] == before["value_function.json"]["h"]
        assert len({entry["calibration_id"] for entry in after.values()}) == 1


def test_a_silent_channel_is_told_in_every_entry(tmp_path, good, thin):
    """Values from before the silence, or the last good ones: both rest on older data."""
    files = ParameterFiles(tmp_path)
    sound_ms = good.end_ms - 60_000
    silent = replace(good, silent=("bbo", "trades"), sound_ms=sound_ms, quiet={"trades": 60.0})
    publish(silent, SETTINGS, files, NOW)
    for entry in entries(files).values():
        assert (entry["status"], entry["silent"]) == ("stale", "bbo, trades")
        fitted_at = datetime.fromisoformat(entry["fitted_at"])
        assert fitted_at == datetime.fromtimestamp(sound_ms / 1000, UTC)
    assert entries(files)["kappa.json"]["not_heard"] == "trades 60 s"
    assert entries(files)["kappa.json"]["kappa+"] == good.fill_curve.plus.kappa.value
    publish(replace(thin, silent=("trades",)), SETTINGS, files, NOW + timedelta(seconds=15))
    kept = entries(files)
    assert {entry["silent"] for entry in kept.values()} == {"trades"}
    assert kept["kappa.json"]["kappa+"] == good.fill_curve.plus.kappa.value
    publish(good, SETTINGS, files, NOW + timedelta(seconds=30))  # it speaks again
    assert not any("silent" in entry for entry in entries(files).values())
    assert entries(files)["lambda.json"]["status"] == "ok"
    silences = [
        row["kappa_silent"]
        for row in CalibrationHistory(tmp_path / "calibration_history").read("SIM").to_pylist()
    ]
    assert silences == ["bbo, trades", "trades", None]


def test_a_curve_that_fails_its_own_test_is_published_as_a_misfit(tmp_path, simulated):
    """Orders of a block merged into one: the reach is no longer geometric."""
    recording = simulated.simulate(simulated.Market(rate=5.0), seed=3)
    publish(calibrate(recording, window_minutes=30), SETTINGS, ParameterFiles(tmp_path), NOW)
    found = entries(ParameterFiles(tmp_path))
    kappa = found["kappa.json"]
    assert kappa["status"] == "misfit"
    for sign in "+-":
        failed = kappa[f"ks{sign}"] > kappa[f"ks_critical{sign}"]
        assert kappa[f"kappa{sign}_status"] == ("misfit" if failed else "ok")
        assert found["lambda.json"][f"lambda0{sign}_status"] == kappa[f"kappa{sign}_status"]
        assert found["lambda.json"][f"lambda{sign}_status"] == "ok"
    assert found["value_function.json"]["ask_depth"]  # it is quoted all the same


def test_one_parameter_may_be_stale_while_the_others_are_fresh(good):
    earlier = parameter_set(good, SETTINGS, None, NOW)
    newer = replace(
        good,
        end_ms=good.end_ms + 15_000,
        impact=replace(
            good.impact, epsilon=good.impact.epsilon.map(lambda e: e.rejected("too few"))
        ),
    )
    found = parameter_set(newer, SETTINGS, earlier, NOW + timedelta(seconds=15))
    assert (found.kappa.status, found.epsilon.status) == ("ok", "stale")
    assert found.epsilon.fitted_at == earlier.epsilon.fitted_at
    assert found.value_functions[0].status == "stale"
    assert found.value_functions[0].fitted_at == earlier.epsilon.fitted_at
    assert {entry.calibration_id for entry in found.entries} == {found.calibration_id}


def test_nothing_unusable_reaches_a_file(tmp_path, good):
    """Goodness of fit without a value is left out of the files."""
    curve = good.fill_curve.map(lambda f: replace(f, ks=np.nan, r2=-np.inf))
    files = ParameterFiles(tmp_path)
    publish(replace(good, fill_curve=curve), SETTINGS, files, NOW)
    text = "".join((tmp_path / name).read_text() for name in ParameterFiles.names)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert "ks+" not in entries(files)["kappa.json"]


def test_unsolvable_choice_of_epsilon_leaves_the_parameters_published(good, caplog):
    pareto = good.pareto.map(lambda f: replace(f, mean=f.mean.rejected("no mean")))
    settings = SETTINGS.model_copy(update={"epsilon_source": "pareto"})
    found = parameter_set(replace(good, pareto=pareto), settings, None, NOW)
    assert found.kappa.status == "ok"
    assert found.value_functions[0].status == "insufficient"
    assert "pareto_mean+" in caplog.text


def test_the_measured_age_of_fills_sets_the_age_that_depths_count(good):
    """It follows from the mean age at the fill, with the fitted kappa and sigma."""
    ages, costs = [], []
    for filled in (None, (0.1, 1000), (3.0, 1000)):
        found = parameter_set(good, SETTINGS, None, NOW, filled_age=filled).value_functions[0]
        ages.append(found.quote_age_seconds)
        costs.append(found.age_cost_plus)
    expected, young, old = ages
    assert expected == SETTINGS.oldest_quote_seconds()
    assert 0.1 < young < 0.25 < expected < 3.0 < old < 6.0
    assert costs[1] < costs[0] < costs[2]
