"""The window of a thin coin grows only until the gates are met, and shrinks again."""

from dataclasses import fields, replace

import numpy as np
import pytest

from advanced_mm.calibration import CalibrationOptions, calibrate
from advanced_mm.calibration import adaptive as adaptive_module
from advanced_mm.calibration.adaptive import AdaptiveWindow, needed_growth
from advanced_mm.calibration.rolling import last_minutes

MINUTE_MS = 60_000


class Rows:
    """A recording played back from memory through the interface of `RollingWindow`."""

    def __init__(self, recording, now_ms):
        self.coin, self.recording, self.now_ms = recording.coin, recording, now_ms
        self.minutes, self.keep_minutes, self.bytes_a_minute = 30.0, 0.0, 0

    @property
    def held_bytes(self):
        return int(self.bytes_a_minute * self.minutes)

    def update(self):
        return last_minutes(until(self.recording, self.now_ms), max(self.minutes, 30.0))

    def has_older_rows(self, minutes):
        return self.recording.quotes.time_ms[0] < self.now_ms - minutes * MINUTE_MS


def until(recording, end_ms):
    def cut(records):
        rows = records.time_ms <= end_ms
        return type(records)(*(getattr(records, f.name)[rows] for f in fields(records)))

    return replace(
        recording,
        quotes=cut(recording.quotes),
        trades=cut(recording.trades),
        book_time_ms=recording.book_time_ms[recording.book_time_ms <= end_ms],
    )


@pytest.fixture
def fits(monkeypatch):
    """Minutes of every fit that is made."""
    made = []

    def counted(recording, *, window_minutes, **rest):
        made.append(window_minutes)
        return calibrate(recording, window_minutes=window_minutes, **rest)

    monkeypatch.setattr(adaptive_module, "calibrate", counted)
    return made


@pytest.fixture(scope="module")
def thin(simulated):
    """Six hours at 0.03 orders a second and side: 200 of a side in about two hours."""
    market = simulated.Market(rate=0.033, seconds=6 * 3600, realistic=True, sweep_probability=0.4)
    return simulated.simulate(market, seed=3)


@pytest.fixture(scope="module")
def start_ms(thin):
    return int(thin.quotes.time_ms[0])


def test_a_coin_with_enough_is_fitted_once_on_its_usual_window(simulated, fits):
    recording = simulated.simulate(simulated.Market(seconds=3600), seed=1)
    window = AdaptiveWindow(Rows(recording, recording.newest_ms), 30.0, 360.0)
    for _ in range(20):
        assert window.fit().window_seconds == 1800
    assert fits == [30.0] * 20
    assert window.rolling.keep_minutes == 0.0


def test_a_thin_window_grows_at_once_to_what_the_rates_ask_for_and_is_remembered(
    thin, start_ms, fits
):
    rows = Rows(thin, start_ms + 330 * MINUTE_MS)
    window = AdaptiveWindow(rows, 30.0, 360.0)
    first = window.fit()
    assert needed_growth(first, CalibrationOptions()) <= 1
    assert min(first.n) >= 200
    assert first.window_seconds in (120 * 60, 240 * 60)
    assert len(fits) <= 3
    assert (
        needed_growth(
            calibrate(last_minutes(until(thin, rows.now_ms), 60), window_minutes=60),
            CalibrationOptions(),
        )
        > 1
    )  # half of it would not have done
    fits.clear()
    for _ in range(5):
        assert window.fit().window_seconds == first.window_seconds
    assert len(fits) == 5


def test_a_grown_window_gives_back_what_busier_hours_do_not_need(simulated, fits):
    quiet = simulated.simulate(
        simulated.Market(rate=0.03, seconds=3 * 3600, realistic=True, sweep_probability=0.5), seed=4
    )
    busy = simulated.simulate(simulated.Market(rate=1.0, seconds=3 * 3600), seed=5)
    shift = quiet.newest_ms + 100 - int(busy.quotes.time_ms[0])
    both = joined(quiet, busy, shift)
    end = quiet.newest_ms
    window = AdaptiveWindow(Rows(both, end), 30.0, 360.0)
    assert window.fit().window_seconds > 1800
    fits.clear()
    lengths = []
    for round_ in range(60):
        window.rolling.now_ms = end + round_ * MINUTE_MS
        lengths.append(window.fit().window_seconds / 60)
    assert lengths[-1] == 30
    assert sorted(lengths, reverse=True) == lengths  # it does not flap
    assert len(fits) < 60 * 1.2


def joined(first, second, shift_ms):
    def both(part):
        a, b = getattr(first, part), getattr(second, part)
        b = replace(b, time_ms=b.time_ms + shift_ms)
        if part == "trades":
            b = replace(b, trade_id=b.trade_id + 10_000_000)
        return type(a)(
            *(np.concatenate((getattr(a, f.name), getattr(b, f.name))) for f in fields(a))
        )

    books = np.concatenate((first.book_time_ms, second.book_time_ms + shift_ms))
    return replace(first, quotes=both("quotes"), trades=both("trades"), book_time_ms=books)


def test_a_young_recording_is_not_called_grown(thin, start_ms, fits):
    window = AdaptiveWindow(Rows(thin, start_ms + 20 * MINUTE_MS), 30.0, 360.0)
    assert window.fit().window_seconds == 1800
    assert fits == [30.0]
    assert window.rolling.keep_minutes == 60.0  # what leaves the window may be needed soon


def test_the_longest_window_is_the_limit_and_no_more_is_tried(thin, start_ms, fits):
    window = AdaptiveWindow(Rows(thin, start_ms + 330 * MINUTE_MS), 30.0, 50.0)
    assert [window.fit().window_seconds for _ in range(3)] == [3000.0] * 3
    assert fits == [30.0, 50.0, 50.0, 50.0]
    assert AdaptiveWindow(window.rolling, 30.0, 5.0).fit().window_seconds == 1800


def test_a_hurried_fit_does_not_read_the_past(thin, start_ms, fits):
    window = AdaptiveWindow(Rows(thin, start_ms + 330 * MINUTE_MS), 30.0, 360.0)
    assert window.fit(may_grow=False).window_seconds == 1800
    assert fits == [30.0]
    assert window.fit().window_seconds > 1800


def test_dense_quotes_are_not_read_for_hours(thin, start_ms):
    rows = Rows(thin, start_ms + 330 * MINUTE_MS)
    rows.bytes_a_minute = 50_000
    window = AdaptiveWindow(rows, 30.0, 360.0)
    assert window.fit().window_seconds == 3600  # 3 MB; twice as much would be too many
    rows.bytes_a_minute = 100_000
    window.fit()
    assert rows.keep_minutes == 0.0


def test_the_last_step_to_the_longest_window_need_not_be_a_doubling(simulated):
    """3 MB at six hours are affordable; twice the four hours before would not be."""
    market = simulated.Market(rate=0.015, seconds=7 * 3600, realistic=True, sweep_probability=0.4)
    recording = simulated.simulate(market, seed=3)
    rows = Rows(recording, recording.newest_ms)
    rows.bytes_a_minute = 3_000_000 // 360
    assert AdaptiveWindow(rows, 30.0, 360.0).fit().window_seconds == 360 * 60


def test_a_window_of_five_minutes_can_be_whole(simulated):
    """Its first row comes after its start, so that it never covers 300 s to the last."""
    recording = simulated.simulate(simulated.Market(rate=5.0, seconds=900), seed=2)
    later = recording.quotes.time_ms[::2] + 37
    rare = replace(recording, quotes=replace(_every_second(recording.quotes), time_ms=later))
    rare = replace(rare, book_time_ms=np.empty(0, np.int64))
    fit = calibrate(rare, window_minutes=5)
    assert 299 < fit.observed_seconds < 300
    assert fit.kappa_status == "misfit"  # half of the quotes are missing
    window = AdaptiveWindow(Rows(rare, rare.newest_ms), 5.0, 360.0)
    assert [window.fit().window_seconds for _ in range(12)] == [300.0] * 12


@pytest.mark.parametrize("minutes", [2.0, 4.7])
def test_less_than_five_minutes_are_never_enough(simulated, minutes):
    """Two time blocks are too few to estimate an error, however many orders there are."""
    recording = simulated.simulate(simulated.Market(rate=5.0, seconds=900), seed=2)
    fit = calibrate(recording, window_minutes=minutes)
    assert min(fit.n) > 200
    assert fit.kappa_status == fit.lambda_status == fit.epsilon_status == "insufficient"
    assert "needed" in next(iter(fit.reasons()))


def _every_second(records):
    return type(records)(*(getattr(records, f.name)[::2] for f in fields(records)))


def test_growth_is_told_from_the_scarcest_count(simulated):
    recording = simulated.simulate(simulated.Market(seconds=1800), seed=1)
    fit = calibrate(recording, window_minutes=30)
    scarce = replace(fit, n=type(fit.n)(400, 100), n1=type(fit.n1)(60, 10), observed_seconds=600.0)
    assert needed_growth(scarce, CalibrationOptions()) == 3.0
    assert needed_growth(replace(scarce, n1=type(fit.n1)(60, 0)), CalibrationOptions()) == np.inf
