"""Makers' files: sound, with keys, free of a kill file, and none in another's way."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.ports import Listener
from advanced_mm.errors import InputError
from advanced_mm.hedging import restore_state
from advanced_mm.key_files import KeyFileError, file_of
from advanced_mm.maker.config import MakerSettings, read_config
from advanced_mm.maker.config.keys import KEY_VARIABLES, ExchangeKind, keys_of
from advanced_mm.maker.config.live import check_bounds

__all__ = ["ExaminedMaker", "Market", "examine_makers", "listeners_of_makers", "makers_that_ran"]

_NO_LIVE: Final = "it can only be run without --live"


@dataclass(frozen=True)
class Market:
    """A market that a maker trades, to quote or to hedge there; ``url`` None is the real one."""

    kind: ExchangeKind
    url: str | None
    symbol: str

    def __str__(self) -> str:
        return f"{self.symbol} at {self.url or self.kind}"


@dataclass(frozen=True)
class ExaminedMaker:
    """A maker whose file could be read; ``given`` where a person named it."""

    path: Path
    settings: MakerSettings
    given: bool

    @property
    def markets(self) -> dict[Market, bool]:
        """All markets in which it has orders, and whether other makers may trade there."""
        found: dict[Market, bool] = {}
        for one in self.settings.markets:
            places = [(one.exchange, one.symbol)]
            if one.hedge is not None:
                places.append((one.hedge.exchange, one.hedge.symbol))
            for name, symbol in places:
                exchange = self.settings.exchanges[name]
                market = Market(exchange.kind, exchange.url, symbol)
                found[market] = one.other_makers and found.get(market, True)
        return found


def makers_that_ran(user_data: Path) -> list[Path]:
    """Return the makers' files of Freqtrade's folder that have a journal or a kill file.

    One that cannot be read is among them: whether it ran is not known. Examples that nobody has run
    are not.
    """
    found = []
    for path in sorted((user_data / "makers").glob("*.yaml")):
        try:
            settings = read_config(path).settings
        except InputError:
            found.append(path)
            continue
        traces = [settings.journal_in(live=live) for live in (True, False)]
        if any(trace.exists() for trace in (*traces, settings.kill_path)):
            found.append(path)
    return found


def examine_makers(
    given: Iterable[Path], found: Iterable[Path], environment: Mapping[str, str]
) -> tuple[list[Line], list[ExaminedMaker]]:
    """Return what is to be said of makers' files, and the makers of those that are sound.

    Parameters
    ----------
    given, found
        Files that a person named, and others that have run. Of two makers that were named it is
        supposed that they are to run at once.
    environment
        Where their keys are.
    """
    lines: list[Line] = []
    makers: list[ExaminedMaker] = []
    named = {path.resolve(): path for path in given}
    others = [path for path in found if path.resolve() not in named]
    for path in (*named.values(), *others):
        try:
            settings = read_config(path).settings
        except InputError as error:
            level = warning if path in others else fault
            remedy = "correct the file; docs/maker_file.md lists the settings"
            lines += [level("maker", one.rstrip("."), remedy) for one in str(error).splitlines()]
            continue
        maker = ExaminedMaker(path, settings, path not in others)
        makers.append(maker)
        markets = ", ".join(map(str, maker.markets))
        lines.append(ok("maker", f"{settings.name}: {path} is sound, and trades {markets}"))
        lines += [*_keys(maker, environment), *_bounds(maker), *_kill_file(maker)]
        lines += _hedges(maker)
    return lines + list(_in_each_others_way(makers)), makers


def listeners_of_makers(makers: Iterable[ExaminedMaker]) -> list[Listener]:
    """Return where makers offer metrics."""
    return [
        Listener(
            f"the metrics of {one.settings.name}",
            f"metrics_port in {one.path}",
            "127.0.0.1",
            one.settings.metrics_port,
            frozenset({"market_maker.py", one.path.name}),
        )
        for one in makers
        if one.settings.metrics_port is not None
    ]


def _keys(maker: ExaminedMaker, environment: Mapping[str, str]) -> Iterator[Line]:
    name = maker.settings.name
    ran_live = maker.settings.journal_in(live=True).exists()
    for kind in dict.fromkeys(one.kind for one in maker.settings.exchanges.values()):
        variables = KEY_VARIABLES[kind].values()
        files = [file for one in variables if (file := file_of(one, environment))]
        if not files and not any(environment.get(one) for one in variables):
            text = f"{name}: {' and '.join(variables)} are not set: {_NO_LIVE}"
            if ran_live:
                yield warning("keys", text, "export them before it is to run with --live again")
            else:
                yield ok("keys", text)
            continue
        try:
            keys_of(kind, environment)
        except KeyFileError as error:
            yield fault("keys", f"{name}: {error.fault}", error.remedy)
        except InputError as error:
            text, _, remedy = str(error).rstrip(".").partition(": ")
            yield fault("keys", f"{name}: {text}", remedy)
        else:
            inside = f", in {' and '.join(files)} where not everybody can read" if files else ""
            yield ok("keys", f"{name}: those of {kind} are present{inside}")


def _bounds(maker: ExaminedMaker) -> Iterator[Line]:
    try:
        check_bounds(maker.settings)
    except InputError as error:
        text, _, remedy = str(error).rstrip(".").rpartition(": ")
        yield warning("maker", f"{maker.settings.name}: {text}", remedy)


def _kill_file(maker: ExaminedMaker) -> Iterator[Line]:
    path = maker.settings.kill_path
    if path.exists():
        text = f"{maker.settings.name} does not start: its kill file {path} was left behind"
        yield (fault if maker.given else warning)("kill file", text, f"rm {path}")


def _hedges(maker: ExaminedMaker) -> Iterator[Line]:
    """Restore the hedges' states as a live maker does at its start."""
    for path in sorted(maker.settings.journal_in(live=True).glob("hedge.*.json")):
        try:
            state = restore_state(path.read_bytes(), str(path))
        except OSError as error:
            yield fault("hedge", f"{path} cannot be read ({error.strerror})", "fix its permissions")
        except InputError as error:
            text, _, remedy = str(error).rpartition("; " if "; " in str(error) else ": ")
            yield fault("hedge", text, remedy)
        else:
            yield ok("hedge", f"{path}: it holds {state.position:f}")


def _in_each_others_way(makers: list[ExaminedMaker]) -> Iterator[Line]:
    """Find makers with orders in one market of one account: keys are those of the environment."""
    for number, one in enumerate(makers):
        for other in makers[:number]:
            shared = [
                market
                for market, together in one.markets.items()
                if market in other.markets and not (together and other.markets[market])
            ]
            if not shared:
                continue
            text = (
                f"{other.settings.name} ({other.path.name}) and {one.settings.name} "
                f"({one.path.name}) trade {', '.join(map(str, shared))} on one account: each "
                "counts what the other trades as its own inventory"
            )
            remedy = (
                "run one at a time or with different accounts, or say other_makers: true for the "
                "market in both files"
            )
            yield (fault if one.given and other.given else warning)("two makers", text, remedy)
