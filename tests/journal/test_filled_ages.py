"""The mean age of filled quotes, from journals that are still written."""

from advanced_mm.journal import Fill, FilledAge, FilledAges, JournalWriter

NOW_MS = 1_796_000_000_000


def fill(number, age, coin="ETH"):
    return Fill(
        time_ms=NOW_MS, coin=coin, bot="bot", fill=str(number), order="1", side="bid",
        price=3000.0, size=1.0, fee=0.4, age_seconds=age,
    )  # fmt: skip


def writer(folder, bot="bot"):
    clock = lambda: NOW_MS  # noqa: E731
    return JournalWriter(folder, bot, None, clock, clock)


def test_each_coin_has_the_mean_of_its_newest_fills(tmp_path):
    ages = FilledAges(tmp_path)
    assert ages.of("ETH") is None
    bots = writer(tmp_path), writer(tmp_path, "short_bot")
    bots[0].record(fill(1, 0.5))
    bots[1].record(fill(2, 1.5))
    bots[0].record(fill(3, 9.0, "kPEPE"))
    bots[0].record(fill(4, None))  # an order of an earlier run: it is not known when it was right
    for bot in bots:
        bot.close()
    assert ages.of("ETH") == FilledAge(1.0, 2)
    assert ages.of("kPEPE") == FilledAge(9.0, 1)
    assert ages.of("BTC") is None
    later = writer(tmp_path)
    for number in range(200):
        later.record(fill(10 + number, 2.0))
    later.close()
    assert ages.of("ETH") == FilledAge(2.0, 200)  # the first are forgotten
    assert FilledAges(tmp_path).of("ETH") == FilledAge(2.0, 200)
