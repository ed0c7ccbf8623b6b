"""Which orders and cancels the exchange refused or did not answer, for the guards to count."""

from collections.abc import Callable
from typing import Any, Final

import ccxt

__all__ = ["ActionErrors", "is_fault"]

_EXPECTED: Final = ("post only", "immediately matched", "cannot modify")
"""In the refusal of a post-only order that the market has reached, and of moving an order that has
ended: no errors, the price moved."""


def is_fault(error: ccxt.BaseError) -> bool:
    """Return whether an error of an action is one of the exchange, not the market's doing."""
    return not any(text in str(error).lower() for text in _EXPECTED)


class ActionErrors:
    """Watches a ccxt client's ``create_order`` and ``cancel_order``.

    Parameters
    ----------
    client
        Freqtrade's synchronous client.
    failed
        Gets the pair and the message of each error.
    worked
        Called after each success.
    """

    def __init__(
        self, client: Any, failed: Callable[[str, str], None], worked: Callable[[], None]
    ) -> None:
        self._client = client
        self._create, self._cancel = client.create_order, client.cancel_order
        self._failed, self._worked = failed, worked

    def install(self) -> None:
        """Replace the client's own methods."""
        self._client.create_order = self._create_order
        self._client.cancel_order = self._cancel_order

    def _create_order(self, symbol: str, *args: Any, **kwargs: Any) -> Any:
        return self._watched(symbol, self._create, symbol, *args, **kwargs)

    def _cancel_order(self, order_id: str, symbol: str = "", *args: Any, **kwargs: Any) -> Any:
        return self._watched(symbol, self._cancel, order_id, symbol, *args, **kwargs)

    def _watched(self, pair: str, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            done = act(*args, **kwargs)
        except ccxt.OrderNotFound:  # it was filled or has ended: the venue works
            self._worked()
            raise
        except ccxt.BaseError as error:
            if is_fault(error):
                self._failed(pair, str(error))
            raise
        self._worked()
        return done
