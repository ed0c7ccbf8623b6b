"""The comparison of policies: its markets, its settings, its page."""

import pytest

from advanced_mm.errors import InputError
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime
from advanced_mm.policies import KINDS
from benchmarks import policies

BASE = SyntheticParameters()


def test_every_policy_is_replayed_and_the_page_is_written(tmp_path, capsys) -> None:
    page = tmp_path / "policies.html"
    asked = ["--minutes", "1", "--markets", "calm", "--fee-bp", "0", "--html", str(page)]
    assert policies.main([*asked, "--look", "5"]) == 0
    printed = capsys.readouterr().out
    text = page.read_text()
    for kind in KINDS:
        assert kind in printed
        assert f"<h3>{kind}" in text
    assert "calm, fee 0 bp" in text


def test_regimes_repeat_from_their_first_second_on() -> None:
    up, down = (Regime(ms, BASE) for ms in (40_000, 280_000))  # the venue opens after 30 s
    found = [one.from_ms for one in policies.repeated((up, down), 30_000, 1_000_000, BASE)]
    assert found == [10_000, 250_000, 490_000, 500_000, 740_000, 980_000, 990_000, 1_230_000]
    assert list(policies.repeated((), 0, 1_000_000, BASE)) == []


def test_a_market_without_figures_is_no_market_for_the_papers_policies(tmp_path) -> None:
    arena = policies.synthetic_arena("calm", 0.5, tmp_path)
    unknown = policies.Arena("unknown", arena.backtest, None)
    setups = policies.contestants(unknown)
    outcome = policies.compete(unknown, "glft", setups["glft"], 0.0, 5.0, "back")
    assert "kappa" in outcome.why_not
    assert not policies.compete(unknown, "spot", setups["spot"], 0.0, 5.0, "back").why_not
    with pytest.raises(InputError, match="there is no market"):
        policies.main(["--markets"])
