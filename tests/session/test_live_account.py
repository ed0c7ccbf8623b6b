"""A live paper session can only reach this machine, and its key is never written to a file."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from advanced_mm.errors import InputError, VenueError
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.config import load_config
from advanced_mm.session.bots import SessionBot, bot_plans
from advanced_mm.session.budget_log import BudgetLog
from advanced_mm.session.live_account import LiveAccount, require_loopback
from advanced_mm.session.session import SessionOptions

ROOT = Path(__file__).parents[2]
ADDRESSES = {"rest": "http://127.0.0.1:8792", "ws": "ws://127.0.0.1:8792/ws"}
REAL = "https://api.hyperliquid.xyz"


@pytest.fixture
def account():
    made = Account.create()
    subs = {"long_bot": "0x" + "1" * 40, "short_bot": "0x" + "2" * 40}
    return LiveAccount(made.address.lower(), subs, made.key.to_0x_hex())


def bot(tmp_path, account, number=0, both=False, root=ROOT):
    plan = bot_plans(both)[number]
    return SessionBot(plan, root, tmp_path, not both, account)


def project(tmp_path, **exchange) -> Path:
    """A copy of the configuration as a user may have changed it."""
    root = tmp_path / "project"
    (root / "user_data").mkdir(parents=True)
    for name in ("config.json", "config.live.json"):
        (root / "user_data" / name).write_text((ROOT / "user_data" / name).read_text())
    (root / "user_data" / "mine.json").write_text(json.dumps({"exchange": exchange}))
    config = (root / "user_data" / "config.json").read_text()
    named = config.replace('"bot_name"', '"add_config_files": ["mine.json"], "bot_name"')
    assert named != config
    (root / "user_data" / "config.json").write_text(named)
    return root


def test_the_overlay_of_a_live_bot_leads_to_this_machine_and_has_no_key(tmp_path, account):
    one = bot(tmp_path, account)
    one.write_overlay(ADDRESSES, "ETH", {})
    text = one.overlay.read_text()
    overlay = json.loads(text)
    assert overlay["dry_run"] is False
    assert account._key not in text
    assert account._key[2:] not in text
    assert account._key not in repr(account)
    assert "--dry-run" not in one.command
    assert one.environment["FREQTRADE__EXCHANGE__PRIVATE_KEY"] == account._key


def test_a_dry_bot_stays_dry(tmp_path):
    one = bot(tmp_path, None)
    one.write_overlay(ADDRESSES, "ETH", {})
    assert json.loads(one.overlay.read_text())["dry_run"] is True
    assert "--dry-run" in one.command
    assert one.environment is None


def test_two_bots_have_their_own_sub_account_folder_and_inventories(tmp_path, account):
    bots = [bot(tmp_path, account, number, both=True) for number in range(2)]
    for one in bots:
        one.write_overlay(ADDRESSES, "ETH", {})
    overlays = [json.loads(one.overlay.read_text()) for one in bots]
    options = [one["exchange"]["ccxt_config"]["options"] for one in overlays]
    assert [one["subAccountAddress"] for one in options] == ["0x" + "1" * 40, "0x" + "2" * 40]
    settings = [Settings.from_config(load_config(one.configs)) for one in bots]
    assert [(s.mode, s.leg, s.sells_first) for s in settings] == [
        ("two_legs", "long", False),
        ("two_legs", "short", True),
    ]
    assert len({one["db_url"] for one in overlays}) == 2
    assert {one["market_making"]["parameter_dir"] for one in overlays} == {str(tmp_path)}


@pytest.mark.parametrize(
    ("rest", "ws"),
    [
        (REAL, ADDRESSES["ws"]),
        (ADDRESSES["rest"], "wss://api.hyperliquid.xyz/ws"),
        ("http://127.0.0.1.evil.example:8792", ADDRESSES["ws"]),
        ("http://localhost:8792", ADDRESSES["ws"]),  # a host name could resolve to anything
        ("http://127.0.0.1@api.hyperliquid.xyz", ADDRESSES["ws"]),
        ("", ADDRESSES["ws"]),
    ],
)
def test_an_address_elsewhere_is_refused_before_anything_is_live(tmp_path, account, rest, ws):
    one = bot(tmp_path, account)
    with pytest.raises(VenueError, match="not on this machine"):
        one.write_overlay({"rest": rest, "ws": ws}, "ETH", {})
    assert json.loads(one.overlay.read_text())["dry_run"] is True


@pytest.mark.parametrize(
    ("exchange", "complaint"),
    [
        ({"ccxt_sync_config": {"urls": {"api": {"private": REAL}}}}, "ccxt_sync_config"),
        ({"ccxt_async_config": {"sandbox": True}}, "testnet"),
        ({"ccxt_async_config": {"options": {"sandboxMode": True}}}, "testnet"),
        ({"ccxt_config": {"urls": {"api": {"extra": REAL}}}}, "not on this machine"),
    ],
)
def test_what_the_user_has_configured_is_looked_at_too(tmp_path, account, exchange, complaint):
    one = bot(tmp_path, account, root=project(tmp_path, **exchange))
    with pytest.raises(VenueError, match=complaint):
        one.write_overlay(ADDRESSES, "ETH", {})
    assert json.loads(one.overlay.read_text())["dry_run"] is True


def test_another_exchange_or_missing_addresses_are_refused(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"exchange": {"name": "binance"}}))
    with pytest.raises(VenueError, match="binance"):
        require_loopback([config], {})
    config.write_text(json.dumps({"exchange": {"name": "hyperliquid"}}))
    with pytest.raises(VenueError, match=r"api\.public is missing"):
        require_loopback([config], {})


def test_the_users_environment_cannot_lead_the_bot_elsewhere(account):
    base = {
        "PATH": "/bin",
        "FREQTRADE__EXCHANGE__CCXT_CONFIG__SANDBOX": "true",
        "FREQTRADE__EXCHANGE__PRIVATE_KEY": "0xreal",
        "FREQTRADE__DRY_RUN": "true",
        "FREQTRADE__MARKET_MAKING__PHI": "1",
    }
    environment = account.environment(base)
    assert environment == {
        "PATH": "/bin",
        "FREQTRADE__MARKET_MAKING__PHI": "1",
        "FREQTRADE__EXCHANGE__WALLET_ADDRESS": account.address,
        "FREQTRADE__EXCHANGE__PRIVATE_KEY": account._key,
    }


def test_the_budget_is_counted_from_the_second_minute_on():
    now = [0.0]
    log = BudgetLog(lambda: now[0])

    def note(weight, used):
        log.note(
            {
                "limits": {"rest": {"127.0.0.1": {"weight": weight, "refused": 1}}},
                "accounts": {"0x1": {"requests_used": used}, "0x2": {"requests_used": 0}},
            }
        )

    note(500, 0)
    note(900, 10)
    assert log.summary()["actions_a_minute"] is None
    for minute, weight, used in ((1, 400, 40), (2, 300, 55), (3, 200, 70)):
        now[0] = 60.0 * minute
        note(weight, used)
    log.note(None)
    assert log.summary() == {
        "rest_weight_a_minute": 300,
        "most_rest_weight_a_minute": 400,
        "rest_requests_refused": 1,
        "actions_a_minute": 15.0,
    }


def test_a_scenario_without_the_coin_is_refused_before_anything_starts(tmp_path):
    calm = ROOT / "tests" / "scenarios" / "calm.yaml"
    assert SessionOptions(ROOT, tmp_path, "ETH", scenario=calm).scenario == calm
    with pytest.raises(InputError, match=r"calm\.yaml has no market for BTC: name one of ETH"):
        SessionOptions(ROOT, tmp_path, "BTC", scenario=calm)
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        SessionOptions(ROOT, tmp_path, scenario=tmp_path / "nowhere.yaml")
