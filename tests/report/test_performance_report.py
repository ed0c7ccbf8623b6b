"""The performance report as a command: table, JSON, page, comparison, and its refusals."""

import html
import json
import re
import runpy
import sqlite3
from pathlib import Path

import pytest

from advanced_mm.cli import run
from advanced_mm.performance import Figure
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.report.charts import Chart, Series, chart_to_plotly
from advanced_mm.report.performance_table import figure_text, money, span_text
from advanced_mm.report.pictures import chart_to_png
from tests.performance.journals import a_round_trip_of_freqtrade, session

ROOT = Path(__file__).parents[2]
MAIN = runpy.run_path(str(ROOT / "scripts" / "performance_report.py"))["main"]
PARTS = ("spread_captured", "adverse_selection", "inventory", "fees", "funding")


@pytest.fixture
def folder(tmp_path):
    return session(tmp_path / "user_data")


def told(capsys, *words) -> dict:
    assert MAIN([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words) -> str:
    assert run(lambda _: MAIN([*map(str, words)])) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    return error


def test_the_keys_are_those_of_the_documentation_and_add_up(folder, capsys):
    report = told(capsys, "--journal", folder)
    for parts in (report["coins"]["ETH"], report["total"]):
        assert parts["equity_change"] == pytest.approx(sum(parts[name] for name in PARTS))
        assert parts["fills"] == 120
    assert report["total"]["equity_change"] == pytest.approx(119.148, abs=1e-6)
    assert report["account"]["unexplained"] == pytest.approx(0, abs=1e-6)
    one = report["coins"]["ETH"]
    assert one["mid_sources"] == {"journal": 1.0}
    assert one["figures"]["fill_rate"]["value"] == 1
    documented = (ROOT / "docs" / "performance.md").read_text()
    for key in [*report, *one, *one["figures"]]:
        assert f"`{key}`" in documented, key


def test_the_table_says_whether_it_earned_and_why(folder, capsys):
    assert MAIN(["--journal", str(folder), "--break-even", "--monthly-cost", "server=20"]) == 0
    shown = capsys.readouterr().out
    assert "It earned 119." in shown
    for words in ("spread captured", "adverse selection", "least spread", "server, 20 USDC a month",
                  "The accounts agree", "pays"):  # fmt: skip
        assert words in shown


def test_the_page_stands_alone_and_answers_at_its_top(folder, tmp_path, capsys):
    page = tmp_path / "out" / "report.html"
    assert MAIN(["--journal", str(folder), "--html", str(page), "--break-even"]) == 0
    text = page.read_text()
    assert 'src="http' not in text
    body = text.partition("</style>")[2]
    verdict, picture = body.index("It earned 119."), body.index("plotly-graph-div")
    assert verdict < body.index("spread captured") < picture
    for title in ("Where the money came from", "What the market took back",
                  "Did the model tell the truth?", "Fills and inventory", "By the hour",
                  "The same fills in groups", "The least spread that pays"):  # fmt: skip
        assert title in body


MEASURE = """<script>
const told = document.createElement('pre');
told.id = 'found';
document.body.append(told);
setInterval(() => {  // charts take a while to be drawn and to fit; the last word counts
  told.textContent = JSON.stringify([...document.querySelectorAll('iframe')].map((frame) => {
    const page = frame.contentDocument, width = frame.clientWidth;
    const clipped = [...page.querySelectorAll('svg text')].filter((text) => {
      const own = text.getBoundingClientRect();
      return own.width && (own.left < -0.5 || own.right > width + 0.5);
    });
    const cards = [...page.querySelectorAll('.card, .verdict')];
    return {
      width, charts: page.querySelectorAll('.js-plotly-plot').length,
      page: page.documentElement.scrollWidth, clipped: clipped.map((text) => text.textContent),
      answer: Math.max(...cards.map((card) => card.getBoundingClientRect().bottom)),
    };
  }));
}, 500);
</script>"""


def test_the_page_fits_a_telephone_and_answers_without_scrolling(folder, tmp_path, open_page):
    session(folder, "other", rounds=30)
    pages = {
        "one.html": ["--break-even", "--journal", str(folder)],
        "both.html": ["--compare", "bot", "other", "--journal", str(folder)],
    }
    frames = []
    for name, words in pages.items():
        assert MAIN([*words, "--html", str(tmp_path / name)]) == 0
        text = html.escape((tmp_path / name).read_text())
        frames += [
            f'<iframe style="border:0;width:{width}px;height:720px" srcdoc="{text}"></iframe>'
            for width in (400, 1280)
        ]
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(f"<!doctype html><body>{''.join(frames)}{MEASURE}</body>")
    dom = open_page(wrapper).dom
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom)[1]))
    assert [one["width"] for one in found] == [400, 1280] * 2
    for one in found:
        assert one["charts"] >= 4
        assert one["page"] <= one["width"], one
        assert one["clipped"] == []
        assert one["answer"] < 660


def test_two_bots_or_two_sessions_side_by_side(folder, tmp_path, capsys):
    session(folder, "other", rounds=30)
    both = told(capsys, "--compare", "bot", "other", "--journal", folder)
    assert {n: side["total"]["fills"] for n, side in both.items()} == {"bot": 120, "other": 60}
    second = session(tmp_path / "second", rounds=10)
    assert MAIN(["--compare", str(folder), str(second), "--coin", "ETH/USDC:USDC"]) == 0
    assert "Side by side" in capsys.readouterr().out


def test_a_comparison_has_its_page_and_its_costs(folder, tmp_path, capsys):
    session(folder, "other", rounds=30)
    page = tmp_path / "out" / "both.html"
    words = ("--compare", "bot", "other", "--journal", folder, "--break-even",
             "--monthly-cost", "server=20")  # fmt: skip
    assert MAIN([*map(str, words), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    costs = shown[shown.index("The least spread that pays") :].splitlines()
    (server,) = [line for line in costs if "server, 20 USDC a month" in line]
    first, second = (float(word) for word in server.split("│")[2:4])
    assert first == pytest.approx(second, rel=0.05)  # they trade at the same pace
    (verdicts,) = [line for line in costs[1:] if "pays" in line]
    assert verdicts.count("pays") == 2
    body = page.read_text().partition("</style>")[2]
    verdict = body.index("bot: +119.1")
    assert verdict < body.index("most of it by spread captured") < body.index("plotly-graph-div")
    for title in ("How the equity went", "Where the money came from", "What the market took back",
                  "Did the model tell the truth?", "Figures", "The least spread that pays",
                  "What this rests on"):  # fmt: skip
        assert title in body
    both = told(capsys, *words)
    assert all(side["coins"]["ETH"]["break_even"]["pays"] for side in both.values())


def test_coins_have_their_columns_and_a_total(folder, capsys):
    session(folder, "bot2", coin="kPEPE", price=0.01)
    report = told(capsys, "--journal", folder)
    assert list(report["coins"]) == ["ETH", "kPEPE"]
    total = sum(one["equity_change"] for one in report["coins"].values())
    assert report["total"]["equity_change"] == pytest.approx(total)
    assert list(told(capsys, "--journal", folder, "--coin", "KPEPE")["coins"]) == ["kPEPE"]


def test_an_interval_of_time_is_its_part(folder, capsys):
    first = told(capsys, "--journal", folder, "--until", "2025-11-24T16:29:59")
    rest = told(capsys, "--journal", folder, "--since", "2025-11-24T16:30:00")
    assert first["total"]["fills"] + rest["total"]["fills"] == 120
    assert 0 < first["total"]["fills"] < 120


def test_a_database_says_what_it_can(tmp_path, capsys):
    path = tmp_path / "tradesv3.sqlite"
    a_round_trip_of_freqtrade(path)
    report = told(capsys, "--db", path, "--data-dir", tmp_path)
    assert report["total"]["equity_change"] == pytest.approx(1.75)
    assert report["total"]["fills_with_mid"] == 0
    assert "The mid at the fills is unknown" in " ".join(report["coins"]["ETH"]["notes"])


def test_stacked_bars_stand_on_each_other_on_both_sides_of_zero(tmp_path):
    times = ["2026-01-01T00:00", "2026-01-01T01:00"]
    chart = Chart("parts", "UTC", "USDC", [
        Series("a", times, [1.0, 2.0], "stacked"), Series("b", times, [-1.0, -3.0], "stacked"),
        Series("c", times, [4.0, -1.0], "stacked"), Series("sum", times, [4.0, -2.0]),
    ])  # fmt: skip
    figure = chart_to_plotly(chart)
    assert figure.layout.barmode == "relative"
    assert [trace.type for trace in figure.data] == ["bar", "bar", "bar", "scatter"]
    chart_to_png(chart, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 5000


def test_numbers_in_words():
    assert [money(x) for x in (12.345, -0.5, 0.00001, 0)] == ["+12.35", "−0.5000", "0", "0"]
    assert span_text(90_000) == "90 seconds"
    assert span_text(600_000) == "10 minutes"
    assert span_text(3 * 86_400_000) == "3.0 days"
    assert figure_text(Figure(0.5, "share", 0.25, 0.75)) == "50 [25, 75]%"
    assert figure_text(Figure(float("nan"), "bp")) == "–"
    assert figure_text(Figure(7.94e-12, "USDC", -3e-15, 0.02)) == "0 [0, 0.02] USDC"


# ---- what is refused, each in one sentence


def test_no_journal_no_coin_no_time_no_cost(folder, tmp_path, capsys):
    assert "There is no journal" in refused(capsys, "--journal", tmp_path / "empty")
    assert "has no coin 'DOGE'" in refused(capsys, "--journal", folder, "--coin", "DOGE")
    late = ("--journal", folder, "--since", "2030-01-01")
    assert "There are no fills in that time" in refused(capsys, *late)
    turned = ("--journal", folder, "--since", "2026-01-02", "--until", "2026-01-01")
    assert "--since lies after --until" in refused(capsys, *turned)
    assert "a number above 0" in refused(capsys, "--journal", folder, "--horizon", "0")
    negative = ("--journal", folder, "--break-even", "--monthly-cost", "server=-1")
    assert "server=-1" in refused(capsys, *negative)
    assert "which is missing" in refused(capsys, "--journal", folder, "--fee", "0.1")
    twice = ("--journal", folder, "--compare", "bot", "bot")
    assert "names bot twice" in refused(capsys, *twice)
    also = ("--journal", folder, "--compare", "bot", "other", "--bot", "bot")
    assert "leave out --bot" in refused(capsys, *also)
    assert "wrote nothing" in refused(capsys, "--journal", folder, "--bot", "nobody")
    with pytest.raises(SystemExit, match="2"):
        MAIN(["--since", "yesterday"])
    assert "is no time" in capsys.readouterr().err


def test_a_database_of_another_program(tmp_path, capsys):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    assert "not a readable database of Freqtrade's" in refused(capsys, "--db", other)
    assert "no such file" in refused(capsys, "--db", tmp_path / "none.sqlite")


def test_a_damaged_day_is_named_and_the_others_are_read(folder, capsys):
    damaged = folder / "journal" / "ETH" / "2025-11-20.parquet"
    damaged.write_bytes(b"PAR1 not really")
    report = told(capsys, "--journal", folder)
    assert report["total"]["fills"] == 120
    assert any("2025-11-20.parquet" in note for note in report["coins"]["ETH"]["notes"])
    (record,) = journal_records(folder / "journal")
    assert len(record.skipped) == 1
    (folder / "journal" / "BTC").mkdir()
    (folder / "journal" / "BTC" / "2025-11-24.parquet").write_bytes(b"nor this")
    assert MAIN(["--journal", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "with 120 fills (2 damaged day files skipped)." in " ".join(shown.split())
    assert "BTC/2025-11-24.parquet" in shown.replace("\n", "")
    (folder / "journal" / "ETH" / "2025-11-24.parquet").write_bytes(b"gone")
    alone = refused(capsys, "--journal", folder)
    assert "There are no fills" in alone
    assert "ETH/2025-11-24.parquet" in alone
