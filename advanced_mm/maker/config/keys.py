"""Keys of exchanges: from the environment or files that it names, and never shown."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from advanced_mm.errors import InputError
from advanced_mm.key_files import value_of
from advanced_mm.maker.config.yaml_file import FieldPath

__all__ = ["KEY_VARIABLES", "ExchangeKind", "keys_of", "secrets_in"]

ExchangeKind = Literal["binance_spot", "hyperliquid"]

KEY_VARIABLES: Final[Mapping[ExchangeKind, Mapping[str, str]]] = {
    "binance_spot": {"apiKey": "BINANCE_API_KEY", "secret": "BINANCE_API_SECRET"},
    "hyperliquid": {
        "walletAddress": "HYPERLIQUID_WALLET_ADDRESS",
        "privateKey": "HYPERLIQUID_PRIVATE_KEY",
    },
}
"""Of each kind: ccxt's names of its keys and the environment variables that hold them."""

_FORMS: Final = {
    "walletAddress": (re.compile(r"0x[0-9a-fA-F]{40}"), "0x and 40 hexadecimal digits"),
    "privateKey": (re.compile(r"(0x)?[0-9a-fA-F]{64}"), "0x and 64 hexadecimal digits"),
}
_SECRET_NAME: Final = re.compile(
    r"api_?key|secret|private_?key|pass(word|phrase)|mnemonic|token|wallet", re.IGNORECASE
)
_SECRET_VALUE: Final = re.compile(r"(0x)?[0-9a-fA-F]{64}|[A-Za-z0-9]{64}")


def keys_of(kind: ExchangeKind, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an exchange's keys by ccxt's names.

    Instead of a variable, the same with ``_FILE`` behind its name may name a file with the key.

    Raises
    ------
    InputError
        A variable is not set, or set both ways, or has not the form of a key (its value is not
        shown); a file cannot be read, or everybody can read it.
    """
    keys = {}
    for name, variable in KEY_VARIABLES[kind].items():
        value = value_of(variable, environment)
        if not value:
            raise InputError(
                f"{variable} is not set: orders at {kind} need the environment variables "
                f"{' and '.join(KEY_VARIABLES[kind].values())}; without --live none are sent."
            )
        form, words = _FORMS.get(name, (None, ""))
        if form is not None and not form.fullmatch(value):
            raise InputError(f"{variable} has {len(value)} characters: it should be {words}.")
        keys[name] = value
    return keys


def secrets_in(value: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield the fields whose name or value is that of a key."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            if _SECRET_NAME.search(str(name)):
                yield (*path, str(name))
            else:
                yield from secrets_in(below, (*path, str(name)))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from secrets_in(below, (*path, number))
    elif isinstance(value, str) and _SECRET_VALUE.fullmatch(value):
        yield path
