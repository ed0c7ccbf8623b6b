"""The account's address and key: there, well formed, belonging together, and never shown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_account import Account

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.patient import Patient
from advanced_mm.doctor.venue import Venue
from advanced_mm.key_files import FILE_SUFFIX, KeyFileError

__all__ = [
    "SECRET_NAME",
    "Keys",
    "examine_key_files",
    "examine_keys",
    "examine_role",
    "hide_secrets",
]

_ADDRESS: Final = "FREQTRADE__EXCHANGE__WALLET_ADDRESS"
_KEY: Final = "FREQTRADE__EXCHANGE__PRIVATE_KEY"
SECRET_NAME: Final = re.compile(
    r"key$|secret|passw|token|uid$|credential|mnemonic|webhook|^url$", re.I
)
"""Fields and variables of such names hold what is never shown."""
_LEAST_SECRET: Final = 4


@dataclass(frozen=True)
class Keys:
    """Whose account it is, as far as it is known: addresses only.

    ``account`` is the one that trades (a sub-account if one is configured), ``owner`` the wallet's
    and ``signer`` that of the private key.
    """

    account: str | None = None
    owner: str | None = None
    signer: str | None = None


def examine_key_files(
    environment: Mapping[str, str], read: Mapping[str, str], failed: Sequence[KeyFileError]
) -> Iterator[Line]:
    """Say which of a bot's variables stand in files, and which of these cannot be used.

    Parameters
    ----------
    environment, read
        The environment before and after values were read from files.
    failed
        What could not be read.
    """
    for error in failed:
        yield fault("keys", error.fault, error.remedy)
    for name in sorted(environment.keys() - read.keys()):
        variable = name.removesuffix(FILE_SUFFIX)
        if variable in read:
            text = f"{variable} is in {environment[name]}, where not everybody can read it"
            yield ok("keys", text)


def examine_keys(
    patient: Patient, written: Mapping[str, Any], failed: Sequence[KeyFileError] = ()
) -> tuple[list[Line], Keys]:
    """Check that the keys of a live bot are there and well formed.

    Parameters
    ----------
    patient
        The set-up.
    written
        The configuration without the environment: what stands in files.
    failed
        Variables whose files cannot be used, which has been said.
    """
    exchange = patient.exchange
    address = _text(exchange, "wallet_address", "walletAddress")
    key = _text(exchange, "private_key", "privateKey")
    lines = list(_in_files(written))
    if not patient.live:
        lines.append(ok("keys", "a dry run needs none"))
        return lines, Keys()
    owner = address.lower() if re.fullmatch(r"0x[0-9a-fA-F]{40}", address) else None
    told = {error.variable for error in failed}
    if not address:
        if _ADDRESS not in told:
            lines.append(_missing("the account's address", _ADDRESS))
    elif owner is None:
        text = f"the account's address is no address ({len(address)} characters)"
        lines.append(fault("keys", text, f"set {_ADDRESS} to 0x and 40 hexadecimal digits"))
    signer = None
    if not key:
        if _KEY not in told:
            lines.append(_missing("the private key", _KEY))
    elif not re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", key):
        text = f"the private key is no key ({len(key)} characters)"
        lines.append(fault("keys", text, f"set {_KEY} to 0x and 64 hexadecimal digits"))
    else:
        try:
            signer = Account.from_key(key).address.lower()
        except ValueError:
            lines.append(fault("keys", "the private key is out of range", f"set {_KEY} anew"))
    options = exchange.get("ccxt_config", {}).get("options", {})
    sub_account = _text(options, "subaccountaddress", "subAccountAddress").lower()
    if owner and signer:
        lines.append(ok("keys", f"present, for the account {_short(sub_account or owner)}"))
    return lines, Keys(sub_account or owner, owner, signer)


def examine_role(keys: Keys, venue: Venue) -> Iterator[Line]:
    """Ask the venue whether the key may sign for the account.

    Raises
    ------
    VenueError
        It does not answer.
    """
    if keys.owner is None or keys.signer is None:
        return
    if keys.signer == keys.owner:
        yield warning(
            "keys",
            "the private key is the account's own, which may withdraw its money",
            "make an API wallet on the venue's page and use its key; it can only trade",
        )
        return
    role = venue.ask("userRole", user=keys.signer)
    named = role.get("role") if isinstance(role, Mapping) else None
    data = role.get("data") if isinstance(role, Mapping) else None
    of = data.get("user") if isinstance(data, Mapping) else None
    if named == "agent" and str(of).lower() == keys.owner:
        yield ok("keys", "the venue knows the key as an API wallet of the account")
    else:
        whose = f"one of {_short(str(of))}" if named == "agent" else "no API wallet"
        yield fault(
            "keys",
            f"the key may not sign for {_short(keys.owner)}: to the venue it is {whose}",
            f"approve the API wallet on the venue's page, or set {_ADDRESS} to the account whose "
            "API wallet it is, the main account's also with a sub-account",
        )


def hide_secrets(config: Mapping[str, Any], line: Line) -> Line:
    """Return a line with every secret of the configuration replaced by dots."""
    text, remedy = line.text, line.remedy
    for secret in sorted(_secrets(config), key=len, reverse=True):
        text, remedy = text.replace(secret, "•••"), remedy.replace(secret, "•••")
    return Line(line.check, line.level, text, remedy)


def _secrets(block: Any, named: bool = False) -> Iterator[str]:
    if isinstance(block, Mapping):
        for name, value in block.items():
            yield from _secrets(value, bool(SECRET_NAME.search(str(name))))
    elif isinstance(block, list):
        for value in block:
            yield from _secrets(value, named)
    elif named and not isinstance(block, bool) and len(str(block)) >= _LEAST_SECRET:
        yield str(block)


def _in_files(written: Mapping[str, Any]) -> Iterator[Line]:
    exchange = written.get("exchange", {})
    names = ("private_key", "privateKey", "key", "secret", "password")
    found = [name for name in names if isinstance(exchange, Mapping) and exchange.get(name)]
    if found:
        yield warning(
            "keys",
            f"exchange.{', exchange.'.join(found)} stands in a configuration file",
            f"remove it there and set the environment variable {_KEY}",
        )


def _missing(what: str, variable: str) -> Line:
    remedy = (
        f"export {variable}=…, never into a file you share; scripts/with_keys.py takes it from the "
        f"file that {variable}{FILE_SUFFIX} names"
    )
    return fault("keys", f"{what} is missing", remedy)


def _text(block: Mapping[str, Any], *names: str) -> str:
    value = next((block[name] for name in names if block.get(name)), "")
    return str(value)


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"
