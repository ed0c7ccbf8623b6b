"""The page is small, stands alone, and is readable on a telephone and in the dark."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from advanced_mm.report.charts import COLOURS, DARK_COLOURS
from advanced_mm.report.research.page import research_sections, write_research_page
from advanced_mm.report.research.panels import PANELS
from advanced_mm.report.research.tested import put_to_test
from advanced_mm.research.columns import COLUMNS
from tests.report.research.markets import market, study

MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def day():
    candles = market(86_400)
    return replace(study(candles), tested=put_to_test(candles))


@pytest.fixture(scope="module")
def other():
    """A quieter pair in candles of five seconds, without quotes."""
    return study(market(86_400, name="WLFI/USDC", spread_bp=4.0, quotes=False, step=5, seed=3))


@pytest.fixture(scope="module")
def compared(day, other, tmp_path_factory):
    page = tmp_path_factory.mktemp("research") / "out" / "compared.html"
    write_research_page(page, [day, other])
    return page


def test_a_day_of_seconds_is_a_small_page_that_stands_alone(day, compared, tmp_path):
    page = tmp_path / "day.html"
    write_research_page(page, [day])
    text = page.read_text()
    assert len(text.encode()) < MOST_BYTES / 2
    assert 'src="http' not in text
    body = text.partition("</style>")[2]
    assert body.index("it is above the fee of 1.5 bp at 3 of 24 hours") < body.index("graph-div")
    assert len(compared.read_bytes()) < MOST_BYTES / 2


@pytest.mark.parametrize(
    ("fee_bp", "said"),
    [
        (1.5, "WIDE leaves the most after two fees: spread 4 bp, less two fees +1.00 bp."),
        (2.5, "No spread covers two fees; WIDE comes closest: spread 4 bp, less two fees -1.00"),
    ],
)
def test_the_headline_ranks_markets_by_what_fees_leave(fee_bp, said, tmp_path):
    page = tmp_path / "page.html"
    both = [("NARROW", 2.0), ("WIDE", 4.0)]
    studies = [study(market(100, name=name, spread_bp=bp), fee_bp) for name, bp in both]
    write_research_page(page, studies)
    assert said in page.read_text()


def test_every_panel_is_drawn_for_every_market(day, other):
    sections = {one.key: one for one in research_sections([day, other])}
    charts = sections["pictures"].charts
    assert len(PANELS) == 10
    assert [chart.title for chart in charts[:2]] == [
        "ETH: Candles of 5 minutes",
        "WLFI/USDC: Candles of 5 minutes",
    ]
    for chart in charts:
        assert chart.series, chart.title
        for series in chart.series:
            drawn = np.asarray(series.y, np.float64)
            assert np.isfinite(drawn).mean() > 0.8, (chart.title, series.name)
            assert len(drawn) <= 1441
    compared = sections["insights"].tables[0]
    assert list(compared.header) == ["", "ETH", "WLFI/USDC"]
    rows = {row[0]: row[1:] for row in compared.rows}
    assert rows["spread, bp"][0] == "1.01"
    assert rows["spread from"] == ["quotes", "Roll"]
    assert [chart.title for chart in sections["hours"].charts] == [
        "Spread by the hour", "Volatility by the hour",
    ]  # fmt: skip
    words = sections["words"].tables[0].rows
    assert "volatility_60s, _300s, _900s, _3600s" in [row[0] for row in words]
    assert sum(len(row[0].split(", ")) for row in words) == len(COLUMNS)


def test_hours_of_different_markets_stand_in_the_day_s_order():
    """Of one that ended before the other began: each has a place for each hour of either."""
    late = market(3600, name="LATE")
    frame = late.frame.set_axis(late.frame.index - pd.Timedelta(hours=3))
    early = replace(late, frame=frame, name="EARLY")
    sections = {one.key: one for one in research_sections([study(late), study(early)])}
    for chart in sections["hours"].charts:
        assert [list(one.x) for one in chart.series] == [["13", "14", "16", "17"]] * 2
        known = [np.isfinite(one.y).tolist() for one in chart.series]
        assert known == [[False, False, True, True], [True, True, False, False]]


def test_what_a_source_lacks_leaves_a_note_and_no_picture(tmp_path, day):
    """Of an exchange that publishes only the five usual columns."""
    candles = market(3600, quotes=False)
    gone = dict.fromkeys(("quote_volume", "trades", "taker_buy_volume"), np.nan)
    bare = study(type(candles)(candles.frame.assign(**gone), 1, "POL/USDT"))
    page = tmp_path / "bare.html"
    write_research_page(page, [bare])
    text = html.unescape(page.read_text())
    assert "Theoretical P&L: no income: nothing to draw yet." in text
    charts = {one.title: one for one in research_sections([bare])[2].charts}
    risk = charts["Risk"]  # the takers' flow is unknown: the price's distance has the left axis
    assert (risk.y_label, risk.right_label) == ("bp", "")
    assert [(one.name, one.right) for one in risk.series] == [("distance from the VWAP", False)]
    assert not re.search(r">[^<]*\bnan\b", re.sub(r"<script.*?</script>", "", text, flags=re.S))


MEASURE = """<script>
const told = document.createElement('pre');
told.id = 'found';
document.body.append(told);
const channel = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
  .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
const ratio = (one, two) => {
  const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
let drawn = 0;
const timer = setInterval(() => {  // measured once, when all is drawn and had time to settle
  const pages = [...document.querySelectorAll('iframe')].map((frame) => frame.contentDocument);
  const count = (page, name) => page.querySelectorAll(name).length;
  drawn += pages.every((page) => count(page, '.plotly-graph-div') &&
    count(page, '.plotly-graph-div') === count(page, '.js-plotly-plot'));
  if (drawn < 4) return;
  clearInterval(timer);
  told.textContent = JSON.stringify([...document.querySelectorAll('iframe')].map((frame) => {
    const page = frame.contentDocument, width = frame.clientWidth, view = frame.contentWindow;
    const box = (one) => one.getBoundingClientRect();
    const overlaps = [], clipped = [], faint = [];
    let labels = 0;
    const ground = channel(view.getComputedStyle(page.body).backgroundColor);
    const below = ground[3] === 0 ? [255, 255, 255] : ground;
    for (const chart of page.querySelectorAll('.js-plotly-plot')) {
      const texts = [...chart.querySelectorAll('svg text')]
        .filter((one) => one.textContent.trim() && box(one).width);
      labels += texts.length;
      for (const [place, one] of texts.entries()) {
        const a = box(one);
        if (a.left < -0.5 || a.right > width + 0.5) clipped.push(one.textContent);
        if (ratio(channel(view.getComputedStyle(one).fill), below) < 4.5)
          faint.push(one.textContent);
        for (const other of texts.slice(place + 1)) {
          const b = box(other), slack = 1.5;
          if (a.left + slack < b.right && b.left + slack < a.right &&
              a.top + slack < b.bottom && b.top + slack < a.bottom)
            overlaps.push([one.textContent, other.textContent]);
        }
      }
    }
    for (const one of page.querySelectorAll('p, h1, h2, h3, th, td, caption, small, b')) {
      const style = view.getComputedStyle(one), [r, g, b, alpha] = channel(style.backgroundColor);
      const share = alpha ?? 1;
      const under = [r, g, b].map((top, place) => share * top + (1 - share) * below[place]);
      if (ratio(channel(style.color), under) < 4.5) faint.push(one.textContent);
    }
    return {width, labels, charts: page.querySelectorAll('.js-plotly-plot').length,
            page: page.documentElement.scrollWidth, overlaps, clipped, faint, ground: below};
  }));
}, 500);
</script>"""


def test_no_label_overlaps_and_all_are_readable(compared, tmp_path, open_page):
    """On a telephone in the dark, and on a wide window in the light: a frame follows its scheme."""
    text = html.escape(compared.read_text())
    frames = [
        f'<iframe style="border:0;width:{width}px;height:720px;color-scheme:{scheme}" '
        f'srcdoc="{text}"></iframe>'
        for width, scheme in ((400, "dark"), (1280, "light"))
    ]
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(f"<!doctype html><body>{''.join(frames)}{MEASURE}</body>")
    dom = open_page(wrapper, "--virtual-time-budget=60000").dom
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)[1]))
    assert [one["width"] for one in found] == [400, 1280]
    for one, ground in zip(found, ([15, 23, 42], [255, 255, 255]), strict=True):
        assert one["charts"] == 2 * len(PANELS) + 2
        assert one["labels"] > 200
        assert one["page"] <= one["width"]
        assert (one["overlaps"], one["clipped"], one["faint"]) == ([], [], [])
        assert one["ground"][:3] == ground


def test_lines_stand_out_from_both_grounds():
    for colours, ground in ((COLOURS, "#ffffff"), (DARK_COLOURS, "#0f172a")):
        for colour in colours:
            low, high = sorted((brightness(colour), brightness(ground)))
            assert (high + 0.05) / (low + 0.05) > 3, colour


def brightness(colour: str) -> float:
    """Relative luminance, as the Web Content Accessibility Guidelines define it."""
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
