"""Scenario files: those of tests/scenarios run on schedule, and bad ones are refused.

- every file loads, opens, runs 60 s of the market without sockets, twice with the same result;
- regimes, gaps and faults take effect at their times;
- accounts, sub-accounts and rules are what the file says;
- a bad file's message names file, field and value.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.venue.conditions.faults import DroppedReply, HaltedCoin, Latency, Maintenance
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.scenario import load_scenario, open_accounts

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
NOW_MS = 1_790_000_000_000


def opened(name: str, minutes: float = 1.0):
    scenario = load_scenario(SCENARIOS / f"{name}.yaml")
    short = scenario.model_copy(update={"history_minutes": minutes})
    return open_venue(short.recipes(NOW_MS), NOW_MS, short.rules)


def test_the_scenarios_of_the_project_are_there():
    assert set(NAMES) >= {
        "calm", "volatile", "trending", "flash_crash", "toxic_flow", "thin_coin", "several_coins",
        "imbalanced",
        "faulty", "builder_markets",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_runs_and_repeats_itself(name):
    def run():
        venue = opened(name)
        return venue.exchange.advance(NOW_MS + 60_000), venue

    updates, venue = run()
    assert list(updates) == list(venue.exchange.venue.markets)
    for coin, blocks in updates.items():
        times = [block.time_ms for block in blocks]
        assert times == sorted(times)
        assert times[0] > NOW_MS
        assert venue.exchange.venue.markets[coin].mid > 0
    assert run()[0] == updates


def test_the_crash_crashes_at_its_time():
    venue = opened("flash_crash")
    mids = {}
    for second in range(0, 101, 5):
        venue.exchange.advance(NOW_MS + second * 1000)
        mids[second] = venue.exchange.venue.markets["ETH"].mid
    assert abs(mids[40] / mids[0] - 1) < 0.01
    assert mids[55] / mids[50] < 0.98  # the gap of 3%
    assert mids[70] / mids[40] < 0.965
    assert mids[100] > mids[70]


def test_the_trend_turns():
    venue = opened("trending")
    exchange = venue.exchange
    mids = []
    for second in (10, 250, 490):
        exchange.advance(NOW_MS + second * 1000)
        mids.append(exchange.venue.markets["ETH"].mid)
    # 240 s of drift and of lopsided jumps (0.8 orders a second of 0.18 each): 60 + 35 USDC.
    assert mids[1] - mids[0] == pytest.approx(95, abs=4 * 17)
    assert mids[2] - mids[1] == pytest.approx(-95, abs=4 * 17)


def test_toxic_flow_is_toxic():
    (recipe,) = load_scenario(SCENARIOS / "toxic_flow.yaml").recipes(NOW_MS)
    truth = recipe.synthetic.truth()
    limit = Settings().toxicity_limit
    assert truth.kappa_plus * truth.epsilon_plus == pytest.approx(1.2 * limit)
    assert truth.kappa_minus * truth.epsilon_minus == pytest.approx(1.2 * limit)


def test_several_coins_with_accounts_and_rules():
    scenario = load_scenario(SCENARIOS / "several_coins.yaml")
    venue = opened("several_coins", minutes=10)
    markets = venue.exchange.venue.markets
    assert list(markets) == ["ETH", "BTC", "SOL"]
    assert len({recipe.seed for recipe in venue.recipes}) == 3
    levels = [market.mid for market in markets.values()]
    assert levels == pytest.approx([3000, 60_000, 150], rel=0.05)
    for market in markets.values():
        assert len(market.candles.snapshot("1m", 0, NOW_MS)) == 5000
    accounts = venue.exchange.accounts
    open_accounts(scenario.accounts, accounts)
    master = "0x" + "1" * 40
    money = [accounts.get(address).usdc for address in (master, *accounts.subs(master))]
    assert money == [50_000_000_000, 10_000_000_000, 10_000_000_000]
    assert accounts.open("0x" + "2" * 40).usdc == 25_000_000_000
    assert venue.exchange.rules.maker_fee == Decimal("0.0001")


def test_markets_of_every_scale_and_money_at_another_exchange():
    scenario = load_scenario(SCENARIOS / "builder_markets.yaml")
    venue = opened("builder_markets")
    markets = venue.exchange.venue.markets
    prices = {coin: market.mid for coin, market in markets.items()}
    assert prices == pytest.approx(
        {"ETH": 3000, "kPEPE": 0.0065, "xyz:XYZ100": 25_000, "xyz:TSLA": 430, "NEWCOIN": 0.002},
        rel=0.1,
    )
    new = markets["NEWCOIN"].spec
    assert (new.size_decimals, new.max_leverage, new.tick) == (0, 3, 1e-6)
    tesla = markets["xyz:TSLA"].spec
    assert (tesla.margin_mode, tesla.size_decimals) == ("strictIsolated", 3)
    accounts = venue.exchange.accounts
    open_accounts(scenario.accounts, accounts)
    master = accounts.open("0x" + "1" * 40)
    (sub,) = (accounts.open(address) for address in accounts.subs(master.address))
    assert (master.usdc, master.dex_usdc) == (10_000_000_000, {"xyz": 5_000_000_000})
    assert (sub.usdc, sub.dex_usdc, sub.dex_abstraction) == (2_000_000_000, {}, True)
    assert scenario.schedule[0].fault == HaltedCoin(coin="xyz:TSLA", seconds=25)


def test_faults_keep_their_times():
    scenario = load_scenario(SCENARIOS / "faulty.yaml")
    by_time = {one.at_s: one.fault for one in scenario.schedule}
    assert isinstance(by_time[0], Latency)
    assert by_time[60] == DroppedReply(requests=("order",), how="withhold", count=2)
    assert by_time[170] == Maintenance(seconds=20)
    assert by_time[200] == HaltedCoin(coin="ETH", seconds=10)


MARKET = "markets: [{coin: ETH}]\n"
SOMEBODY = "0x" + "a" * 40


def synthetic(fields: str) -> str:
    return f"markets: [{{coin: ETH, synthetic: {{{fields}}}}}]\n"


def gaps(*percents: float) -> str:
    jumps = [f"{{at_seconds: {i + 1}, percent: {one}}}" for i, one in enumerate(percents)]
    return f"markets: [{{coin: ETH, gaps: [{', '.join(jumps)}]}}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("markets: []", r"markets = \[\]: .*at least 1"),
        ("seed: 1", "markets is missing"),
        ("- 1", "must be a mapping"),
        ("markets: [", "is not valid YAML"),
        (MARKET + "seed: -1", "seed = -1: .*greater than or equal to 0"),
        (MARKET + "sed: 1", "sed is not a known field"),
        (MARKET + "seed: 1\nseed: 2", "'seed' is given twice"),
        ("markets: [{coin: ETH}, {coin: ETH}]", "coin ETH has two markets"),
        ("markets: [{coin: ETH-PERP}]", r"markets.0.coin = 'ETH-PERP'"),
        ("markets: [{coin: KPEPE}]", "markets.0: coin 'KPEPE' is called 'kPEPE' at the venue"),
        ("markets: [{coin: NEW}]", "markets.0: .*'NEW', only for BTC.*start_price, size_dec"),
        (
            "markets: [{coin: NEW, synthetic: {start_price: 2, size_decimals: 1}}]",
            "markets.0: .*'NEW'.*max_leverage",
        ),
        (
            "markets: [{coin: NEW, synthetic: "
            "{start_price: -2, size_decimals: 1, max_leverage: 3}}]",
            "markets.0: .*start_price = -2.0 must be a positive number",
        ),
        (
            "markets: [{coin: NEW, synthetic: "
            "{start_price: 0.00002, size_decimals: 0, max_leverage: 3}}]",
            "markets.0: .*start_price = 2e-05 must be at least",
        ),
        (
            MARKET + f"accounts: [{{address: '0x{'a' * 40}', dex_money: {{xyz: 5}}}}]",
            "accounts.0: dex_money: 'xyz' is not a builder-deployed exchange .*it has: none",
        ),
        (
            "markets: [{coin: 'xyz:TSLA'}]\n"
            f"accounts: [{{address: '0x{'a' * 40}', "
            "dex_money: {xyz: 5}, dex_abstraction: true}]",
            "accounts.0.*dex_money cannot be combined with dex_abstraction",
        ),
        ("markets: [{coin: ETH, synthetic: {sigma: fast}}]", "sigma = 'fast'"),
        ("markets: [{coin: ETH, synthetic: {sigma: -1}}]", "sigma = -1.0 must be zero or more"),
        ("markets: [{coin: ETH, synthetic: {tick: 0.001}}]", "tick = 0.001 must be coarse enough"),
        (
            "markets: [{coin: ETH, regimes: [{at_seconds: 1, tick: 1}]}]",
            "markets.0.regimes.0.tick is not a known field",
        ),
        (
            "markets: [{coin: ETH, regimes: [{at_seconds: 1}, {at_seconds: 1, sigma: 2}]}]",
            "two regimes begin at the same time",
        ),
        ("markets: [{coin: ETH, gaps: [{at_seconds: 1, percent: -100}]}]", "percent = -100"),
        ("markets: [{coin: ETH, replay: x, synthetic: {}}]", "replay cannot be combined"),
        ("markets: [{coin: ETH, replay: nowhere}]", "nowhere"),
        (MARKET + "faults: [{at_seconds: 1, kind: rain}]", "faults.0.fault.*'rain'"),
        (MARKET + "faults: [{kind: http_error, status: 404}]", "status = 404"),
        (MARKET + "faults: [{kind: latency}]", "milliseconds is missing"),
        (MARKET + "accounts: [{address: me}]", "accounts.0.address = 'me'"),
        (MARKET + "rules: {maker_fee: 5}", "rules.maker_fee = 5"),
        (MARKET + "limits: {rest: maybe}", "limits.rest = 'maybe'"),
        # Values that crashed the venue, or opened a broken one:
        (
            synthetic("lambda_plus: 1.0e+9"),
            "markets.0: .*lambda_plus = 1000000000.0 .*at most 3333",
        ),
        (synthetic("kappa_minus: 1.0e-9"), "markets.0: .*kappa_minus = 1e-09 must be at least"),
        (synthetic("start_price: 0.00001"), "start_price = 1e-05 must be at least 14.2857"),
        (synthetic("sigma: 1.0e+300"), r"sigma = 1e\+300 must be at most 30000"),
        (
            synthetic("drift: -1.0e+300"),
            r"drift = -1e\+300 must be between -30000 and 30000",
        ),
        (synthetic("jump_minimum: 1.0e+300"), r"jump_minimum = 1e\+300 must be at most 30000"),
        (synthetic("level_size: 1.0e+300"), r"level_size = 1e\+300 must be at most"),
        (synthetic("band: 1.0e-300"), "band = 1e-300 must be at least"),
        (synthetic("block_ms: 1000000000"), "block_ms = 1000000000 must be between 1 and 60000"),
        (synthetic("max_leverage: 1" + "0" * 30), "max_leverage = 10+ must be between 1 and 1000"),
        (synthetic("sigma: null"), "markets.0.synthetic.sigma = None: .*omit the field"),
        (
            "markets: [{coin: ETH, regimes: [{at_seconds: 1, sigma: -1}]}]",
            "markets.0: regimes.0: .*sigma = -1",
        ),
        (
            synthetic("max_leverage: 1") + "rules: {maintenance_share: 1}",
            "markets.0: max_leverage = 1 with rules.maintenance_share = 1 .*raise max_leverage",
        ),
        (gaps(-99.99), "gaps.0.percent = -99.99: .*3000.05 leads to 0.3.*give a smaller gap"),
        (gaps(-95, -95), "gaps.1.percent = -95: .*-95% of 150.* leads to 7.5"),
        (gaps(100, 100), "gaps.1.percent = 100: "),
        (
            MARKET + f"accounts: [{{address: '{SOMEBODY}'}}, {{address: '{'0x' + 'A' * 40}'}}]",
            "account 0xa{40} is listed twice: remove one",
        ),
        (MARKET + f"accounts: [{{address: '{SOMEBODY}', play_money: 1.0e+20}}]", "play_money = 1e"),
        (
            MARKET + "rules: {play_money: 1.0e+20}",
            "rules.play_money is .*must not exceed 1000000000000",
        ),
        (MARKET + "faults: [{kind: halt, coin: BTC}]", "faults.0.coin = 'BTC' .*give one of ETH"),
        (MARKET + "? [a]\n: 1", r"\['a'\] is not a field name"),
        (MARKET + "3: 1", "3 is not a field name"),
        (MARKET + "about: 2001-99-99", "a value that cannot be read .*month"),
        (MARKET + "seed: 1" + "0" * 5000, "a value that cannot be read"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_bad_files_are_explained(tmp_path, text, message):
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_scenario(tmp_path / "missing.yaml")
