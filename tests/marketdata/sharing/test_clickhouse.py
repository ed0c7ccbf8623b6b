"""Rows in a real ClickHouse server: each once, caught up from the shards after an outage.

Debian's package ``clickhouse-server`` is enough; ``CLICKHOUSE_SERVER`` names another program.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import compact_coin
from advanced_mm.marketdata.sharing.background import place_of, publishing
from advanced_mm.marketdata.sharing.clickhouse import ClickHouse
from advanced_mm.marketdata.sharing.ledger import SharedLedger
from advanced_mm.marketdata.sharing.locations import LocationError
from advanced_mm.marketdata.sharing.publisher import Publisher

PROGRAM = os.environ.get("CLICKHOUSE_SERVER") or shutil.which(
    "clickhouse-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin"
)
CONFIG = """<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709120</mark_cache_size>
</yandex>"""
USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas>
<users><default><password>secret</password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users></yandex>"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.folder, self.http = folder, free_port()
        text = CONFIG.format(folder=folder, http=self.http, tcp=free_port())
        (folder / "config.xml").write_text(text)
        (folder / "users.xml").write_text(USERS)
        self.url = f"clickhouse://default:secret@127.0.0.1:{self.http}/market"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, f"--config-file={self.folder}/config.xml"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
        )  # fmt: skip
        until(lambda: self.answers())

    def stop(self):
        self.process.kill()
        self.process.wait(30)

    def answers(self):
        try:
            return place_of(self.url).ask("SELECT 1") == "1\n"
        except LocationError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if PROGRAM is None or not Path(PROGRAM).exists():
        pytest.skip("no clickhouse-server: apt-get install clickhouse-server")
    server = Server(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.stop()


@pytest.fixture
def spool(tmp_path):
    return ShardStore(tmp_path / "spool")


def publish(store, url):
    place = place_of(url)
    with SharedLedger(store.data_dir, place.url) as ledger:
        return Publisher(store.data_dir, place, ledger).step(time.time())


def until(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.mark.clickhouse
def test_rows_are_there_once_and_as_they_were(server, spool, made):
    database = place_of(server.url)
    database.ask("DROP DATABASE IF EXISTS market")
    made.record(spool, 0, 10)
    made.record(spool, 8, 12)  # two replayed
    made.record(spool, 0, 3, "xyz:XYZ100")
    made.quotes(spool, 0, 2)
    assert publish(spool, server.url).files == 4
    compact_coin(spool.folder("ETH"), made.START_MS + 10**9)
    assert publish(spool, server.url).files == 1
    count = "SELECT coin, count(), sum(size) FROM market.trades FINAL GROUP BY coin ORDER BY coin"
    assert database.ask(count) == "ETH\t20\t10\nxyz:XYZ100\t3\t1.5\n"
    assert database.ask("SELECT count() FROM market.trades") in {"25\n", "23\n"}
    row = "SELECT * FROM market.trades WHERE coin = 'ETH' AND trade_id = '3' FORMAT JSONEachRow"
    assert '"side":"buy"' in database.ask(row)
    assert f'"hash":"0x{3:064x}"' in database.ask(row)
    prices = "SELECT side, price, size FROM market.prices FINAL ORDER BY exchange_timestamp, side"
    assert database.ask(prices).splitlines() == [
        "ask\tnan\t0", "bid\t3000\t1.5", "ask\t3001.1\t1.5", "bid\t3001\t1.5",
    ]  # fmt: skip


@pytest.mark.clickhouse
def test_an_outage_is_caught_up_from_the_shards(server, spool, made):
    database = place_of(server.url)
    database.ask("DROP DATABASE IF EXISTS market")
    count = "SELECT count() FROM market.trades FINAL"
    made.record(spool, 0, 10)
    with publishing(spool.data_dir, [server.url], every_seconds=0.02) as (publisher,):
        until(lambda: database.ask("EXISTS TABLE market.trades") == "1\n")
        until(lambda: database.ask(count) == "10\n")
        server.stop()
        for first in range(10, 40, 10):
            made.record(spool, first, 10)
        until(lambda: publisher.failures > 0)
        server.start()
        until(lambda: database.ask(count) == "40\n")


@pytest.mark.clickhouse
def test_a_table_of_an_older_version_gets_the_columns_it_lacks(server, spool, made):
    database = place_of(server.url)
    database.ask("DROP DATABASE IF EXISTS market")
    database.ask("CREATE DATABASE market")
    database.ask(
        "CREATE TABLE market.trades (coin String, timestamp Float64, price Float64, size Float64, "
        "side String, trade_id String, exchange_timestamp Int64) ENGINE = ReplacingMergeTree() "
        "PARTITION BY toYYYYMM(toDateTime(toUInt32(timestamp))) "
        "ORDER BY (coin, exchange_timestamp, trade_id)"
    )
    made.record(spool, 0, 3)
    publish(spool, server.url)
    assert database.ask("SELECT uniq(hash) FROM market.trades") == "3\n"


@pytest.mark.clickhouse
def test_refusals_are_one_sentence(server, monkeypatch):
    with pytest.raises(LocationError, match=r"^clickhouse://127.0.0.1:\d+/market refused"):
        place_of(server.url.replace("secret", "wrong")).ask("SELECT 1")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "secret")
    assert place_of(server.url.replace(":secret", "")).ask("SELECT 1") == "1\n"


def test_rows_that_differ_are_not_taken_for_one(tmp_path, monkeypatch):
    """Of rows with equal keys one is kept: the gaps of a disconnection come at one moment."""
    recorder = Recorder(ShardStore(tmp_path), ["ETH"], None)
    recorder.connected(1.0)
    for second in range(1, 20):
        level = [{"px": "100", "sz": "1"}, {"px": "101", "sz": "1"}]
        touch = {"coin": "ETH", "time": 1000 * second, "bbo": level}
        recorder.handle({"channel": "bbo", "data": touch}, float(second))
    recorder.damaged(None, "unreadable")
    recorder.disconnected(20.0, "closed")
    recorder.flush()
    asked = []
    place = ClickHouse("clickhouse://localhost/market")
    monkeypatch.setattr(place, "ask", lambda query, _=b"": asked.append(query) or "")
    (shard,) = tmp_path.glob("ETH/connections/*.parquet")
    place.put("ETH", "connections", shard.name, shard.read_bytes())
    (keys,) = [re.search(r"ORDER BY \((.*)\)", query) for query in asked if "ORDER BY" in query]
    table = pq.read_table(shard)
    columns = [table[name].to_pylist() for name in keys[1].split(", ") if name != "coin"]
    rows = list(zip(*columns, strict=True))
    assert len(set(rows)) == len(rows) == 5


def test_an_address_without_a_server_or_a_database_is_one_sentence():
    with pytest.raises(LocationError, match=r"cannot be reached .*is ClickHouse running"):
        place_of(f"clickhouse://localhost:{free_port()}/market").ask("SELECT 1")
    with pytest.raises(InputError, match="needs a host and a database's name"):
        place_of("clickhouse://localhost:8123")
