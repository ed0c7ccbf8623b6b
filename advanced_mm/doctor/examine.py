"""All checks in turn."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from os.path import lexists
from pathlib import Path
from typing import Any, Final

from advanced_mm.doctor.account import account_capital, examine_account
from advanced_mm.doctor.clock import examine_clock
from advanced_mm.doctor.coins import examine_coins, examine_pairs
from advanced_mm.doctor.configuration import examine_configuration, examine_fields
from advanced_mm.doctor.disk import examine_disk, examine_room
from advanced_mm.doctor.env_files import examine_env_files
from advanced_mm.doctor.installation import examine_installation
from advanced_mm.doctor.keys import (
    Keys,
    examine_key_files,
    examine_keys,
    examine_role,
    hide_secrets,
)
from advanced_mm.doctor.lines import Line, fault, unchecked, warning
from advanced_mm.doctor.maker_exchanges import examine_exchanges
from advanced_mm.doctor.makers import examine_makers, listeners_of_makers, makers_that_ran
from advanced_mm.doctor.parameters import examine_parameters
from advanced_mm.doctor.patient import Machine, Patient
from advanced_mm.doctor.ports import (
    Listener,
    examine_ports,
    listeners_of_bot,
    listeners_of_machine,
)
from advanced_mm.doctor.recordings import examine_recordings
from advanced_mm.doctor.records import examine_database, examine_journal
from advanced_mm.doctor.strategy import attributes_of, examine_strategy
from advanced_mm.doctor.venue import Venue, venue_address
from advanced_mm.errors import InputError, VenueError
from advanced_mm.journal import JOURNAL_FOLDER
from advanced_mm.key_files import KeyFileError, with_values_of_files
from advanced_mm.maker.config import MakerSettings
from advanced_mm.marketdata.upkeep.retention import Retention
from advanced_mm.parameter_files import Settings, load_config

__all__ = ["Asked", "examine"]

_OF_THE_VENUE: Final = ("clock", "coins", "keys, account and requests")
_RETENTION: Final = re.compile(r"--keep-(days|gigabytes)[ =]([\d.]+)")


@dataclass(frozen=True)
class Asked:
    """What a person asked for.

    Attributes
    ----------
    config_files
        As Freqtrade is given them; none where only makers are to be examined.
    schema
        Freqtrade's schema of a configuration.
    project
        Folder with ``pyproject.toml`` and ``requirements.txt``.
    user_data
        Freqtrade's folder.
    data_dir
        Folder of the recordings.
    strategy_dir
        Folder of the strategy; None takes that of the configuration, or of Freqtrade's folder.
    retention
        What the collector keeps; None takes ``MM_COLLECTOR_OPTIONS`` of the environment.
    offline
        Whether the venue is not to be asked.
    makers
        Makers' files; those in Freqtrade's folder that have run are examined as well.
    env_files, other_env_files
        Files whose variables go before those of the environment, and others that are only to be
        kept from everybody's eyes.
    """

    config_files: tuple[Path, ...]
    schema: Mapping[str, Any]
    project: Path
    user_data: Path
    data_dir: Path
    strategy_dir: Path | None = None
    retention: Retention | None = None
    offline: bool = False
    makers: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()
    other_env_files: tuple[Path, ...] = ()


def examine(asked: Asked, machine: Machine | None = None) -> Iterator[Line]:
    """Make all checks, and yield a line for each thing that was looked at."""
    machine = machine or Machine()
    yield from examine_installation(asked.project, machine)
    lines, variables = examine_env_files(asked.env_files, asked.other_env_files)
    yield from lines
    machine = replace(machine, environment={**machine.environment, **variables})
    ran = makers_that_ran(asked.user_data)
    lines, makers = examine_makers(asked.makers, ran, machine.environment)
    listeners = [*listeners_of_makers(makers), *listeners_of_machine(machine.environment)]
    if asked.config_files:
        yield from _examine_bot(asked, machine, listeners)
    else:
        yield from examine_ports(listeners)
    yield from lines
    for maker in makers:
        yield from _examine_records(maker.settings, machine)
    yield from examine_exchanges(makers, offline=asked.offline)


def _examine_records(maker: MakerSettings, machine: Machine) -> Iterator[Line]:
    """Check a maker's journals, of which it has one where it has never run, or two."""
    folders = {live: maker.journal_in(live=live) for live in (True, False)}
    yield examine_room(folders[True], maker.name, machine)
    for folder in folders.values():
        if lexists(folder):
            yield from examine_journal(folder, maker.name, machine.now())


def _examine_bot(asked: Asked, machine: Machine, listeners: Sequence[Listener]) -> Iterator[Line]:
    """Check Freqtrade's configuration and all that depends on it, ports of all included."""
    environment, failed = with_values_of_files(machine.environment, "FREQTRADE__")
    try:
        config = load_config(asked.config_files, environment)
        written = load_config(asked.config_files, {})
    except InputError as error:
        yield fault("configuration", str(error).rstrip("."), "correct it, or give another --config")
        yield unchecked("the rest", "depends on the configuration")
        return
    for line in (
        *examine_key_files(machine.environment, environment, failed),
        *_examine_config(asked, machine, config, written, listeners, failed),
    ):
        yield hide_secrets(config, line)


def _examine_config(
    asked: Asked,
    machine: Machine,
    config: Mapping[str, Any],
    written: Mapping[str, Any],
    listeners: Sequence[Listener],
    failed: Sequence[KeyFileError],
) -> Iterator[Line]:
    strategy_dir = asked.strategy_dir or _strategy_dir(config, asked.user_data)
    attributes = attributes_of(strategy_dir)
    merged = {**attributes, **config}
    yield from examine_fields(merged, asked.schema)
    yield from examine_strategy(strategy_dir, attributes)
    try:
        settings = Settings.from_config(config)
    except InputError as error:
        yield fault("settings", str(error).partition(". Correct")[0], "docs/settings.md lists them")
        yield unchecked("the rest", "depends on the settings")
        return
    patient = Patient(
        config_files=asked.config_files,
        config={"position_adjustment_enable": settings.layers > 1, **merged},
        settings=settings,
        user_data=asked.user_data,
        data_dir=asked.data_dir,
        retention=asked.retention or _retention(machine.environment),
        machine=machine,
    )
    yield from examine_pairs(patient)
    lines, keys = examine_keys(patient, written, failed)
    yield from lines
    with nullcontext() if asked.offline else Venue(venue_address(patient.exchange)) as venue:
        capital = None
        if venue is None:
            for name in _OF_THE_VENUE:
                yield unchecked(name, "the venue was not asked (--offline)")
        else:
            lines, coins, not_traded = _coins(patient, venue)
            yield from lines
            if coins is not None:
                patient = replace(patient, not_traded=not_traded)
                lines, capital = _at_the_venue(patient, keys, coins, venue)
                yield from lines
            for code in sorted(not_traded):
                yield unchecked("recordings, parameters", f"{code} is not traded")
    yield from examine_configuration(patient, capital)
    yield from examine_ports([*listeners_of_bot(patient), *listeners])
    yield from examine_disk(patient)
    yield from examine_recordings(patient)
    yield from examine_parameters(patient)
    folder = patient.parameter_folder / JOURNAL_FOLDER
    yield from examine_journal(folder, "the bot", machine.now())
    yield from examine_database(patient)


def _coins(patient: Patient, venue: Venue) -> tuple[list[Line], list[str] | None, frozenset[str]]:
    """Return the lines, the venue's names of coins and codes it has not; None: it is silent."""
    try:
        return examine_coins(patient, venue)
    except VenueError as error:
        silent = warning(
            "venue",
            str(error).rstrip("."),
            "check the network (curl the address), or that the loopback venue runs; the bot does "
            "not start without it",
        )
        others = (unchecked(name, "the venue does not answer") for name in _OF_THE_VENUE)
        return [silent, *others], None, frozenset()


def _at_the_venue(
    patient: Patient, keys: Keys, coins: list[str], venue: Venue
) -> tuple[list[Line], float | None]:
    """Return the lines of all else that the venue is asked for, and the account's capital."""
    lines: list[Line] = []
    now = patient.machine.now
    asked: Sequence[tuple[str, Callable[[], Iterable[Line]]]] = (
        *((("clock", lambda: [examine_clock(venue, coins[0], now)]),) if coins else ()),
        ("keys", lambda: examine_role(keys, venue)),
        ("requests", lambda: examine_account(patient, keys, coins, venue)),
    )
    for name, look in asked:
        try:
            lines += look()
        except VenueError as error:
            lines.append(unchecked(name, str(error).rstrip(".")))
    try:
        return lines, account_capital(patient, keys, venue)
    except VenueError as error:
        return [*lines, unchecked("unit", str(error).rstrip("."))], None


def _strategy_dir(config: Mapping[str, Any], user_data: Path) -> Path:
    configured = config.get("strategy_path")
    return Path(configured) if configured else user_data / "strategies"


def _retention(environment: Mapping[str, str]) -> Retention:
    given = dict(_RETENTION.findall(environment.get("MM_COLLECTOR_OPTIONS", "")))
    kept = Retention()
    for name, text in given.items():
        kept = replace(kept, **{name: float(text)})
    return kept
