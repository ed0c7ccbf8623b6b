"""A new set-up: overlays of the configuration from a few answers. Nothing secret is in them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of, pair_of
from advanced_mm.quoting.settings_check.settings_values import USUAL_UNIT

__all__ = [
    "LEAST_CAPITAL",
    "MODES",
    "SIDES",
    "Answers",
    "check_coin",
    "check_name",
    "overlay_text",
    "overlays",
]

ModeChoice = Literal["paper", "dry", "live"]
SideChoice = Literal["one", "both"]
MODES: Final[tuple[ModeChoice, ...]] = get_args(ModeChoice)
SIDES: Final[tuple[SideChoice, ...]] = get_args(SideChoice)

_TRADABLE: Final = 0.95
"""``tradable_balance_ratio`` of user_data/config.json."""
LEAST_CAPITAL: Final = round(USUAL_UNIT / _TRADABLE + 1)
"""USDC of one bot; below it a unit is so small that a part of one may be too small to close."""

_BENEATH: Final[Mapping[ModeChoice, tuple[str, ...]]] = {
    "paper": ("config.paper.json",),
    "dry": (),
    "live": ("config.live.json",),
}
"""The overlays in user_data on which a mode builds."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_coin(coin: str) -> None:
    """Raise `InputError` unless a text may be a coin in some spelling."""
    if not re.fullmatch(r"[A-Z0-9_-]+", code_of(coin)):
        raise InputError(f"{coin!r} is no coin; write it like ETH, kPEPE or xyz:XYZ100.")


def check_name(name: str) -> None:
    """Raise `InputError` unless files can be called after a bot of this name."""
    if not _NAME.fullmatch(name):
        raise InputError(f"The name {name!r} must be of letters, digits, '-' and '_'.")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a new user is asked.

    Parameters
    ----------
    name
        Of the bot; files and database are called after it.
    coin
        In any spelling.
    capital
        USDC of all its bots together.
    mode
        ``paper`` is a dry run on the loopback venue, ``dry`` one on the real market.
    sides
        ``both`` takes two bots that share their inventory.

    Raises
    ------
    InputError
        An answer cannot be used.
    """

    name: str
    coin: str
    capital: float
    mode: ModeChoice
    sides: SideChoice

    def __post_init__(self) -> None:
        check_coin(self.coin)
        check_name(self.name)
        least = LEAST_CAPITAL * self.bots
        if not least <= self.capital < float("inf"):
            raise InputError(
                f"The capital is {self.capital:g} USDC, must be at least {least}: "
                f"{LEAST_CAPITAL} for each bot."
            )

    @property
    def bots(self) -> int:
        """How many bots it takes."""
        return 2 if self.sides == "both" else 1


def overlays(answers: Answers, user_data: Path) -> dict[str, dict[str, Any]]:
    """Return each overlay's content by its file name; both are for Freqtrade's folder.

    ``config.json`` of that folder lies beneath them.
    """
    if answers.sides == "one":
        return {f"config.{answers.name}.json": _overlay(answers, answers.name, (), user_data)}
    return {
        f"config.{answers.name}.{leg}.json": _overlay(
            answers, f"{answers.name}_{leg}", (f"config.{leg}.json",), user_data
        )
        for leg in ("long", "short")
    }


def overlay_text(answers: Answers, content: Mapping[str, Any]) -> str:
    """Return the text of an overlay, with a line that says what it is."""
    kinds = {"paper": "a paper bot", "dry": "a dry run", "live": "real orders"}
    told = f"Overlay for {kinds[answers.mode]}, by scripts/init_config.py."
    return f"// {told} Secrets come from the environment only.\n{json.dumps(content, indent=4)}\n"


def _overlay(
    answers: Answers, name: str, beneath: tuple[str, ...], user_data: Path
) -> dict[str, Any]:
    capital = round(answers.capital / answers.bots, 2)
    exchange: dict[str, Any] = {"pair_whitelist": [pair_of(answers.coin)]}
    dex, dash, _ = code_of(answers.coin).partition("-")
    if dash:
        exchange["hip3_dexes"] = [dex.lower()]
    live = answers.mode == "live"
    folder = user_data / "paper" if answers.mode == "paper" else user_data
    return {
        "add_config_files": [*_BENEATH[answers.mode], *beneath],
        "bot_name": name,
        "dry_run": not live,
        "available_capital" if live else "dry_run_wallet": capital,
        "db_url": f"sqlite:///{user_data.as_posix()}/trades.{name}.sqlite",
        "exchange": exchange,
        "market_making": {"parameter_dir": folder.as_posix()},
    }
