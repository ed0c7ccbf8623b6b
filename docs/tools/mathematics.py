r"""MkDocs hook: formulas as MathML, which browsers draw without a program or a font from elsewhere.

A formula is a fenced block of the language ``math`` with LaTeX in it, as GitHub shows it, too.
"""

import re
from typing import Any

__all__ = ["on_page_markdown", "with_formulas"]

_FENCE = re.compile(r"^```math\n(.*?)^```$", re.M | re.S)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the formulas of a page before the rest of it is read."""
    return with_formulas(markdown)


def with_formulas(markdown: str) -> str:
    """Return the text with each formula as MathML."""
    return _FENCE.sub(lambda found: _formula(found.group(1)), markdown)


def _formula(latex: str) -> str:
    from latex2mathml.converter import convert

    mathml = convert(" ".join(latex.split()), display="block")
    return f'<div class="formula">{mathml}</div>\n'
