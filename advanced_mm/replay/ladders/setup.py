"""Which policy with which account: from the words of a command line or a maker's file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from advanced_mm.errors import InputError
from advanced_mm.policies import Policy, build, settings_of
from advanced_mm.policies.volatility import VolatilitySettings
from advanced_mm.replay.account import Account

__all__ = ["LadderSetup", "account_for", "ladder_setup"]


@dataclass(frozen=True)
class LadderSetup:
    """A kind of policy, its settings, and how the volatility that it knows is estimated."""

    kind: str
    settings: Mapping[str, Any]
    volatility: VolatilitySettings = field(default_factory=VolatilitySettings)

    def policy(self) -> Policy:
        """Return a new policy: some remember what they quoted, so each replay has its own.

        Raises
        ------
        InputError
            A setting is missing, unknown or out of range.
        """
        return build(self.kind, self.settings)


def ladder_setup(kind: str, settings: str | None, coin: str) -> LadderSetup:
    """Return what to build a policy from.

    Parameters
    ----------
    kind
        One of `policies.KINDS`.
    settings
        The policy's settings as JSON, or the name of a JSON or YAML file with them. In a maker's
        file, which has ``markets``, the first market of the coin with that kind of policy counts.
        None: the defaults.
    coin
        The venue's name of the coin.

    Raises
    ------
    InputError
        The kind or a setting of the volatility is unknown, or the file cannot be read.
    """
    settings_of(kind)
    found = {} if settings is None else _mapping(settings)
    volatility: Any = found.pop("volatility", {}) if "volatility" in found else {}
    if "markets" in found:
        market = _market(found["markets"], kind, coin, str(settings))
        found, volatility = dict(market["policy"]), market.get("volatility") or {}
    named = found.pop("kind", kind)
    if named != kind:
        raise InputError(f"{settings}: the settings are of {named!r}, not of {kind!r} as asked for")
    return LadderSetup(kind, found, VolatilitySettings.read(volatility, "volatility"))


def account_for(
    setup: LadderSetup,
    capital: float,
    *,
    spot: bool | None = None,
    init_ratio: float | None = None,
    leverage: float = 1.0,
) -> Account:
    """Return an account of that capital that suits a policy.

    A policy that holds its inventory at a target share (setting ``init_iqv_ratio``) gets a spot
    account that starts at the target; any other a perpetual account that starts flat.

    Raises
    ------
    InputError
        A value is out of range.
    """
    target = None
    field_of_target = settings_of(setup.kind).model_fields.get("init_iqv_ratio")
    if field_of_target is not None:
        target = setup.settings.get("init_iqv_ratio", field_of_target.default)
    if spot is None:
        spot = target is not None
    if init_ratio is None:
        init_ratio = float(target if target is not None else 0.5) if spot else 0.0
    return Account(capital=capital, spot=spot, init_ratio=init_ratio, leverage=leverage)


def _mapping(text: str) -> dict[str, Any]:
    """Read JSON, or a file of JSON or YAML."""
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"policy settings {text!r} are no JSON: {error}") from None
    else:
        try:
            found = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"policy settings {text} cannot be read: {error.strerror}") from None
        except yaml.YAMLError as error:
            raise InputError(f"policy settings {text} are no YAML: {error}") from None
    if not isinstance(found, Mapping):
        raise InputError(f"policy settings {text} must be names with values, not {found!r}")
    return dict(found)


def _market(markets: Any, kind: str, coin: str, where: str) -> Mapping[str, Any]:
    """Return the first market of the coin with a policy of the kind."""
    named = []
    for one in markets if isinstance(markets, list) else []:
        if not (isinstance(one, Mapping) and isinstance(one.get("policy"), Mapping)):
            continue
        base = str(one.get("symbol", "")).partition("/")[0]
        named.append(f"{base} by {one['policy'].get('kind')}")
        if base == coin and one["policy"].get("kind") == kind:
            return one
    listed = ", ".join(named) or "none"
    raise InputError(f"{where}: no market of {coin} has the policy {kind!r}; its markets: {listed}")
