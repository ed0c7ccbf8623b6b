"""The configuration: Freqtrade's fields by its schema, ours, and those that hinder quoting."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft4Validator

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.patient import Patient
from advanced_mm.parameter_files import ParameterFileError, ParameterSet
from advanced_mm.quoting.exchange.builder_markets import unnamed_exchanges
from advanced_mm.quoting.inventory import mode_refusal
from advanced_mm.quoting.settings_check.settings_values import USUAL_UNIT, VENUE_MINIMUM, unit_of
from advanced_mm.quoting.settings_check.start_check import check_settings, configured_bot

__all__ = ["examine_configuration", "examine_fields"]

_ALSO_KNOWN: Final = frozenset(
    {
        "add_config_files",
        "lookahead_allow_limit_orders",
        "market_making",
        "recursive_strategy_search",
        "strategy",
        "strategy_path",
        "user_data_dir",
    }
)
"""Fields at the top that are read, by Freqtrade or by us, but missing in Freqtrade's schema."""


def examine_fields(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Line]:
    """Check Freqtrade's own fields by its schema, a line for each that cannot be used."""
    faulty = False
    for error in Draft4Validator(schema).iter_errors(config):
        faulty = True
        name = ".".join(str(part) for part in error.absolute_path) or "the configuration"
        yield fault("configuration", f"{name}: {error.message}", "correct it in the configuration")
    known = sorted({*schema.get("properties", {}), *_ALSO_KNOWN})
    for name in sorted(set(config) - set(known)):
        faulty = True
        close = difflib.get_close_matches(name, known, n=1)
        meant = f", did you mean {close[0]!r}?" if close else ""
        yield warning(
            "configuration", f"{name!r} is no field of Freqtrade's{meant}", "rename or remove it"
        )
    if not faulty:
        yield ok("configuration", f"{len(config)} fields as Freqtrade's schema wants them")


def examine_configuration(patient: Patient, capital: float | None) -> Iterator[Line]:
    """Check by the rules that the bot itself applies at its start, and the size of a unit.

    ``capital`` is what the account of a live bot has for trading (stake currency); None if it is
    not known, or is configured.
    """
    faults = (mode_refusal(patient.settings, patient.mode), unnamed_exchanges(patient.config))
    for refusal in filter(None, faults):
        text, _, remedy = refusal.rstrip(".").partition("; ")
        yield fault("settings", text, remedy)
    published = _published(patient)
    findings = check_settings(patient.config, patient.settings, patient.mode, published, capital)
    for finding in findings:
        rule = finding.rule
        text = f"{rule.setting} = {finding.value}: {rule.happens}"
        yield (fault if finding.refused else warning)("settings", text, rule.remedy)
    if not findings and not any(faults):
        yield ok("settings", "nothing hinders quoting")
    unit = unit_of(configured_bot(patient.config, patient.settings, patient.mode, (), capital))
    if unit is None:
        return
    text = f"a unit is {unit:.2f} USDC, {unit / VENUE_MINIMUM:.1f} times the venue's minimum"
    if capital is not None and unit > capital:
        yield fault(
            "unit",
            f"{text}, but the account has {capital:.2f} for trading",
            "deposit more, or lower stake_amount",
        )
    elif unit < USUAL_UNIT:
        yield warning(
            "unit",
            f"{text}: a partly filled order can leave a rest too small to close",
            f"make it {USUAL_UNIT:.0f} or more: stake_amount, or the capital",
        )
    else:
        yield ok("unit", text)


def _published(patient: Patient) -> list[ParameterSet]:
    found = []
    for code in patient.codes:
        try:
            found.append(patient.parameters.read(patient.parameters.resolve(code)))
        except ParameterFileError:  # named by the check of parameters
            continue
    return found
