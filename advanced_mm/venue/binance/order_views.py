"""Orders, fills and accounts of the spot exchange in Binance's wire format."""

from collections.abc import Mapping
from decimal import Decimal

from advanced_mm.venue.spot.amounts import atoms_text, base_atoms, price_text, quote_atoms
from advanced_mm.venue.spot.desk import Placed
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.market import SpotMarket
from advanced_mm.venue.spot.orders import (
    Execution,
    ExecutionType,
    SpotFill,
    SpotOrder,
    WalletEvent,
)
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["Json", "OrderViews", "decimal_text"]

Json = Mapping[str, object]

PREVENTION = "EXPIRE_MAKER"
NO_LIST = -1
ZERO = atoms_text(0)


def decimal_text(value: Decimal | float) -> str:
    """Write a price or size with eight decimals."""
    return f"{value:.8f}"


class OrderViews:
    """Writes what belongs to accounts.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: SpotExchange) -> None:
        self._exchange = exchange

    def order(self, order: SpotOrder) -> dict[str, object]:
        """Describe an order as a query does."""
        market, core = self._of(order), order.core
        view: dict[str, object] = {
            "symbol": order.symbol,
            "orderId": order.oid,
            "orderListId": NO_LIST,
            "clientOrderId": order.client_id,
            "price": self._price(market, order),
            "origQty": self._size(market, core.request.lots),
            "executedQty": self._size(market, core.filled),
            "origQuoteOrderQty": decimal_text(order.quote_quantity or Decimal(0)),
            "cummulativeQuoteQty": atoms_text(order.spent),
            "status": order.status.value,
            "timeInForce": order.tif.value,
            "type": order.kind.value,
            "side": _side(order),
            "stopPrice": ZERO if order.stop is None else price_text(market.units, order.stop),
            "icebergQty": ZERO,
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": order.working_ms is not None,
            "selfTradePreventionMode": PREVENTION,
        }
        if order.working_ms is not None:
            view["workingTime"] = order.working_ms
        return view

    def placed(self, placed: Placed, answer: str) -> dict[str, object]:
        """Answer a new order; ``answer`` is "ACK", "RESULT" or "FULL"."""
        order, market = placed.order, self._of(placed.order)
        view: dict[str, object] = {
            "symbol": order.symbol,
            "orderId": order.oid,
            "orderListId": NO_LIST,
            "clientOrderId": order.client_id,
            "transactTime": order.created_ms,
        }
        if answer == "ACK":
            return view
        view |= self._outcome(market, order)
        if answer == "FULL":
            view["fills"] = [
                {
                    "price": price_text(market.units, fill.price),
                    "qty": self._size(market, fill.lots),
                    "commission": atoms_text(fill.fee),
                    "commissionAsset": fill.fee_asset,
                    "tradeId": fill.tid,
                }
                for fill in placed.fills
            ]
        return view

    def cancelled(self, order: SpotOrder) -> dict[str, object]:
        """Answer a cancel."""
        return {
            "symbol": order.symbol,
            "origClientOrderId": order.client_id,
            "orderId": order.oid,
            "orderListId": NO_LIST,
            "clientOrderId": order.cancel_id,
            "transactTime": order.updated_ms,
            **self._outcome(self._of(order), order),
        }

    def fill(self, fill: SpotFill) -> dict[str, object]:
        """Describe a fill as ``myTrades`` does."""
        market = self._exchange.markets[fill.symbol]
        return {
            "symbol": fill.symbol,
            "id": fill.tid,
            "orderId": fill.oid,
            "orderListId": NO_LIST,
            "price": price_text(market.units, fill.price),
            "qty": self._size(market, fill.lots),
            "quoteQty": atoms_text(quote_atoms(fill.price, fill.lots)),
            "commission": atoms_text(fill.fee),
            "commissionAsset": fill.fee_asset,
            "time": fill.time_ms,
            "isBuyer": fill.is_buy,
            "isMaker": fill.maker,
            "isBestMatch": True,
        }

    def account(self, account: SpotAccount, *, omit_zero: bool = False) -> dict[str, object]:
        """Describe an account's rights, fees and amounts."""
        rules = self._exchange.rules
        rates = {
            "maker": decimal_text(rules.maker_fee),
            "taker": decimal_text(rules.taker_fee),
            "buyer": ZERO,
            "seller": ZERO,
        }
        return {
            "makerCommission": int(rules.maker_fee * 10_000),
            "takerCommission": int(rules.taker_fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": rates,
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": account.updated_ms,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": atoms_text(one.free), "locked": atoms_text(one.locked)}
                for asset, one in account.wallet.items()
                if not omit_zero or one.free or one.locked
            ],
            "permissions": ["SPOT"],
            "uid": 0,
        }

    def commission(self, symbol: str) -> dict[str, object]:
        """Describe the fees of a market."""
        rules = self._exchange.rules
        none = {"maker": ZERO, "taker": ZERO, "buyer": ZERO, "seller": ZERO}
        rates = {"maker": decimal_text(rules.maker_fee), "taker": decimal_text(rules.taker_fee)}
        return {
            "symbol": symbol,
            "standardCommission": none | rates,
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": ZERO,
            },
        }

    # The user stream

    def execution_report(self, event: Execution) -> dict[str, object]:
        """Write an event of an order."""
        order, fill, market = event.order, event.fill, self._of(event.order)
        core = order.core
        cancelled = event.kind in (ExecutionType.CANCELED, ExecutionType.REPLACED)
        renamed = cancelled and bool(order.cancel_id)
        last = (ZERO, ZERO, ZERO)
        if fill is not None:
            last = (
                self._size(market, fill.lots),
                price_text(market.units, fill.price),
                atoms_text(quote_atoms(fill.price, fill.lots)),
            )
        message: dict[str, object] = {
            "e": "executionReport",
            "E": self._exchange.now_ms,
            "s": order.symbol,
            "c": order.cancel_id if renamed else order.client_id,
            "S": _side(order),
            "o": order.kind.value,
            "f": order.tif.value,
            "q": self._size(market, core.request.lots),
            "p": self._price(market, order),
            "P": ZERO if order.stop is None else price_text(market.units, order.stop),
            "F": ZERO,
            "g": NO_LIST,
            "C": order.client_id if renamed else "",
            "x": event.kind.value,
            "X": order.status.value,
            "r": "NONE",
            "i": order.oid,
            "l": last[0],
            "z": self._size(market, core.filled),
            "L": last[1],
            "n": ZERO if fill is None else atoms_text(fill.fee),
            "N": None if fill is None else fill.fee_asset,
            "T": event.time_ms,
            "t": -1 if fill is None else fill.tid,
            "I": event.number,
            "w": core.resting,
            "m": fill is not None and fill.maker,
            "M": False,
            "O": order.created_ms,
            "Z": atoms_text(order.spent),
            "Y": last[2],
            "Q": decimal_text(order.quote_quantity or Decimal(0)),
            "V": PREVENTION,
        }
        if order.working_ms is not None:
            message["W"] = order.working_ms
        return message

    def account_position(self, event: WalletEvent) -> dict[str, object]:
        """Write what a change has left of the assets it touched."""
        return {
            "e": "outboundAccountPosition",
            "E": self._exchange.now_ms,
            "u": event.time_ms,
            "B": [
                {"a": asset, "f": atoms_text(free), "l": atoms_text(locked)}
                for asset, free, locked in event.amounts
            ],
        }

    # Details

    def _of(self, order: SpotOrder) -> SpotMarket:
        return self._exchange.markets[order.symbol]

    def _outcome(self, market: SpotMarket, order: SpotOrder) -> dict[str, object]:
        view: dict[str, object] = {
            "price": self._price(market, order),
            "origQty": self._size(market, order.core.request.lots),
            "executedQty": self._size(market, order.core.filled),
            "origQuoteOrderQty": decimal_text(order.quote_quantity or Decimal(0)),
            "cummulativeQuoteQty": atoms_text(order.spent),
            "status": order.status.value,
            "timeInForce": order.tif.value,
            "type": order.kind.value,
            "side": _side(order),
            "selfTradePreventionMode": PREVENTION,
        }
        if order.stop is not None:
            view["stopPrice"] = price_text(market.units, order.stop)
        if order.working_ms is not None:
            view["workingTime"] = order.working_ms
        return view

    @staticmethod
    def _price(market: SpotMarket, order: SpotOrder) -> str:
        return price_text(market.units, order.core.request.price) if order.kind.priced else ZERO

    @staticmethod
    def _size(market: SpotMarket, lots: int) -> str:
        return atoms_text(base_atoms(market.units, lots))


def _side(order: SpotOrder) -> str:
    return "BUY" if order.is_buy else "SELL"
