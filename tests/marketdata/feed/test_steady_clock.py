"""Local time: it follows the machine's clock forwards and never goes back."""

import logging

import pytest

from advanced_mm.marketdata.feed.steady_clock import SteadyClock


class Machine:
    def __init__(self) -> None:
        self.wall, self.steady = 1000.0, 5.0

    def passes(self, seconds: float, step: float = 0.0) -> None:
        self.wall += seconds + step
        self.steady += seconds

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.steady)


def test_time_goes_on_while_the_machines_clock_is_put_back_and_catches_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock() == 1000.0
    machine.passes(2.0, step=-30.0)
    with caplog.at_level(logging.WARNING):
        times = [clock()]
        for _ in range(10):
            machine.passes(5.0)
            times.append(clock())
    assert times == pytest.approx([1002.0 + 5.0 * i for i in range(11)])
    (said,) = caplog.messages  # once
    assert "put back by 30.0 s: local times stay 30.0 s ahead" in said
    machine.passes(1.0, step=30.0)  # corrected
    assert clock() == pytest.approx(machine.wall)


def test_a_step_forward_is_followed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(1.0, step=100.0)
    assert clock() == machine.wall == 1101.0
    assert "put forward by 100.0 s" in caplog.text


def test_small_corrections_are_silent_and_never_turn_time_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    clock = machine.clock()
    times = []
    for step in (0.01, -0.02, 0.005, -0.3, 0.3, 0.02):
        machine.passes(0.001, step)
        times.append(clock())
    assert times == sorted(times)
    assert times[-1] == pytest.approx(machine.wall)
    assert caplog.messages == []
