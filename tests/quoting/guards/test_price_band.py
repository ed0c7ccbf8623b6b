"""Price band: the move from some minutes ago, and the venue's own halts."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.quoting.guards.price_band import HALT, PRICE_BAND, PriceBandGuard

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("share", "severity", "widen"),
    [(0.49, None, None), (0.51, "widen", 1.5), (0.79, "widen", 1.5), (0.81, "pause", 1.0)],
)
def test_it_widens_from_half_of_the_band_and_pauses_near_its_edge(sign, share, severity, widen):
    guard = PriceBandGuard(0.1, 300.0, 60.0)
    guard.saw(3000, at(0))
    guard.saw(3000 * (1 + sign * 0.1 * share), at(10))
    found = [(one.guard, one.severity, one.widen) for one in guard.verdicts(at(10))]
    assert found == ([] if severity is None else [(PRICE_BAND, severity, widen)])


def test_widening_ends_below_its_beginning():
    guard = PriceBandGuard(0.1, 300.0, 60.0)
    guard.saw(3000, at(0))
    for second, share, near in ((1, 0.49, 0), (2, 0.51, 1), (3, 0.41, 1), (4, 0.39, 0)):
        guard.saw(3000 * (1 + 0.1 * share), at(second))
        assert len(guard.verdicts(at(second))) == near


def test_a_pause_ends_below_its_beginning():
    guard = PriceBandGuard(0.1, 300.0, 60.0)
    guard.saw(3000, at(0))
    for second, share, severity in (
        (1, 0.79, "widen"), (2, 0.81, "pause"), (3, 0.71, "pause"), (4, 0.69, "widen"),
        (5, 0.79, "widen"),
    ):  # fmt: skip
        guard.saw(3000 * (1 + 0.1 * share), at(second))
        assert [one.severity for one in guard.verdicts(at(second))] == [severity]


def test_the_price_is_compared_with_that_of_five_minutes_ago():
    """A slow fall of 12% in a quarter of an hour never leaves a band of 10% in five minutes."""
    guard = PriceBandGuard(0.1, 300.0, 60.0)
    for second in range(900):
        guard.saw(3000 * (1 - 0.12 * second / 900), at(second))
        assert not guard.verdicts(at(second))
    guard.saw(2640 * 0.93, at(900))
    (verdict,) = guard.verdicts(at(900))
    assert verdict.severity == "pause"
    assert verdict.reason.startswith("price band: -11.0% in 5 minutes")


def test_after_a_halt_nothing_is_opened_for_its_pause():
    guard = PriceBandGuard(None, 300.0, 45.0)
    guard.saw(3000, at(0))
    assert guard.verdicts(at(0)) == []
    guard.halted(at(0))
    assert [one.guard for one in guard.verdicts(at(44))] == [HALT]
    assert guard.verdicts(at(45)) == []
