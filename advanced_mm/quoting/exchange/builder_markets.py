"""Markets of builder-deployed exchanges, which Freqtrade drops unless they are configured."""

import re
from collections.abc import Mapping
from typing import Any

from advanced_mm.instruments import code_of

__all__ = ["unnamed_exchanges"]

_BUILDER_CODE = re.compile(r"([A-Z0-9]+)-[A-Z0-9_]+")


def unnamed_exchanges(config: Mapping[str, Any]) -> str | None:
    """Return an error naming the pairs that Freqtrade would drop and the remedy; None if none.

    ``XYZ-XYZ100/USDC:USDC`` is a market of the exchange ``xyz``, which ``exchange.hip3_dexes`` must
    include. Coins of the main exchange have no dash.

    Parameters
    ----------
    config
        Freqtrade's complete configuration.
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
        f"exchange.hip3_dexes lacks the exchange of {', '.join(unnamed)}; add "
        f'"hip3_dexes": [{listed}] to the exchange block (and keep margin_mode isolated).'
    )
