"""Signed requests: keys, HMAC-SHA256 signatures, and how old a request may be."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import unquote_plus

from advanced_mm.venue.binance.params import Params, missing
from advanced_mm.venue.spot.orders import SpotRefusedError
from advanced_mm.venue.spot.wallets import SpotAccount, SpotAccounts

__all__ = ["Signers", "json_text", "signed_text"]

DEFAULT_WINDOW_MS = 5_000
LONGEST_WINDOW_MS = 60_000
MOST_AHEAD_MS = 1_000


class Signers:
    """Finds the account that a request comes from, and checks that it signed it.

    Parameters
    ----------
    accounts
        All accounts.
    wall_ms
        The computer's clock, ms: clients take time stamps from theirs, whatever the market time.
    """

    def __init__(self, accounts: SpotAccounts, wall_ms: Callable[[], int]) -> None:
        self._accounts = accounts
        self._wall_ms = wall_ms

    def keyed(self, key: str | None) -> SpotAccount:
        """Return the account of an API key.

        Raises
        ------
        SpotRefusedError
            If there is none.
        """
        if not key:
            raise SpotRefusedError(-2014, "API-key format invalid.")
        account = self._accounts.get(key)
        if account is None:
            raise SpotRefusedError(-2015, "Invalid API-key, IP, or permissions for action.")
        return account

    def signed(self, key: str | None, params: Params, text: str) -> SpotAccount:
        """Return the account that signed a request; ``text`` is what was to be signed.

        Raises
        ------
        SpotRefusedError
            If key, signature or time stamp are not as they must be.
        """
        account = self.keyed(key)
        signature = params.text("signature")
        if signature is None:
            raise missing("signature")
        stamp = params.whole("timestamp")
        if stamp is None:
            raise missing("timestamp")
        self._check_age(stamp, params.whole("recvWindow"))
        made = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(made.encode(), signature.lower().encode()):
            raise SpotRefusedError(-1022, "Signature for this request is not valid.")
        return account

    def _check_age(self, stamp: int, window: int | None) -> None:
        window_ms = DEFAULT_WINDOW_MS if window is None else window
        if window_ms > LONGEST_WINDOW_MS:
            raise SpotRefusedError(-1131, "recvWindow must be less than 60000.")
        now_ms = self._wall_ms()
        if stamp >= now_ms + MOST_AHEAD_MS:
            raise SpotRefusedError(
                -1021, "Timestamp for this request was 1000ms ahead of the server's time."
            )
        if now_ms - stamp > window_ms:
            raise SpotRefusedError(
                -1021, "Timestamp for this request is outside of the recvWindow."
            )


def signed_text(query: str, body: str) -> tuple[str, dict[str, str]]:
    """Return what a REST request's signature covers, and all its parameters.

    The signature covers the query string followed by the body, each without the signature itself.
    """
    values: dict[str, str] = {}
    covered = []
    for part in (query, body):
        pairs = [pair for pair in part.split("&") if pair]
        for pair in pairs:
            name, _, value = pair.partition("=")
            values[unquote_plus(name)] = unquote_plus(value)
        covered.append("&".join(pair for pair in pairs if not pair.startswith("signature=")))
    return "".join(covered), values


def json_text(values: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """Return what the signature of a websocket request covers, and its parameters as text."""
    texts = {name: _text(value) for name, value in values.items()}
    covered = "&".join(f"{name}={texts[name]}" for name in sorted(texts) if name != "signature")
    return covered, texts


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
