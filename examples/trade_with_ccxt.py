"""Trade on the loopback venue with unmodified ccxt: a post-only bid, a market order, a cancel.

    python examples/trade_with_ccxt.py                                 # starts a venue of its own
    python examples/trade_with_ccxt.py --url http://127.0.0.1:8792     # one that runs already

The key is fresh, the money is not real, and no network is needed. For the real venue leave out the
addresses and read the key from the environment; never write it into a file.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
from eth_account import Account

from advanced_mm.cli import run

ROOT = Path(__file__).resolve().parents[1]
PAIR = "ETH/USDC:USDC"


def main(argv: list[str] | None = None) -> int:
    """Trade once; exit code 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", help="address of a running loopback venue")
    url = parser.parse_args(argv).url
    if url is not None:
        trade(connect(url))
        return 0
    with loopback_venue() as own:
        trade(connect(own))
    return 0


@contextlib.contextmanager
def loopback_venue() -> Iterator[str]:
    """Run a venue with a synthetic ETH market; yield its address."""
    script = [sys.executable, str(ROOT / "scripts" / "paper_exchange.py"), "--port", "0"]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError("a pipe was asked for")
        yield json.loads(process.stdout.readline())["rest"]  # printed once it listens
    finally:
        process.terminate()
        process.communicate(timeout=20)


def connect(url: str) -> Any:
    """Return a ccxt client with a fresh key, pointed at the venue."""
    wallet = Account.create()
    websocket = url.replace("http", "ws", 1) + "/ws"
    return ccxt.hyperliquid(
        {
            "walletAddress": wallet.address,
            "privateKey": wallet.key.hex(),
            "options": {"builderFee": False},
            "urls": {"api": {"public": url, "private": url, "ws": {"public": websocket}}},
        }
    )


def trade(client: Any) -> None:
    """Rest a bid, buy at market, close, cancel; print what the venue says."""
    client.load_markets()
    print(f"play money: {client.fetch_balance()['USDC']['total']:g} USDC")  # opens the account
    best_bid = client.fetch_order_book(PAIR)["bids"][0][0]

    price = float(client.price_to_precision(PAIR, best_bid * 0.995))  # 0.5% below the best bid
    bid = client.create_order(PAIR, "limit", "buy", 0.1, price, {"postOnly": True})
    print(f"resting: buy 0.1 at {price:g}, order {bid['id']}")

    client.create_order(PAIR, "market", "buy", 0.1, best_bid)
    (position,) = client.fetch_positions([PAIR])
    print(f"bought {position['contracts']:g} at {position['entryPrice']:g}")
    client.create_order(PAIR, "market", "sell", 0.1, best_bid, {"reduceOnly": True})

    client.cancel_order(bid["id"], PAIR)
    money = client.fetch_balance()["USDC"]["total"]
    fees = sum(fill["fee"]["cost"] for fill in client.fetch_my_trades(PAIR))
    still_open = len(client.fetch_open_orders(PAIR))
    print(f"closed: {money:.4f} USDC left, {fees:.4f} paid in fees, {still_open} orders open")


if __name__ == "__main__":
    sys.exit(run(main))
