"""Parameter files: whole or not at all, one refit or none, nothing non-finite."""

import dataclasses
import json
import math
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.parameter_files import (
    KappaEntry,
    MissingParametersError,
    MixedParametersError,
    ParameterFiles,
    UnusableParametersError,
    write_json_atomically,
)


def test_a_set_is_read_back_as_it_was_published(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set()})
    assert files.read("ETH") == make_set()
    raw = json.loads((tmp_path / "kappa.json").read_text())["ETH"]
    assert raw["kappa+"] == 2.6
    assert raw["kappa-_se"] == 0.2
    assert (raw["n+"], raw["n1-"]) == (1150, 135)
    assert raw["published_at"] == "2026-11-23T12:00:15Z"


def test_other_coins_are_left_alone_and_no_temporary_file_stays(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set()})
    files.publish({"WLFI": make_set("r2")})
    assert files.read("ETH").calibration_id == "r1"
    assert files.read("WLFI").calibration_id == "r2"
    assert not list(tmp_path.glob(".*.tmp"))


def test_absent_files_and_coins_are_named(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    with pytest.raises(MissingParametersError, match=r"kappa\.json does not exist"):
        files.read("ETH")
    files.publish({"ETH": make_set()})
    with pytest.raises(MissingParametersError, match="no entry for WLFI"):
        files.read("WLFI")


def test_a_coin_is_found_by_any_spelling_and_a_wrong_one_gets_the_right_one(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    with pytest.raises(MissingParametersError, match="does not exist"):
        files.resolve("kPEPE")
    files.publish({coin: make_set() for coin in ("kPEPE", "xyz:XYZ100")})
    for name in ("kPEPE", "KPEPE", "KPEPE/USDC:USDC"):
        assert files.resolve(name) == "kPEPE"
    assert files.resolve("XYZ-XYZ100/USDC:USDC") == "xyz:XYZ100"
    for find in (files.resolve, files.read):
        with pytest.raises(MissingParametersError, match=r"no entry for PEPE \(did you mean kPEPE"):
            find("PEPE")


@pytest.mark.parametrize("name", ParameterFiles.names[:3])
def test_a_set_of_two_refits_is_refused(tmp_path, make_set, name):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set()})
    content = json.loads((tmp_path / name).read_text())
    content["ETH"]["calibration_id"] = "r0"
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(MixedParametersError, match="r0, r1"):
        files.read("ETH")


def test_a_set_may_have_no_fair_price(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set(), "WLFI": make_set()})
    assert not (tmp_path / "fair_price.json").exists()
    assert files.read("ETH").beta == 0.0
    files.publish({"ETH": make_set("r2", beta=0.3)})
    assert files.read("ETH").beta == 0.3
    assert files.read("WLFI").fair_price is None
    files.publish({"ETH": make_set("r3")})  # an earlier one does not stay behind
    assert files.read("ETH") == make_set("r3")


def test_a_fair_price_of_another_refit_is_refused(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set("r1", beta=0.3)})
    old = (tmp_path / "fair_price.json").read_text()
    files.publish({"ETH": make_set("r2", beta=0.3)})
    (tmp_path / "fair_price.json").write_text(old)
    with pytest.raises(MixedParametersError, match="r1, r2"):
        files.read("ETH")


@pytest.mark.parametrize("beta", [math.nan, math.inf, "much", None])
def test_a_beta_that_is_no_number_is_refused(tmp_path, make_set, beta):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set(beta=0.3)})
    content = json.loads((tmp_path / "fair_price.json").read_text())
    content["ETH"]["beta"] = beta
    (tmp_path / "fair_price.json").write_text(json.dumps(content))
    with pytest.raises(UnusableParametersError, match=r"fair_price\.json: ETH: .*beta"):
        files.read("ETH")


def test_a_fair_price_that_could_not_be_fitted_is_the_mid(make_set):
    unknown = make_set(beta=0.3).fair_price.model_copy(update={"status": "insufficient"})
    assert dataclasses.replace(make_set(), fair_price=unknown).beta == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0, None, "much"])
def test_a_value_no_quote_may_rest_on_is_refused(tmp_path, make_set, value):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set()})
    content = json.loads((tmp_path / "kappa.json").read_text())
    content["ETH"]["kappa+"] = value
    (tmp_path / "kappa.json").write_text(json.dumps(content))
    with pytest.raises(UnusableParametersError, match=r"kappa\.json: ETH: .*kappa\+"):
        files.read("ETH")


def test_a_torn_file_is_refused_and_not_overwritten(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    (tmp_path / "epsilon.json").write_text('{"ETH": {"epsi')
    with pytest.raises(UnusableParametersError, match="not valid JSON"):
        files.publish({"ETH": make_set()})
    assert (tmp_path / "epsilon.json").read_text() == '{"ETH": {"epsi'


def test_an_insufficient_entry_needs_only_status_and_counts(tmp_path, make_set):
    header = make_set().kappa.model_dump(exclude_none=True)
    bare = {k: v for k, v in header.items() if not k.startswith(("kappa", "mid", "tick", "fitted"))}
    entry = KappaEntry(**{**bare, "status": "insufficient"})
    assert "kappa+" not in entry.to_json()
    assert "fitted_at" not in entry.to_json()
    with pytest.raises(ValueError, match="missing though status is ok"):
        KappaEntry(**bare)


@given(st.sampled_from([math.nan, math.inf, -math.inf]))
def test_non_finite_json_is_never_written(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "x.json"
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json_atomically(path, {"a": value})
    assert list(path.parent.iterdir()) == []


def test_a_failed_replacement_leaves_the_old_file_whole(tmp_path, make_set, monkeypatch):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set()})

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        files.publish({"ETH": make_set("r2")})
    monkeypatch.undo()
    assert files.read("ETH").calibration_id == "r1"
    assert not list(tmp_path.glob(".*.tmp"))


def _publish_many(directory, coin, entry, times):
    for _ in range(times):
        ParameterFiles(directory).publish({coin: entry})


def test_two_writers_never_undo_each_other(tmp_path, make_set):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_publish_many, args=(tmp_path, coin, make_set(coin), 20))
        for coin in ("A", "B")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files = ParameterFiles(tmp_path)
    assert {files.read("A").calibration_id, files.read("B").calibration_id} == {"A", "B"}


def test_the_signature_changes_with_each_publication(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    before = files.signature()
    files.publish({"ETH": make_set()})
    first = files.signature()
    files.publish({"ETH": make_set("r2")})
    assert len({before, first, files.signature()}) == 3


HEADER = ("status", "calibration_id", "published_at", "fitted_at", "window_seconds")
HEADER += ("observed_seconds", "n+", "n-", "n1+", "n1-", "mid", "tick")
"""What every entry carries."""


def spoil(path, coin, value):
    content = json.loads(path.read_text())
    content[coin] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("bad", [{"kappa+": math.nan}, 7, None, [], "much", {"kappa+": math.inf}])
def test_one_coins_bad_entry_takes_no_other_coin_down(tmp_path, make_set, bad, caplog):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set(beta=0.3), "WLFI": make_set(beta=0.2)})
    for name in files.names:
        spoil(tmp_path / name, "WLFI", bad)
    assert files.read("ETH") == make_set(beta=0.3)
    with pytest.raises(UnusableParametersError):
        files.read("WLFI")
    files.publish({"ETH": make_set("r2")})
    assert files.read("ETH").calibration_id == "r2"
    cannot_be_written = isinstance(bad, dict)
    assert files.bad_rows.count("kappa.json") == cannot_be_written
    assert ("kappa.json: skipped: WLFI" in caplog.text) == cannot_be_written
    files.publish({"WLFI": make_set("r3")})
    assert files.read("WLFI").calibration_id == "r3"


@given(st.lists(st.sampled_from(["good", math.nan, 7, None, {}, "long"]), min_size=1, max_size=6))
def test_exactly_the_good_solutions_of_a_list_are_read(tmp_path_factory, make_set, plan):
    folder = tmp_path_factory.mktemp("solutions")
    files = ParameterFiles(folder)
    files.publish({"ETH": make_set()})
    header = make_set().kappa.to_json()
    good = {key: header[key] for key in HEADER} | {
        "q": [0, 1], "h": [0.0, 1.0], "ask_depth": [None, 1.0], "bid_depth": [1.0, None],
        "value_rate": 1.0, "configuration": {}, "method": "",
    }  # fmt: skip
    rows = []
    for kind in plan:
        if kind == "good":
            rows.append({**good, "method": f"number {len(rows)}"})
        elif kind == "long":
            rows.append({**good, "q": [*good["q"], 99]})
        elif isinstance(kind, float):
            rows.append({**good, "ask_depth": [kind] * len(good["q"])})
        else:
            rows.append(kind)
    spoil(folder / "value_function.json", "ETH", rows)
    read = files.read("ETH").value_functions
    wanted = [
        row["method"] for row in rows if isinstance(row, dict) and "number" in row.get("method", "")
    ]
    assert [one.method for one in read] == wanted
    assert files.bad_rows.count("value_function.json") == len(plan) - plan.count("good")


def test_parameters_around_a_fair_price_that_nobody_knows_are_refused(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set(beta=0.3)})
    for name in ("kappa.json", "epsilon.json", "lambda.json"):
        content = json.loads((tmp_path / name).read_text())
        content["ETH"]["anchor"] = "fair price"
        (tmp_path / name).write_text(json.dumps(content))
    assert files.read("ETH").around("imbalance").quoted_beta == 0.3
    (tmp_path / "fair_price.json").unlink()
    with pytest.raises(MixedParametersError, match="where that is was not published"):
        files.read("ETH")


@pytest.mark.parametrize(
    ("field", "value"),
    [("kappa+", -2.6), ("kappa+", math.nan), ("calibration_id", "r0"), ("anchor", "mid")],
)
def test_what_was_fitted_around_the_fair_price_must_be_sound_and_of_its_refit(
    tmp_path, make_set, field, value
):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set(beta=0.3)})
    content = json.loads((tmp_path / "fair_price.json").read_text())
    content["ETH"]["kappa"][field] = value
    (tmp_path / "fair_price.json").write_text(json.dumps(content))
    with pytest.raises(UnusableParametersError, match=r"fair_price\.json: ETH: "):
        files.read("ETH")
    del content["ETH"]["kappa"]
    (tmp_path / "fair_price.json").write_text(json.dumps(content))
    with pytest.raises(UnusableParametersError, match="published together or not at all"):
        files.read("ETH")
