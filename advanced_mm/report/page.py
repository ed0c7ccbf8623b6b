"""A self-contained HTML page: sections of prose, charts and tables, no network needed."""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly.io
import plotly.io.json
import plotly.offline

from advanced_mm.report.charts import COLOURS, DARK_COLOURS, Chart, chart_to_plotly

__all__ = ["Card", "Headline", "Section", "Table", "write_page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1e293b; --soft: #475569; --line: #e2e8f0;
        --field: #f1f5f9; --gain: #047857; --loss: #b91c1c; --shade: 37, 99, 235; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e8f0; --soft: #a3b1c4; --line: #334155; --field: #1e293b; --gain: #34d399;
          --loss: #f87171; --shade: 96, 165, 250; }
  body { background: #0f172a; }
}
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: var(--ink); }
p, h1, .card { overflow-wrap: anywhere; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; color: var(--soft); max-width: calc(100vw - 2.5rem); }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, .words { text-align: left; }
td:not(.words) { white-space: nowrap; }
pre { background: var(--field); padding: .8rem 1rem; overflow-x: auto; }
h3 { margin: 1.5rem 0 0; font-size: 1rem; } .wide { overflow-x: auto; }
.verdict { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: .5rem 0; }
.gain { color: var(--gain); } .loss { color: var(--loss); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem;
         margin: 1rem 0; }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .7rem; }
.card b { display: block; font-size: 1.15rem; } .card small { color: var(--soft); line-height: 1.3;
          display: block; }
.grid { display: grid; gap: 0 1rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.heat td:not(:first-child) { background: rgba(var(--shade), calc(.45 * var(--heat, 0))); }
@media (max-width: 50rem) { .grid { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 30rem) {
  body { margin: .8rem auto; font-size: 15px; } h1 { font-size: 1.3rem; margin: 0; }
  h2 { margin-top: 2rem; font-size: 1.2rem; } .verdict { font-size: 1.2rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .3rem; margin: .6rem 0; }
  .card { padding: .2rem .5rem; } .card b { font-size: 1rem; } .card small { font-size: .75rem; }
  td:not(.words) { white-space: normal; }
  td:first-child { overflow-wrap: anywhere; min-width: 4.5rem; }
  .heat td:first-child { min-width: 0; overflow-wrap: normal; }
  .lead { font-size: .85rem; margin: .4rem 0; } th, td { padding: .2rem .25rem; font-size: .75rem; }
}
"""

_DRAW = """<script>
(async () => {
  const packed = document.getElementById('plotly');
  if (!packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const script = document.createElement('script');
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  const {dark, light, colours} = JSON.parse(document.getElementById('themes').textContent);
  const tools = matchMedia('(hover: hover)').matches && 'hover';  // else they cover the legend
  const asked = matchMedia('(prefers-color-scheme: dark)');
  const divs = [...document.querySelectorAll('.plotly-graph-div')];
  const draw = () => divs.forEach((div) => {
    let text = div.nextElementSibling.textContent;
    if (asked.matches) for (const [from, to] of colours) text = text.replaceAll(from, to);
    const {data, layout} = JSON.parse(text);
    layout.template = asked.matches ? dark : light;
    const config = {responsive: true, displaylogo: false, displayModeBar: tools};
    Plotly.react(div, data, layout, config);
  });
  draw();
  asked.addEventListener('change', draw);
  new ResizeObserver(() => divs.forEach((div) => Plotly.Plots.resize(div))).observe(document.body);
})();
</script>"""
"""Plotly's script is unpacked by the browser itself: it is two fifths of its size in the page.
Pictures follow the reader's theme, and the window's width, also where it is set only after they
were drawn."""
_LONGEST_ON_A_LINE = 30  # characters
_MARGIN = {"l": 60, "r": 15, "t": 30, "b": 60}


@dataclass(frozen=True)
class Table:
    """A table with a caption; cells are plain text.

    ``heat`` has a number from 0 to 1 for each cell of ``rows``, NaN for none, that colours it.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    heat: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Card:
    """A number to see at once, its name and a few words; coloured by the sign of ``amount``."""

    name: str
    text: str
    note: str = ""
    amount: float = 0.0


@dataclass(frozen=True)
class Headline:
    """What a reader sees before scrolling: one sentence, why, and the numbers behind it."""

    verdict: str
    why: str
    cards: Sequence[Card]
    amount: float = 0.0


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, charts and tables.

    A paragraph that starts with a space is set as a formula. A chart without series is replaced by
    a note that there is nothing to draw yet. Charts stand ``side_by_side`` in two columns where
    there is room.
    """

    key: str
    title: str
    paragraphs: Sequence[str]
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = field(default=())
    side_by_side: bool = False


def write_page(
    path: Path,
    title: str,
    lead: str,
    sections: Sequence[Section],
    headline: Headline | None = None,
) -> None:
    """Write the page, with Plotly's script included, so that it needs no network.

    Charts are as wide as the window, also on a phone.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>",
        "" if headline is None else _headline(headline),
        f'<p class="lead">{html.escape(lead)}</p>',
    ]
    for section in sections:
        parts.append(f'<section id="{section.key}"><h2>{html.escape(section.title)}</h2>')
        parts += [_paragraph(text) for text in section.paragraphs]
        parts.append(f'<div class="{"grid" if section.side_by_side else "column"}">')
        parts += [f"<div>{_chart(chart)}</div>" for chart in section.charts]
        parts.append("</div>")
        parts += [_table(table) for table in section.tables]
        parts.append("</section>")
    if any(chart.series for section in sections for chart in section.charts):
        parts.append(_plotly())
    path.write_text("\n".join([*parts, _DRAW, "</body></html>"]), encoding="utf-8")


def _chart(chart: Chart) -> str:
    """Return a place for the chart, and what to draw there."""
    if not chart.series:
        return _paragraph(f"{chart.title}: nothing to draw yet.")
    figure = chart_to_plotly(chart).update_layout(title=None, margin=_MARGIN)
    described: dict[str, Any] = figure.to_plotly_json()
    height = described["layout"]["height"]
    described["layout"].pop("template")
    return (
        f"<h3>{html.escape(chart.title)}</h3>"
        f'<div class="plotly-graph-div" style="height:{height}px; width:100%"></div>'
        f"{_json(plotly.io.json.to_json_plotly(described))}"
    )


@cache
def _plotly() -> str:
    """Return Plotly's script, packed, and the two themes."""
    packed = gzip.compress(plotly.offline.get_plotlyjs().encode(), mtime=0)
    clear = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
    themes: dict[str, Any] = {}
    for name, template in (("light", "plotly_white"), ("dark", "plotly_dark")):
        themes[name] = plotly.io.templates[template].to_plotly_json()
        themes[name]["layout"] |= clear
    themes["colours"] = list(zip(COLOURS, DARK_COLOURS, strict=True))
    return (
        f'<script id="plotly" type="text/plain">{base64.b64encode(packed).decode()}</script>'
        f"{_json(json.dumps(themes), 'themes')}"
    )


def _json(text: str, name: str = "") -> str:
    """Return JSON that a script reads; no text in it can end the element."""
    named = f' id="{name}"' if name else ""
    escaped = text.replace("<", "\\u003c")
    return f'<script type="application/json"{named}>{escaped}</script>'


def _headline(headline: Headline) -> str:
    cards = "".join(
        f'<div class="card"><small>{html.escape(card.name)}</small>'
        f'<b class="{_tone(card.amount)}">{html.escape(card.text)}</b>'
        f"<small>{html.escape(card.note)}</small></div>"
        for card in headline.cards
    )
    return (
        f'<p class="verdict {_tone(headline.amount)}">{html.escape(headline.verdict)}</p>'
        f'<p class="lead">{html.escape(headline.why)}</p><div class="cards">{cards}</div>'
    )


def _tone(amount: float) -> str:
    return "gain" if amount > 0 else "loss" if amount < 0 else ""


def _paragraph(text: str) -> str:
    if text.startswith(" "):
        return f"<pre>{html.escape(text.strip())}</pre>"
    return f"<p>{html.escape(text)}</p>"


def _table(table: Table) -> str:
    columns = [max(column, key=len) for column in zip(*table.rows, strict=True)] or table.header
    header = "".join(
        f"<th{_kind(longest)}>{html.escape(cell)}</th>"
        for cell, longest in zip(table.header, columns, strict=True)
    )
    heats = table.heat or [[np.nan] * len(row) for row in table.rows]
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_kind(longest)}{_heat(heat)}>{html.escape(cell)}</td>"
            for cell, longest, heat in zip(row, columns, row_heats, strict=True)
        )
        + "</tr>"
        for row, row_heats in zip(table.rows, heats, strict=True)
    )
    caption = html.escape(table.caption)
    inside = f"<caption>{caption}</caption><tr>{header}</tr>{rows}"
    kind = ' class="heat"' if table.heat else ""
    return f'<div class="wide"><table{kind}>{inside}</table></div>'


def _heat(share: float) -> str:
    return f' style="--heat:{share:.2f}"' if np.isfinite(share) else ""


def _kind(cell: str) -> str:
    """Let sentences wrap; numbers and their intervals stay on a line where there is room."""
    return ' class="words"' if len(cell) > _LONGEST_ON_A_LINE else ""
