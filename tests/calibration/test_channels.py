"""A channel that is cut off while others are active shortens the window; the rates stay right.

Tested for every channel, at the end, in the middle and at the start of half an hour; detected by
its own rate alone, as in recordings without a connection log, and from the recorder's log; with the
newest data in doubt.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.calibration.calibrate import CalibrationOptions, calibrate
from advanced_mm.calibration.toxicity import economics
from advanced_mm.calibration.windows.channels import channel_holes, quiet_seconds, silent_channels
from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.calibration.windows.window import Window, WindowOptions
from advanced_mm.marketdata.records import Silence, Trades

HOUR_OLD = -3_600_000


@pytest.fixture(scope="module")
def half_hours(simulated):
    """A plain market, a bursty one whose orders come one a second and side, and a slow one."""
    return {
        "plain": (simulated.Market(with_hash=True), 3),
        "bursts": (simulated.Market(realistic=True, with_hash=True), 4),
        "slow": (simulated.Market(rate=0.1, with_hash=True), 5),
    }


@pytest.fixture(scope="module")
def recorded_half_hour(simulated, half_hours):
    known = {}

    def get(name):
        if name not in known:
            market, seed = half_hours[name]
            known[name] = simulated.simulate(market, seed), market
        return known[name]

    return get


def cut(recording, channel, start_s, end_s):
    """Lose a channel's messages between two times, in seconds from the first quote."""
    first_ms = int(recording.quotes.time_ms[0])
    low, high = first_ms + 1000 * start_s, first_ms + 1000 * end_s

    def kept(time_ms):
        return np.flatnonzero((time_ms < low) | (time_ms > high))

    quotes, trades, books = recording.quotes, recording.trades, recording.book_time_ms
    if channel == "bbo":
        return replace(recording, quotes=quotes.rows(kept(quotes.time_ms)))
    if channel == "l2Book":
        return replace(recording, book_time_ms=books[kept(books)])
    rows = kept(trades.time_ms)
    return replace(recording, trades=Trades(*(column[rows] for column in vars(trades).values())))


def fit(recording, **options):
    return calibrate(recording, window_minutes=30, **options)


def assert_true_rates(calibration, market):
    for arrivals in calibration.arrivals:
        assert arrivals.rate.low < market.printed_rate < arrivals.rate.high


@pytest.mark.parametrize("minutes", [5, 10, 15, 20])
@pytest.mark.parametrize("channel", ["trades", "bbo", "l2Book"])
@pytest.mark.parametrize("name", ["plain", "bursts"])
def test_a_channel_cut_off_for_the_last_minutes(recorded_half_hour, name, channel, minutes):
    """Counting the time as observed, trades cut off for the last 20 minutes made a third of it."""
    recording, market = recorded_half_hour(name)
    whole = fit(recording)
    assert (whole.silent, whole.quiet, whole.sound_ms) == ((), {}, whole.end_ms)
    assert_true_rates(whole, market)
    lost = fit(cut(recording, channel, 1800 - 60 * minutes, 1801))
    assert lost.observed_seconds == pytest.approx(1800 - 60 * minutes, abs=6)
    assert lost.window_seconds == 1800
    assert lost.silent == (channel,)
    assert lost.quiet == {channel: pytest.approx(60 * minutes, abs=6)}
    assert (lost.end_ms - lost.sound_ms) / 1000 == pytest.approx(60 * minutes, abs=6)
    assert {lost.kappa_status, lost.lambda_status, lost.epsilon_status} == {"stale"}
    assert next(iter(lost.reasons())).startswith(
        f"silent while other channels were active: {channel} "
    )
    assert_true_rates(lost, market)
    counted = CalibrationOptions(window=WindowOptions(silence_probability=0.0))
    if channel == "trades":
        naive = fit(cut(recording, channel, 1800 - 60 * minutes, 1801), options=counted)
        for true, low in zip(whole.arrivals, naive.arrivals, strict=True):
            assert low.rate.value < true.rate.value * (1.1 - minutes / 30)


@pytest.mark.parametrize("span", [(0, 300), (700, 1000), (900, 930)])
@pytest.mark.parametrize("channel", ["trades", "bbo", "l2Book"])
def test_a_hole_at_the_beginning_or_in_the_middle_is_healed(recorded_half_hour, channel, span):
    """The window is shortened and says so; nothing is in doubt any more."""
    recording, market = recorded_half_hour("plain")
    lost = fit(cut(recording, channel, *span))
    length = span[1] - span[0]
    assert lost.observed_seconds == pytest.approx(1800 - length, abs=5)
    assert lost.quiet == {channel: pytest.approx(length, abs=5)}
    assert (lost.silent, lost.sound_ms) == ((), lost.end_ms)
    assert lost.status in ("ok", "pooled", "bound", "misfit")
    assert_true_rates(lost, market)


def test_every_rate_is_that_of_the_time_that_was_heard(recorded_half_hour):
    """What divides by time: against the same recording with that time cut out of all channels."""
    recording, _ = recorded_half_hour("plain")
    deaf = cut(recording, "trades", 1200, 1500)
    everything = cut(cut(deaf, "bbo", 1200, 1500), "l2Book", 1200, 1500)
    found, told = fit(deaf), fit(everything)
    pairs = [
        (found.volatility, told.volatility),
        *((a.rate, b.rate) for a, b in zip(found.arrivals, told.arrivals, strict=True)),
        *((a.lambda0, b.lambda0) for a, b in zip(found.fill_curve, told.fill_curve, strict=True)),
        *((a.kappa, b.kappa) for a, b in zip(found.fill_curve, told.fill_curve, strict=True)),
        *zip(found.impact.epsilon, told.impact.epsilon, strict=True),
        *zip(found.fill_impact.epsilon_fill, told.fill_impact.epsilon_fill, strict=True),
    ]
    worths = (economics(one, fee_rate=0.0).income_per_hour for one in (found, told))
    for a, b in [*pairs, tuple(worths)]:
        assert a.value == pytest.approx(b.value, rel=0.02)


def test_two_channels_at_once(recorded_half_hour):
    recording, market = recorded_half_hour("plain")
    lost = fit(cut(cut(recording, "trades", 1500, 1801), "bbo", 1500, 1801))
    assert lost.silent == ("bbo", "trades")
    assert lost.observed_seconds == pytest.approx(1500, abs=6)
    assert_true_rates(lost, market)


def test_quotes_and_books_both_lost_while_trades_go_on(recorded_half_hour):
    """Nothing beats any more, but the coin is not quiet: its newest data are in doubt."""
    recording, market = recorded_half_hour("plain")
    lost = fit(cut(cut(recording, "bbo", 1500, 1801), "l2Book", 1500, 1801))
    assert lost.silent == ("bbo", "l2Book")
    assert lost.status == "stale"
    assert lost.sound_ms == pytest.approx(lost.end_ms - 300_000, abs=6000)
    assert lost.observed_seconds == pytest.approx(1500, abs=6)
    assert lost.quiet == {"bbo": pytest.approx(300, abs=6), "l2Book": pytest.approx(300, abs=6)}
    assert_true_rates(lost, market)
    late = fit(cut(cut(recording, "bbo", 1790, 1801), "l2Book", 1790, 1801))
    assert late.silent == ()


def test_a_slow_channel_is_judged_by_its_own_rate(recorded_half_hour):
    """Some ten orders a minute: a minute and a half of silence is chance, ten minutes are not."""
    recording, market = recorded_half_hour("slow")
    assert fit(cut(recording, "trades", 1740, 1801)).quiet == {}
    lost = fit(cut(recording, "trades", 1200, 1801))
    assert lost.silent == ("trades",)
    assert_true_rates(lost, market)


@pytest.mark.parametrize("seed", range(8))
def test_no_false_alarm_in_bursty_markets(simulated, seed):
    recording = simulated.simulate(simulated.Market(realistic=True, with_hash=True), seed)
    assert fit(recording).quiet == {}


def test_what_the_recorder_noted_counts_however_short(recorded_half_hour):
    """Six seconds are chance by the rate alone; the recorder knows better."""
    recording, _ = recorded_half_hour("plain")
    short = cut(recording, "trades", 1000, 1006)
    assert fit(short).quiet == {}
    last = int(
        short.trades.time_ms[
            np.searchsorted(short.trades.time_ms, short.quotes.time_ms[0] + 1_000_000) - 1
        ]
    )
    noted = replace(short, silences=(Silence("trades", last, last + 7000),))
    assert fit(noted).quiet == {"trades": pytest.approx(6.5, abs=1.0)}


def test_a_channel_that_is_written_last_is_not_silent(recorded_half_hour):
    """A recorder flushes every five seconds, one kind of rows after the other."""
    recording, _ = recorded_half_hour("plain")
    assert fit(cut(recording, "l2Book", 1794, 1801)).silent == ()
    assert fit(cut(recording, "l2Book", 1785, 1801)).silent == ("l2Book",)


def test_a_coin_of_which_nothing_comes_is_in_doubt(recorded_half_hour):
    """All its channels are silent while another coin's are active: its rows just end."""
    recording, market = recorded_half_hour("plain")
    silences = tuple(
        Silence(channel, int(time_ms[-1]), None)
        for channel, time_ms in (
            ("bbo", recording.quotes.time_ms),
            ("trades", recording.trades.time_ms),
            ("l2Book", recording.book_time_ms),
        )
    )
    lost = fit(replace(recording, silences=silences))
    assert lost.silent == ("bbo", "l2Book", "trades")
    assert lost.status == "stale"
    assert lost.observed_seconds == pytest.approx(1800, abs=6)
    assert_true_rates(lost, market)


def test_silences_that_are_over_or_yet_to_come_do_not_count(recorded_half_hour):
    recording, _ = recorded_half_hour("plain")
    first, newest = int(recording.quotes.time_ms[0]), recording.newest_ms
    noted = replace(
        recording,
        silences=(
            Silence("trades", first + HOUR_OLD, first + HOUR_OLD + 60_000),
            Silence("bbo", first + HOUR_OLD, None),  # begun by a recorder that was killed in it
            Silence("l2Book", newest - 60_000, newest - 59_000),
        ),
    )
    earlier = calibrate(noted, window_minutes=20, end_ms=newest - 300_000)
    assert (earlier.silent, earlier.quiet) == ((), {})


def test_a_recording_without_a_channel_is_not_judged_by_it(recorded_half_hour):
    recording, _ = recorded_half_hour("plain")
    bookless = replace(recording, book_time_ms=np.empty(0, np.int64))
    assert fit(bookless).quiet == {}
    lost = fit(cut(bookless, "trades", 1200, 1801))
    assert lost.silent == ("trades",)


def test_no_quote_of_a_hole_is_used(recorded_half_hour):
    recording, _ = recorded_half_hour("plain")
    window = Window.of(cut(recording, "trades", 0, 600))
    (hole,) = window.holes
    assert window.path.time_ms[0] >= hole.end_ms
    assert window.stretches.start_ms[0] == hole.end_ms


@pytest.mark.recorded
@pytest.mark.parametrize("coin", ["ETH", "WLFI"])
def test_no_channel_of_the_recordings_is_called_silent(recorded, coin):
    assert Window.of(recorded(coin)).holes == ()


@pytest.mark.recorded
@pytest.mark.parametrize("minutes", [2, 4])
@pytest.mark.parametrize("channel", ["trades", "bbo", "l2Book"])
def test_an_old_recording_with_a_hole(recorded, channel, minutes):
    """The real one, without any connection log; its last covered stretch is four minutes long."""
    recording = recorded("ETH")
    span = (recording.newest_ms - recording.quotes.time_ms[0]) / 1000
    whole, lost = (
        calibrate(one, window_minutes=60)
        for one in (recording, cut(recording, channel, span - 60 * minutes, span + 1))
    )
    assert lost.silent == (channel,)
    assert lost.observed_seconds == pytest.approx(whole.observed_seconds - 60 * minutes, abs=6)
    for before, after in zip(whole.arrivals, lost.arrivals, strict=True):
        assert after.rate.low < before.rate.value < after.rate.high


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=6)


@given(spans, spans)
def test_what_is_left_without_holes_agrees_with_counting_milliseconds(covered, holes):
    ends, apart = -2, []
    for low, high in sorted(covered):
        if low > ends + 1:
            apart.append((low, high))
            ends = high
    stretches = Stretches(*np.array(apart, dtype=np.int64).reshape(-1, 2).T)
    left = stretches.without(*np.array(holes, dtype=np.int64).reshape(-1, 2).T)
    halves = {2 * ms + 1 for low, high in apart for ms in range(low, high)}
    halves -= {2 * ms + 1 for low, high in holes for ms in range(low, high)}
    found = [
        2 * ms + 1
        for low, high in zip(left.start_ms, left.end_ms, strict=True)
        for ms in range(low, high)
    ]
    assert sorted(found) == sorted(halves)
    assert (left.start_ms[1:] >= left.end_ms[:-1]).all()
    for ms in range(-1, 62):
        if apart:
            before = sum(
                2 * ms > half
                for half in (2 * m + 1 for low, high in apart for m in range(low, high))
            )
            assert stretches.covered_ms(np.array([ms]))[0] == before


def test_channels_are_judged_in_the_time_that_was_heard():
    """A hole of the whole socket lengthens no silence."""
    stretches = Stretches(np.array([0, 500_000]), np.array([100_000, 600_000]))
    beats = np.concatenate((np.arange(0, 100_000, 500), np.arange(500_500, 600_000, 500)))
    options = {"least_ms": 3000, "late_ms": 0, "probability": 1e-6}
    assert channel_holes({"trades": beats}, stretches, [], **options) == []
    late = beats[(beats < 95_000) | (beats > 505_000)]
    (hole,) = channel_holes({"trades": late}, stretches, [], **options)
    assert (hole.start_ms, hole.end_ms, hole.open) == (94_500, 505_500, False)
    assert quiet_seconds([hole], stretches) == {"trades": 11.0}
    assert silent_channels([hole]) == ()
