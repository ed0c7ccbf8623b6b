"""The live screen at any terminal width."""

import dataclasses
import io
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from advanced_mm.model import solve
from advanced_mm.parameter_files import (
    ParameterEntry,
    Settings,
    ValueFunctionEntry,
    model_problem,
    value_function_fields,
)
from advanced_mm.report.live_screen import live_screen, status_line
from advanced_mm.session.bot_view import BotState
from advanced_mm.session.bots import BotLook, BotPlan
from advanced_mm.session.budget_log import BudgetLog
from advanced_mm.session.quote_audit import QuoteAudit
from advanced_mm.session.session import SessionView
from tests.report.test_earnings_panel import earned_of

PART = SimpleNamespace(name="venue", pid=4711)
SESSION = SimpleNamespace(
    rest_address="http://127.0.0.1:1",
    page_address="http://127.0.0.1:3/",
    bots=[SimpleNamespace(plan=BotPlan("bot"), address="http://127.0.0.1:2")],
    budget=BudgetLog(),
    options=SimpleNamespace(folder=Path("/tmp/session")),
    parts=[PART],
)


def view_of(parameters, fault=None, bot=True) -> SessionView:
    if parameters is not None:
        fields = value_function_fields(solve(model_problem(parameters, Settings())))
        header = {n: getattr(parameters.kappa, n) for n in ParameterEntry.model_fields}
        entry = ValueFunctionEntry(**header, **fields)
        parameters = dataclasses.replace(parameters, value_functions=(entry,))
        at = parameters.kappa.published_at + timedelta(seconds=7)
    else:
        at = None
    state = BotState("buy", 2998.5, 0.0, 4, -1.25, -1.0) if bot else None
    looks = (BotLook("bot", state, QuoteAudit(Path("x"))),)
    return SessionView(at, "ETH", 3000.0, looks, parameters, fault, {"venue": 2**27}, {})


def rendered(view: SessionView, width: int = 120, earned=None) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(live_screen(SESSION, view, earned, 75, width))
    return console.file.getvalue()


def test_it_shows_market_bot_parameters_and_parts(make_set):
    screen = rendered(view_of(make_set()))
    for shown in (
        "buy 2998.5 (5.00 bp)",
        "refit 7 s ago, data 8 s old, 29.9 min observed",
        "κ ok",
        "2.6±0.2",
        "1.82 competitive",
        "128 MB",
        "1:15",
        "/tmp/session/logs",
        "live page http://127.0.0.1:3/",
    ):
        assert shown in screen


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (
            {"beta": 0.3, "r2_out_of_sample": 0.12, "beta_slope_se": 0.06},
            "β 1.00 ± 0.20 bp (R² 0.12)",
        ),
        ({"beta": 0.0, "beta_slope": 0.03}, "β 0.10 bp, not significant"),
        ({"beta": 0.3, "status": "insufficient"}, "β unknown"),
    ],
)
def test_it_shows_what_the_sizes_foretell(make_set, fields, shown):
    parameters = make_set(**{"beta": fields["beta"]})
    fitted = parameters.fair_price.model_copy(update=fields)
    assert shown in rendered(view_of(dataclasses.replace(parameters, fair_price=fitted)))
    assert "β" not in rendered(view_of(make_set()))


@pytest.mark.parametrize("width", [80, 120])
def test_no_edge_is_promised_before_fills_have_kept_it(make_set, width):
    text = rendered(view_of(make_set()), width) + status_line(SESSION, view_of(make_set()), None, 1)
    assert "nothing was traded yet" in text
    assert "edge" not in text
    assert "off by" not in text


def test_toxicity_stands_out(make_set):
    steep = make_set(
        epsilon_fill_plus=0.9, epsilon_fill_intercept_plus=0.6, epsilon_fill_slope_plus=1.0
    )
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    console.print(live_screen(SESSION, view_of(steep), None, 1, 120))
    text = console.file.getvalue()
    assert "\x1b[31m2.34 toxic" in text


@pytest.mark.parametrize("width", [80, 100, 110, 200])
def test_it_fits_the_terminal_and_nothing_is_cut(make_set, width):
    text = rendered(view_of(make_set()), width, earned_of())
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= 24
    assert "…" not in text
    for shown in ("1.82 competitive", "buy 2998.5 (5.00 bp)", "fees", "128 MB"):
        assert shown in text


def test_it_says_why_nothing_is_quoted(make_set):
    view = view_of(make_set())
    view.bots[0].audit.refusal = "the book is 141 s old"
    assert "not quoting: the book is 141 s old" in rendered(view)


def test_it_shows_what_guards_do(make_set):
    view = view_of(make_set())
    view.bots[0].audit.guards["volatility"] = "volatility pauses entries: volatility: 2.5 times"
    assert "guard volatility pauses entries: volatility: 2.5 times" in rendered(view)
    assert "(guard volatility pauses entries" in status_line(SESSION, view, None, 75)


def test_it_says_what_was_left_out_of_lists(make_set):
    view = view_of(make_set())
    view.bots[0].audit.bad_rows = "2 bad fills rows (last: sz NaN)"
    assert "left out: 2 bad fills rows" in rendered(view)
    assert "(2 bad fills rows (last: sz NaN))" in status_line(SESSION, view, None, 75)


def test_before_the_first_fit_it_says_why_nothing_is_quoted():
    assert "kappa.json does not exist" in rendered(
        view_of(None, "kappa.json does not exist", False)
    )


def test_the_status_line_fits_a_log(make_set):
    line = status_line(SESSION, view_of(make_set()), earned_of(), 75)
    assert "\n" not in line
    assert "fills 4" in line
    assert "P&L −18.25 USDC" in line
    assert "kappa 2.6/2.7 (ok)" in line


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"status": "stale", "silent": "trades"}, "trades silent: no new positions"),
        ({"not_heard": "bbo 31 s"}, "not heard: bbo 31 s"),
    ],
)
def test_a_silent_channel_shows(make_set, changes, shown):
    view = view_of(make_set(**changes))
    assert shown in status_line(SESSION, view, None, 75)
    assert shown in rendered(view)
    assert "silent" not in status_line(SESSION, view_of(make_set()), None, 75)


RECORD = {
    "money": {
        "realised": 24.72, "open": -1.5, "maker_fees": 28.49, "taker_fees": 1.2,
        "maker_fills": 21, "taker_fills": 1,
    },
    "orders": {"filled": 20, "cancelled": 3, "post_only_refused": 2},
    "queue": {
        "waited_median_ms": 1357, "ahead_median": 5.0, "alone_share": 0.25, "partial_share": 0.1
    },
    "requests_used": 30,
    "requests_allowed": 199938,
}  # fmt: skip


def test_live_it_shows_what_the_venue_says(make_set):
    looks = (
        BotLook("long_bot", None, QuoteAudit(Path("x")), RECORD),
        BotLook("short_bot", None, QuoteAudit(Path("y")), None),
    )
    looks[1].audit.refusal = "an order is in doubt"
    view = dataclasses.replace(view_of(make_set()), bots=looks, limits={})
    screen = rendered(view)
    for shown in (
        "+24.72",
        "28.49+1.20",
        "21+1 (10% parts)",
        "1.4 s",
        "5 (25% none)",
        "20 / 3 / 2",
        "30 of 199938",
        "short_bot: not quoting: an order is in doubt",
    ):
        assert shown in screen
    line = status_line(SESSION, view, None, 75)
    assert "venue: fills 22 realised +24.72 open -1.50 fees 29.69" in line


@pytest.mark.parametrize("width", [80, 120])
def test_live_with_two_bots_it_fits_the_terminal(make_set, width, monkeypatch):
    """Five processes, and what the venue says of either bot."""
    looks = tuple(
        BotLook(name, None, QuoteAudit(Path("x")), RECORD) for name in ("long_bot", "short_bot")
    )
    names = ("venue", "collector", "runner", "long_bot", "short_bot")
    monkeypatch.setattr(SESSION, "parts", [SimpleNamespace(name=name) for name in names])
    memory = dict.fromkeys(names, 351 * 2**20)
    view = dataclasses.replace(view_of(make_set()), bots=looks, limits={}, memory=memory)
    text = rendered(view, width, earned_of())
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("running 351 MB") == 5
    for shown in ("+24.72", "-1.50", "21+1", "1.4 s", "20 / 3 / 2", "fees", "−25.63"):
        assert shown in text
    assert len(text.splitlines()) <= 29
