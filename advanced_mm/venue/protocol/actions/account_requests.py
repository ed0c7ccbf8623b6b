"""Execution of account actions. See `requests`."""

from collections.abc import Callable
from decimal import Decimal

from advanced_mm.markets.units import MICROS_PER_USDC, dollars_text, parse_micros
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.treasury import NO_TOKENS
from advanced_mm.venue.protocol.actions import account_forms as forms
from advanced_mm.venue.protocol.actions.replies import done, settled
from advanced_mm.venue.protocol.actions.signers import RefusedError, Signers
from advanced_mm.venue.protocol.actions.signing import plain_address
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = ["AccountRequests"]

MOST_SUB_ACCOUNTS = 10
NAMED_AGENTS, AGENTS_A_SUB_ACCOUNT = 3, 2

AGENT_MODES = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}


class AccountRequests:
    """Executes actions about money, margin and keys.

    Parameters
    ----------
    exchange
        The engine.
    signers
        Agents and builders.
    coin_of
        Returns the coin of an asset number; raises `RefusedError` if there is none.
    """

    def __init__(self, exchange: Exchange, signers: Signers, coin_of: Callable[[int], str]) -> None:
        self._exchange = exchange
        self._signers = signers
        self._coin = coin_of

    def execute(self, account: str, action: forms.AccountAction) -> dict[str, Json]:
        """Execute an account's action and return the reply.

        Raises
        ------
        RefusedError
            If the action is refused.
        """
        match action:
            case (
                forms.UpdateLeverage() | forms.UpdateIsolatedMargin()
                | forms.TopUpIsolatedOnlyMargin()
            ):  # fmt: skip
                return settled(self._margin(account, action))
            case (
                forms.SubAccountTransfer() | forms.UsdSend() | forms.Withdraw()
                | forms.UsdClassTransfer() | forms.SendAsset() | forms.ReserveRequestWeight()
            ):  # fmt: skip
                return settled(self._money(account, action))
            case (
                forms.UserDexAbstraction() | forms.UserSetAbstraction()
                | forms.AgentEnableDexAbstraction() | forms.AgentSetAbstraction()
            ):  # fmt: skip
                self._abstraction(account, action)
            case forms.ScheduleCancel(time=time_ms):
                return settled(self._exchange.schedule_cancel(account, time_ms))
            case forms.CreateSubAccount(name=name):
                return self._open_sub_account(account, name)
            case forms.SubAccountModify(subAccountUser=sub_account, name=name):
                self._own(account, sub_account)
                self._exchange.rename(sub_account, name)
            case forms.ApproveBuilderFee(builder=builder, maxFeeRate=rate):
                self._signers.approve_builder(account, plain_address(builder), rate)
            case forms.ApproveAgent(agentAddress=address, agentName=name):
                self._approve_agent(account, address, name or "")
            case forms.SetReferrer() | forms.Noop():
                pass  # no effect
        return done()

    def _margin(
        self,
        account: str,
        action: forms.UpdateLeverage | forms.UpdateIsolatedMargin | forms.TopUpIsolatedOnlyMargin,
    ) -> str | None:
        exchange, coin = self._exchange, self._coin(action.asset)
        match action:
            case forms.UpdateLeverage(isCross=is_cross, leverage=leverage):
                return exchange.update_leverage(account, coin, is_cross, leverage)
            case forms.UpdateIsolatedMargin(isBuy=is_buy, ntli=micros):
                return exchange.update_isolated_margin(account, coin, is_buy, micros)
            case forms.TopUpIsolatedOnlyMargin(leverage=wanted):
                return exchange.top_up_isolated_margin(account, coin, Decimal(wanted))

    def _money(
        self,
        account: str,
        action: forms.SubAccountTransfer
        | forms.UsdSend
        | forms.Withdraw
        | forms.UsdClassTransfer
        | forms.SendAsset
        | forms.ReserveRequestWeight,
    ) -> str | None:
        exchange = self._exchange
        match action:
            case forms.SubAccountTransfer(subAccountUser=sub_account, isDeposit=is_deposit):
                self._own(account, sub_account)
                pair = (account, sub_account) if is_deposit else (sub_account, account)
                return exchange.transfer(*pair, action.usd)
            case forms.UsdSend(destination=receiver, amount=amount):
                return exchange.send(account, plain_address(receiver), parse_micros(amount))
            case forms.Withdraw(destination=receiver, amount=amount, time=time_ms):
                micros = parse_micros(amount)
                return exchange.withdraw(account, plain_address(receiver), micros, time_ms)
            case forms.UsdClassTransfer(amount=amount, toPerp=to_perp):
                number, _, sub_account = amount.partition("subaccount:")
                if sub_account:
                    account = self._own(account, sub_account.lower())
                return exchange.change_class(account, parse_micros(number.strip()), to_perp)
            case forms.SendAsset():
                return self._send_asset(account, action)
            case forms.ReserveRequestWeight(weight=weight, destination=destination):
                return exchange.reserve_requests(account, destination or account, weight)

    def _send_asset(self, account: str, action: forms.SendAsset) -> str | None:
        sender = account
        if action.fromSubAccount:
            sender = self._own(account, plain_address(action.fromSubAccount))
        if action.token.partition(":")[0] != "USDC":
            return NO_TOKENS  # accounts hold only USDC
        receiver = plain_address(action.destination)
        return self._exchange.send_asset(
            sender,
            action.sourceDex,
            receiver,
            action.destinationDex,
            parse_micros(action.amount),
        )

    def _abstraction(
        self,
        account: str,
        action: forms.UserDexAbstraction
        | forms.UserSetAbstraction
        | forms.AgentEnableDexAbstraction
        | forms.AgentSetAbstraction,
    ) -> None:
        user, wanted = account, "dexAbstraction"
        match action:
            case forms.UserDexAbstraction(user=user, enabled=enabled):
                wanted = "dexAbstraction" if enabled else "disabled"
            case forms.UserSetAbstraction(user=user, abstraction=wanted):
                pass
            case forms.AgentSetAbstraction(abstraction=letter):
                wanted = AGENT_MODES[letter]
            case forms.AgentEnableDexAbstraction():
                if self._exchange.accounts.open(account).dex_abstraction is not None:
                    raise RefusedError("DEX abstraction is already set; the owner must change it")
        if wanted not in ("dexAbstraction", "disabled"):
            raise RefusedError(f"{wanted} is not supported; use dexAbstraction or disabled")
        owner = plain_address(user)
        if owner != account:
            self._own(account, owner)
        self._exchange.set_dex_abstraction(owner, wanted == "dexAbstraction")

    def _open_sub_account(self, account: str, name: str) -> dict[str, Json]:
        accounts, needed = self._exchange.accounts, self._exchange.rules.sub_account_volume
        traded = accounts.open(account).volume
        if traded < needed * MICROS_PER_USDC:
            raise RefusedError(
                "Cannot create sub-accounts until enough volume traded. "
                f"Required: ${needed:f}. Traded: ${dollars_text(traded)}."
            )
        if len(accounts.subs(account)) >= MOST_SUB_ACCOUNTS:
            raise RefusedError("Too many sub-accounts")
        return done("createSubAccount", accounts.add_sub(account, name))

    def _approve_agent(self, account: str, address: str, name: str) -> None:
        sub_accounts = len(self._exchange.accounts.subs(account))
        self._signers.approve_agent(
            account,
            plain_address(address),
            name,
            most_named=NAMED_AGENTS + AGENTS_A_SUB_ACCOUNT * sub_accounts,
        )

    def _own(self, account: str, sub_account: str) -> str:
        if self._exchange.accounts.master_of(sub_account) != account:
            raise RefusedError(f"Sub-account {sub_account} is not registered to {account}")
        return sub_account
