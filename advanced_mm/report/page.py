"""A self-contained HTML page: sections of prose, charts and tables, no network needed."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import plotly.io

from advanced_mm.report.charts import Chart, chart_to_plotly

__all__ = ["Section", "Table", "write_page"]

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1e293b; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: #475569; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #e2e8f0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
td:not(:first-child):not(:last-child) { white-space: nowrap; }
pre { background: #f1f5f9; padding: .8rem 1rem; overflow-x: auto; }
"""


@dataclass(frozen=True)
class Table:
    """A table with a caption; cells are plain text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


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


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write the page, with Plotly's script included, so that it needs no network.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(lead)}</p>"
    ]
    plotly_js: bool | str = True  # inside the page, once
    for section in sections:
        parts.append(f'<section id="{section.key}"><h2>{html.escape(section.title)}</h2>')
        parts += [_paragraph(text) for text in section.paragraphs]
        for chart in section.charts:
            if not chart.series:
                parts.append(_paragraph(f"{chart.title}: nothing to draw yet."))
                continue
            figure = chart_to_plotly(chart)
            parts.append(plotly.io.to_html(figure, full_html=False, include_plotlyjs=plotly_js))
            plotly_js = False
        parts += [_table(table) for table in section.tables]
        parts.append("</section>")
    path.write_text("\n".join([*parts, "</body></html>"]), encoding="utf-8")


def _paragraph(text: str) -> str:
    if text.startswith(" "):
        return f"<pre>{html.escape(text.strip())}</pre>"
    return f"<p>{html.escape(text)}</p>"


def _table(table: Table) -> str:
    header = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    caption = html.escape(table.caption)
    return f"<table><caption>{caption}</caption><tr>{header}</tr>{rows}</table>"
