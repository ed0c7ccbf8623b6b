"""MkDocs hook: a page that loads something from another place breaks the build."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

_TAG = re.compile(r"<(script|img|iframe|source|link|video|audio|embed|object)\b[^>]*>", re.I)
_ADDRESS = re.compile(r"""\b(?:src|srcset|href|data)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""", re.I)
_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s;]+)""", re.I)


def on_post_build(config: "MkDocsConfig") -> None:
    """Look through all pages and style sheets of the finished site."""
    from mkdocs.exceptions import PluginError

    site = Path(config.site_dir)
    faults = [
        f"{path.relative_to(site)} loads {address}"
        for path in sorted(site.rglob("*"))
        if path.suffix in {".html", ".css"}
        for address in loaded_from_elsewhere(path.read_text(encoding="utf-8"))
    ]
    if faults:
        raise PluginError("The site must work without a network: " + "; ".join(faults))


def loaded_from_elsewhere(text: str) -> Iterator[str]:
    """Yield the foreign addresses that a page or style sheet loads; links to follow are fine."""
    for tag in _TAG.finditer(text):
        yield from _ADDRESS.findall(tag.group())
    yield from _STYLE.findall(text)
