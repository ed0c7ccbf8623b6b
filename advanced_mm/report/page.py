"""A self-contained HTML page: sections of prose, charts and tables, no network needed."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import plotly.io

from advanced_mm.report.charts import Chart, chart_to_plotly

__all__ = ["Card", "Headline", "Section", "Table", "write_page"]

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1e293b; }
p, h1, .card { overflow-wrap: anywhere; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; color: #475569; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #e2e8f0; text-align: right; }
th:first-child, td:first-child, .words { text-align: left; }
td:not(:first-child):not(.words) { white-space: nowrap; }
pre { background: #f1f5f9; padding: .8rem 1rem; overflow-x: auto; }
h3 { margin: 1.5rem 0 0; font-size: 1rem; } .wide { overflow-x: auto; }
.verdict { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: .5rem 0; }
.gain { color: #047857; } .loss { color: #b91c1c; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem;
         margin: 1rem 0; }
.card { border: 1px solid #e2e8f0; border-radius: .4rem; padding: .4rem .7rem; }
.card b { display: block; font-size: 1.15rem; } .card small { color: #475569; line-height: 1.3;
          display: block; }
@media (max-width: 30rem) {
  body { margin: .8rem auto; font-size: 15px; } h1 { font-size: 1.3rem; margin: 0; }
  h2 { margin-top: 2rem; font-size: 1.2rem; } .verdict { font-size: 1.2rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .3rem; margin: .6rem 0; }
  .card { padding: .2rem .5rem; } .card b { font-size: 1rem; } .card small { font-size: .75rem; }
  td:not(:first-child):not(.words) { white-space: normal; }
  td:first-child { overflow-wrap: anywhere; min-width: 4.5rem; }
  .lead { font-size: .85rem; margin: .4rem 0; } th, td { padding: .2rem .25rem; font-size: .75rem; }
}
"""

_FIT = """<script>
if (window.Plotly) new ResizeObserver(() =>
  document.querySelectorAll('.plotly-graph-div').forEach((one) => Plotly.Plots.resize(one))
).observe(document.body);
</script>"""
"""Pictures follow the window's width, also where it is set only after they were drawn."""
_LONGEST_ON_A_LINE = 30  # characters
_MARGIN = {"l": 60, "r": 15, "t": 30, "b": 60}


@dataclass(frozen=True)
class Table:
    """A table with a caption; cells are plain text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


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
    a note that there is nothing to draw yet.
    """

    key: str
    title: str
    paragraphs: Sequence[str]
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = field(default=())


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
    plotly_js: bool | str = True  # inside the page, once
    for section in sections:
        parts.append(f'<section id="{section.key}"><h2>{html.escape(section.title)}</h2>')
        parts += [_paragraph(text) for text in section.paragraphs]
        for chart in section.charts:
            if not chart.series:
                parts.append(_paragraph(f"{chart.title}: nothing to draw yet."))
                continue
            figure = chart_to_plotly(chart).update_layout(title=None, margin=_MARGIN)
            parts.append(f"<h3>{html.escape(chart.title)}</h3>")
            parts.append(
                plotly.io.to_html(
                    figure,
                    full_html=False,
                    include_plotlyjs=plotly_js,
                    config={"responsive": True, "displaylogo": False},
                )
            )
            plotly_js = False
        parts += [_table(table) for table in section.tables]
        parts.append("</section>")
    path.write_text("\n".join([*parts, _FIT, "</body></html>"]), encoding="utf-8")


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
    rows = "".join(
        "<tr>" + "".join(f"<td{_kind(cell)}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    caption = html.escape(table.caption)
    inside = f"<caption>{caption}</caption><tr>{header}</tr>{rows}"
    return f'<div class="wide"><table>{inside}</table></div>'


def _kind(cell: str) -> str:
    """Let sentences wrap; numbers and their intervals stay on a line where there is room."""
    return ' class="words"' if len(cell) > _LONGEST_ON_A_LINE else ""
