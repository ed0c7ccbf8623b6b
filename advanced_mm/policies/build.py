"""Policies by the name of their kind, from settings as a file holds them."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from advanced_mm.errors import InputError
from advanced_mm.policies.auto import AutoPolicy
from advanced_mm.policies.avellaneda_stoikov import AvellanedaStoikovPolicy
from advanced_mm.policies.basis_points import BasisPointsPolicy
from advanced_mm.policies.bid_ask import BidAskPolicy
from advanced_mm.policies.cartea_jaimungal import CarteaJaimungalPolicy
from advanced_mm.policies.curve import CurvePolicy
from advanced_mm.policies.gueant_lehalle_fernandez_tapia import GueantLehalleFernandezTapiaPolicy
from advanced_mm.policies.paced import PacedPolicy
from advanced_mm.policies.policy import Policy
from advanced_mm.policies.settings import PolicySettings
from advanced_mm.policies.simple import SimplePolicy
from advanced_mm.policies.spot import SpotPolicy

__all__ = ["KINDS", "build", "settings_of"]

_POLICIES: Final = (
    SpotPolicy,
    CurvePolicy,
    BidAskPolicy,
    AutoPolicy,
    CarteaJaimungalPolicy,
    AvellanedaStoikovPolicy,
    GueantLehalleFernandezTapiaPolicy,
    SimplePolicy,
    BasisPointsPolicy,
)

KINDS: Final[Mapping[str, Any]] = {policy.kind: policy for policy in _POLICIES}
"""Each kind's class, by the name in configurations."""


def build(kind: str, settings: Mapping[str, Any] | None = None) -> Policy:
    """Return the policy of a kind, one for each market.

    Parameters
    ----------
    kind
        One of `KINDS`; hyphens and capitals do not matter.
    settings
        By name, see `settings_of`; what is left out has its default.

    Raises
    ------
    InputError
        The kind or a setting is unknown, or a value is out of range.
    """
    policy = KINDS[_known(kind)]
    read: PolicySettings = policy.Settings.read(settings or {}, f"policy.{policy.kind}")
    built: Policy = policy(read)
    return PacedPolicy(built, built.update_seconds) if built.update_seconds > 0.0 else built


def settings_of(kind: str) -> type[PolicySettings]:
    """Return the settings' class of a kind: its `model_fields` tell names, defaults and meanings.

    Raises
    ------
    InputError
        The kind is unknown.
    """
    settings: type[PolicySettings] = KINDS[_known(kind)].Settings
    return settings


def _known(kind: str) -> str:
    name = kind.strip().lower().replace("-", "_") if isinstance(kind, str) else ""
    if name in KINDS:
        return name
    close = get_close_matches(name, KINDS, n=1)
    meant = f"You may mean {close[0]!r}." if close else f"Use one of {', '.join(KINDS)}."
    raise InputError(f"policy.kind = {kind!r} is not a policy. {meant}")
