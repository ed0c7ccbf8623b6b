"""The live status of a paper session, as a screen (rich) or one plain line."""

from datetime import datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from advanced_mm.parameter_files import ParameterEntry, ParameterSet
from advanced_mm.performance import EarnedSoFar
from advanced_mm.quoting import Side, toxicity, toxicity_regime
from advanced_mm.report.earnings_panel import earnings_line, earnings_panel
from advanced_mm.report.trading_panel import trading_line, trading_table
from advanced_mm.session.bot_view import BotState
from advanced_mm.session.bots import BotLook
from advanced_mm.session.session import PaperSession, SessionView

__all__ = ["live_screen", "status_line"]

_SIDES: tuple[tuple[str, str, Side], ...] = (
    ("ask (+)", "plus", "ask"),
    ("bid (−)", "minus", "bid"),
)
_DASH = "–"
_WIDE = 110
_BORDERS = 4
_NARROW = ("side", "λ₀ /s", "κ", "ε_fill", "κ·ε_fill", "depth")


def live_screen(
    session: PaperSession,
    view: SessionView,
    earned: EarnedSoFar | None,
    elapsed_seconds: float,
    width: int,
) -> RenderableType:
    """Compose the screen: market and bots, P&L and fills, parameters by side, the parts, addresses.

    ``earned`` is what the session has earned so far, None before anything was traded. Below
    ``_WIDE`` columns the tables show only the essential columns.
    """
    kind = "dry paper session" if view.limits is None else "paper session"
    title = f"Advanced Market Making · {kind} · {view.coin}"
    wide = width >= _WIDE
    clock = f"{int(elapsed_seconds // 60)}:{int(elapsed_seconds % 60):02d}"
    page = session.page_address
    addresses = Text(
        f"{'' if page is None else f'live page {page}  '}"
        f"venue {session.rest_address}  "
        f"{'  '.join(f'{bot.plan.name} {bot.address}' for bot in session.bots)} "
        "(login: config.session.json)\n"
        f"logs {_short(session.options.folder / 'logs')}   Ctrl-C stops everything",
        style="dim",
    )
    return Panel(
        Group(
            _bot_table(view),
            *([] if view.limits is None else [trading_table(view.bots, session.budget, wide)]),
            _refusal(view),
            earnings_panel(earned, width - _BORDERS),
            _parameter_table(view, wide),
            _health_table(session, view),
            addresses,
        ),
        title=title,
        subtitle=clock,
    )


def status_line(
    session: PaperSession, view: SessionView, earned: EarnedSoFar | None, elapsed_seconds: float
) -> str:
    """Return the essentials of the screen in one line, for a log or a pipe."""
    parts = [f"{elapsed_seconds:6.0f} s", f"mid {_number(view.mid)}"]
    for look in view.bots:
        bot = look.state
        parts += [
            *([look.name] if len(view.bots) > 1 else []),
            f"quote {_resting(bot, view.mid)}",
            *([f"({_not_quoting(look)})"] if look.audit.refusal is not None else []),
            *(f"(guard {does})" for does in look.audit.guards.values()),
            *([f"({look.audit.bad_rows})"] if look.audit.bad_rows is not None else []),
            f"inventory {_number(None if bot is None else bot.inventory)}",
            f"fills {_DASH if bot is None else bot.fills}",
        ]
    parts.append(earnings_line(earned))
    if view.limits is not None:
        parts.append(trading_line(view.bots, session.budget))
    parts.append(f"refits {max(look.audit.refits for look in view.bots)}")
    if view.parameters is None:
        parts.append(f"parameters: {view.parameters_fault}")
    else:
        kappa, epsilon = view.parameters.kappa, view.parameters.epsilon
        fill_plus, fill_minus = epsilon.epsilon_fill_plus, epsilon.epsilon_fill_minus
        parts += [
            f"kappa {_number(kappa.kappa_plus)}/{_number(kappa.kappa_minus)} ({kappa.status})",
            f"epsilon_fill {_number(fill_plus)}/{_number(fill_minus)} ({epsilon.status})",
            *_silence(view.parameters),
        ]
    return "  ".join(parts)


def _bot_table(view: SessionView) -> Table:
    table = Table(expand=True, box=None, pad_edge=False)
    several = len(view.bots) > 1
    names = ("resting quote", "inventory", "fills", "quotes")
    for name in (*([""] if several else []), "mid", *names):
        table.add_column(name, justify="right")
    for look in view.bots:
        bot = look.state
        table.add_row(
            *([look.name] if several else []),
            _number(view.mid),
            _resting(bot, view.mid),
            _number(None if bot is None else bot.inventory),
            _DASH if bot is None else str(bot.fills),
            str(look.audit.quotes),
        )
    return table


def _not_quoting(look: BotLook) -> str:
    return f"not quoting: {look.audit.refusal}"


def _refusal(view: SessionView) -> Text:
    """Return why bots are not quoting, what guards do, and which rows of lists were left out."""
    several = len(view.bots) > 1
    reasons = [
        f"{look.name + ': ' if several else ''}{_not_quoting(look)}"
        for look in view.bots
        if look.audit.refusal is not None
    ]
    reasons += [
        f"{look.name + ': ' if several else ''}guard {does}"
        for look in view.bots
        for does in look.audit.guards.values()
    ]
    reasons += [
        f"{look.name + ': ' if several else ''}left out: {look.audit.bad_rows}"
        for look in view.bots
        if look.audit.bad_rows is not None
    ]
    return Text("\n".join(reasons), style="yellow")


def _parameter_table(view: SessionView, wide: bool) -> RenderableType:
    parameters = view.parameters
    if parameters is None:
        return Text(f"\nno parameters yet: {view.parameters_fault}\n", style="yellow")
    title = Text(f"\n{_age_title(parameters, view.at)}", style="bold")
    table = Table(
        expand=True, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title,
        title_justify="left",
    )  # fmt: skip
    rows = [_side_cells(parameters, label, suffix, side) for label, suffix, side in _SIDES]
    for name in rows[0] if wide else _NARROW:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(row.values() if wide else (row[name].split("±")[0] for name in _NARROW)))
    return table


def _side_cells(parameters: ParameterSet, label: str, suffix: str, side: Side) -> dict[str, str]:
    lambda_, kappa, epsilon = parameters.lambda_, parameters.kappa, parameters.epsilon
    poison = toxicity(parameters, side)
    return {
        "side": label,
        "λ /s": _with_error(lambda_, f"lambda_{suffix}"),
        "λ₀ /s": _with_error(lambda_, f"lambda0_{suffix}"),
        "κ": _with_error(kappa, f"kappa_{suffix}"),
        "ε": _with_error(epsilon, f"epsilon_{suffix}"),
        "ε_fill": _with_error(epsilon, f"epsilon_fill_{suffix}"),
        "κ·ε_fill": _toxicity(poison),
        "depth": _in_bp(_depth(parameters, side), parameters.kappa.mid),
    }


def _depth(parameters: ParameterSet, side: Side) -> float | None:
    """Return this side's published depth."""
    for entry in parameters.value_functions:
        depths = entry.ask_depth if side == "ask" else entry.bid_depth
        quoted = [depth for depth in depths or () if depth is not None]
        if quoted:
            return quoted[0]
    return None


def _health_table(session: PaperSession, view: SessionView) -> Table:
    table = Table(expand=True, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for part in session.parts:
        table.add_column(part.name, justify="left")
    table.add_row(
        *(f"[green]running[/] {view.memory[part.name] / 2**20:.0f} MB" for part in session.parts)
    )
    return table


def _age_title(parameters: ParameterSet, now: datetime) -> str:
    entries: list[tuple[str, ParameterEntry]] = [
        ("λ", parameters.lambda_),
        ("κ", parameters.kappa),
        ("ε", parameters.epsilon),
    ]
    states = ", ".join(f"{name} {entry.status}" for name, entry in entries)
    states = "; ".join([*_silence(parameters), states])
    published = (now - parameters.kappa.published_at).total_seconds()
    fitted = parameters.kappa.fitted_at
    observed = f"{parameters.kappa.observed_seconds / 60:.1f} min observed"
    if fitted is None:
        return f"{states}; refit {published:.0f} s ago, {observed}: not enough data yet"
    data = f"data {(now - fitted).total_seconds():.0f} s old"
    told = [states, f"refit {published:.0f} s ago, {data}, {observed}", *_fair_price(parameters)]
    return "; ".join(told)


def _fair_price(parameters: ParameterSet) -> list[str]:
    """Return what the sizes at the touch foretell; empty if the refit has no fair price."""
    fitted, mid = parameters.fair_price, parameters.kappa.mid
    return [] if fitted is None or mid is None else [f"β {fitted.in_bp(mid)}"]


def _silence(parameters: ParameterSet) -> list[str]:
    """Return which market data channels are silent, or were for a part of the window."""
    kappa = parameters.kappa
    if kappa.silent is not None:
        return [f"{kappa.silent} silent: no new positions"]
    return [] if kappa.not_heard is None else [f"not heard: {kappa.not_heard}"]


def _resting(bot: BotState | None, mid: float | None) -> str:
    if bot is None or bot.resting_price is None:
        return "none"
    if mid is None:
        return f"{bot.resting_side} {bot.resting_price:g}"
    distance_bp = abs(bot.resting_price - mid) / mid * 1e4
    return f"{bot.resting_side} {bot.resting_price:.6g} ({distance_bp:.2f} bp)"


def _with_error(entry: ParameterEntry, name: str) -> str:
    value, error = getattr(entry, name), getattr(entry, f"{name}_se", None)
    if value is None:
        return _DASH
    return f"{value:.3g}" if error is None else f"{value:.3g}±{error:.1g}"


def _in_bp(value: float | None, mid: float | None) -> str:
    if value is None or mid is None:
        return _DASH
    return f"{value / mid * 1e4:.2f} bp"


def _toxicity(value: float | None) -> str:
    if value is None:
        return _DASH
    regime = toxicity_regime(value)
    return _coloured(f"{value:.2f} {regime}", bad=regime == "toxic")


def _coloured(text: str, bad: bool) -> str:
    return f"[red]{text}[/]" if bad else text


def _short(path: Path) -> str:
    """Return the path relative to the working directory if it is below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.6g}"
