"""Markets of builder-deployed exchanges, which Freqtrade leaves out unless they are named to it."""

import re
from collections.abc import Mapping
from typing import Any

from advanced_mm.instruments import code_of

__all__ = ["unnamed_exchanges"]

_BUILDER_CODE = re.compile(r"([A-Z0-9]+)-[A-Z0-9_]+")


def unnamed_exchanges(config: Mapping[str, Any]) -> str | None:
    """Say which pairs of the whitelist Freqtrade would drop, and what to add; None if it keeps all.

    ``XYZ-XYZ100/USDC:USDC`` is a market of the exchange ``xyz``, and ``exchange.hip3_dexes`` has to
    name it. Coins of the main exchange have no dash.

    Parameters
    ----------
    config
        Freqtrade's configuration, complete.
    """
    exchange = config.get("exchange", {})
    named = {dex.upper() for dex in exchange.get("hip3_dexes", [])}
    unnamed = {
        pair: match[1].lower()
        for pair in exchange.get("pair_whitelist", [])
        if (match := _BUILDER_CODE.fullmatch(code_of(pair))) and match[1] not in named
    }
    if not unnamed:
        return None
    listed = ", ".join(f'"{dex}"' for dex in sorted({*unnamed.values(), *map(str.lower, named)}))
    return (
        f"{', '.join(unnamed)}: a pair of a builder-deployed exchange is traded only where the "
        f'configuration names the exchange; add "hip3_dexes": [{listed}] to its exchange block '
        "(and leave margin_mode at isolated)."
    )
