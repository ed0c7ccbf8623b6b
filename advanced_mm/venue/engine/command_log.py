"""An exchange that logs its commands, so that its state can be rebuilt by replaying them.

The same recipe always produces the same market, and the same commands at the same times always
have the same results. Recipe, rules and journal therefore hold the whole state, including queue
positions.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from advanced_mm.markets.market import MarketSource
from advanced_mm.venue.engine.accounts import Account
from advanced_mm.venue.engine.exchange import Exchange, Grouping
from advanced_mm.venue.engine.orders import OrderRequest, Outcome
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import Twap, TwapRequest

__all__ = ["JOURNAL", "Entry", "LoggedExchange"]

Entry = tuple[int, str, list[Any]]
"""Market time (ms), command (a method's name, or ``open`` for an account), arguments."""

JOURNAL = TypeAdapter(list[Entry])

_ARGUMENTS: dict[str, TypeAdapter[Any]] = {
    "open": TypeAdapter(
        tuple[str, int, str | None, str]
        | tuple[str, int, str | None, str, dict[str, int], bool | None]
    ),
    "place": TypeAdapter(tuple[str, list[OrderRequest], Grouping]),
    "cancel": TypeAdapter(tuple[str, list[tuple[str, int]]]),
    "cancel_by_cloid": TypeAdapter(tuple[str, list[tuple[str, str]]]),
    "modify": TypeAdapter(tuple[str, list[tuple[int | str, OrderRequest]]]),
    "update_leverage": TypeAdapter(tuple[str, str, bool, int]),
    "update_isolated_margin": TypeAdapter(tuple[str, str, bool, int]),
    "schedule_cancel": TypeAdapter(tuple[str, int | None]),
    "top_up_isolated_margin": TypeAdapter(tuple[str, str, Decimal]),
    "transfer": TypeAdapter(tuple[str, str, int]),
    "send_asset": TypeAdapter(tuple[str, str, str, str, int]),
    "set_dex_abstraction": TypeAdapter(tuple[str, bool]),
    "send": TypeAdapter(tuple[str, str, int]),
    "change_class": TypeAdapter(tuple[str, int, bool]),
    "withdraw": TypeAdapter(tuple[str, str, int, int]),
    "reserve_requests": TypeAdapter(tuple[str, str, int]),
    "rename": TypeAdapter(tuple[str, str]),
    "place_twap": TypeAdapter(tuple[str, TwapRequest]),
    "cancel_twap": TypeAdapter(tuple[str, str, int]),
    "halt": TypeAdapter(tuple[str, bool]),
    "post_only": TypeAdapter(tuple[bool]),
}


class LoggedExchange(Exchange):
    """An `Exchange` that keeps a journal of its commands."""

    def __init__(self, sources: Sequence[MarketSource], rules: Rules) -> None:
        self._journal: list[tuple[int, str, tuple[Any, ...]]] = []
        self._noted: set[str] = set()
        super().__init__(sources, rules)

    def entries(self) -> list[Entry]:
        """Return the journal as JSON-compatible values."""
        self._note_accounts()
        return [
            (time_ms, name, list(_ARGUMENTS[name].dump_python(arguments, mode="json")))
            for time_ms, name, arguments in self._journal
        ]

    def repeat(self, entries: Sequence[Entry]) -> None:
        """Replay a journal on a venue that has just been opened.

        Raises
        ------
        ValueError
            If an entry is not a known command or goes back in time.
        """
        for time_ms, name, arguments in entries:
            if name not in _ARGUMENTS:
                raise ValueError(f"journal: unknown action {name!r}")
            if time_ms < self.now_ms:
                raise ValueError(
                    f"journal: {name} at {time_ms} is earlier than market time {self.now_ms}"
                )
            self.run(time_ms)
            values = _ARGUMENTS[name].validate_python(arguments)
            if name == "open":
                self._reopen(*values)
            elif name == "post_only":
                (self.post_only,) = values
            else:
                getattr(self, name)(*values)

    def run(self, until_ms: int, step_ms: int = 60_000) -> None:
        """Advance to ``until_ms`` in steps, discarding updates and events."""
        while self.now_ms < until_ms:
            self.advance(min(until_ms, self.now_ms + step_ms))
            self.take_events()

    def _reopen(
        self,
        address: str,
        usdc: int,
        master: str | None,
        name: str,
        dex_usdc: Mapping[str, int] | None = None,
        dex_abstraction: bool | None = None,
    ) -> None:
        account = Account(
            address, self.now_ms, usdc, dict(dex_usdc or {}), dex_abstraction, master, name
        )
        self.accounts.put(account)

    def _note_accounts(self) -> None:
        """Log accounts opened since the last command; they have not traded yet."""
        if len(self.accounts) == len(self._noted):
            return
        for one in self.accounts:
            if one.address not in self._noted:
                self._noted.add(one.address)
                opening: tuple[Any, ...] = (one.address, one.usdc, one.master, one.name)
                if one.dex_usdc or one.dex_abstraction is not None:
                    opening = (*opening, dict(one.dex_usdc), one.dex_abstraction)
                self._journal.append((self.now_ms, "open", opening))

    def _note(self, name: str, *arguments: Any) -> None:
        # A command for an address without an account opens one: log the opening first.
        if isinstance(arguments[0], str) and name not in ("halt",):
            self.accounts.open(arguments[0])
        self._note_accounts()
        self._journal.append((self.now_ms, name, arguments))

    def place(
        self, account: str, requests: Sequence[OrderRequest], grouping: Grouping = "na"
    ) -> list[Outcome]:
        """See `Exchange.place`."""
        self._note("place", account, list(requests), grouping)
        return super().place(account, requests, grouping)

    def cancel(self, account: str, which: Sequence[tuple[str, int]]) -> list[Outcome]:
        """See `Exchange.cancel`."""
        self._note("cancel", account, list(which))
        return super().cancel(account, which)

    def cancel_by_cloid(self, account: str, which: Sequence[tuple[str, str]]) -> list[Outcome]:
        """See `Exchange.cancel_by_cloid`."""
        self._note("cancel_by_cloid", account, list(which))
        return super().cancel_by_cloid(account, which)

    def modify(
        self, account: str, which: Sequence[tuple[int | str, OrderRequest]]
    ) -> list[Outcome]:
        """See `Exchange.modify`."""
        self._note("modify", account, list(which))
        return super().modify(account, which)

    def update_leverage(self, account: str, coin: str, is_cross: bool, leverage: int) -> str | None:
        """See `Exchange.update_leverage`."""
        self._note("update_leverage", account, coin, is_cross, leverage)
        return super().update_leverage(account, coin, is_cross, leverage)

    def update_isolated_margin(
        self, account: str, coin: str, is_buy: bool, micros: int
    ) -> str | None:
        """See `Exchange.update_isolated_margin`."""
        self._note("update_isolated_margin", account, coin, is_buy, micros)
        return super().update_isolated_margin(account, coin, is_buy, micros)

    def schedule_cancel(self, account: str, time_ms: int | None) -> str | None:
        """See `Exchange.schedule_cancel`."""
        self._note("schedule_cancel", account, time_ms)
        return super().schedule_cancel(account, time_ms)

    def transfer(self, sender: str, receiver: str, micros: int) -> str | None:
        """See `Exchange.transfer`."""
        self.accounts.open(receiver)
        self._note("transfer", sender, receiver, micros)
        return super().transfer(sender, receiver, micros)

    def send_asset(
        self, sender: str, source: str, receiver: str, destination: str, micros: int
    ) -> str | None:
        """See `Exchange.send_asset`."""
        self.accounts.open(receiver)
        self._note("send_asset", sender, source, receiver, destination, micros)
        return super().send_asset(sender, source, receiver, destination, micros)

    def set_dex_abstraction(self, account: str, enabled: bool) -> None:
        """See `Exchange.set_dex_abstraction`."""
        self._note("set_dex_abstraction", account, enabled)
        super().set_dex_abstraction(account, enabled)

    def top_up_isolated_margin(self, account: str, coin: str, leverage: Decimal) -> str | None:
        """See `Exchange.top_up_isolated_margin`."""
        self._note("top_up_isolated_margin", account, coin, leverage)
        return super().top_up_isolated_margin(account, coin, leverage)

    def send(self, sender: str, receiver: str, micros: int) -> str | None:
        """See `Exchange.send`."""
        self.accounts.open(receiver)
        self._note("send", sender, receiver, micros)
        return super().send(sender, receiver, micros)

    def change_class(self, account: str, micros: int, to_perp: bool) -> str | None:
        """See `Exchange.change_class`."""
        self._note("change_class", account, micros, to_perp)
        return super().change_class(account, micros, to_perp)

    def withdraw(self, account: str, receiver: str, micros: int, nonce: int) -> str | None:
        """See `Exchange.withdraw`."""
        self._note("withdraw", account, receiver, micros, nonce)
        return super().withdraw(account, receiver, micros, nonce)

    def reserve_requests(self, account: str, receiver: str, requests: int) -> str | None:
        """See `Exchange.reserve_requests`."""
        self.accounts.open(receiver)
        self._note("reserve_requests", account, receiver, requests)
        return super().reserve_requests(account, receiver, requests)

    def rename(self, account: str, name: str) -> None:
        """See `Exchange.rename`."""
        self._note("rename", account, name)
        super().rename(account, name)

    def place_twap(self, account: str, request: TwapRequest) -> Twap | str:
        """See `Exchange.place_twap`."""
        self._note("place_twap", account, request)
        return super().place_twap(account, request)

    def cancel_twap(self, account: str, coin: str, twap_id: int) -> str | None:
        """See `Exchange.cancel_twap`."""
        self._note("cancel_twap", account, coin, twap_id)
        return super().cancel_twap(account, coin, twap_id)

    def halt(self, coin: str, halted: bool) -> None:
        """See `Exchange.halt`."""
        self._note("halt", coin, halted)
        super().halt(coin, halted)

    @property
    def post_only(self) -> bool:
        """See `Exchange.post_only`."""
        return self.order_manager.post_only

    @post_only.setter
    def post_only(self, post_only: bool) -> None:
        if post_only != self.order_manager.post_only:
            self._note("post_only", post_only)
            self.order_manager.post_only = post_only
