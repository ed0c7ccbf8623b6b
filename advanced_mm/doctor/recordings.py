"""The recordings of the pairs: there, fresh, readable, and complete over the newest day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.patient import Patient
from advanced_mm.doctor.venue import venue_address
from advanced_mm.errors import InputError
from advanced_mm.marketdata.checking.check import Check
from advanced_mm.marketdata.checking.findings import CoinFindings
from advanced_mm.marketdata.feed.feed import MAINNET_URL, TESTNET_URL
from advanced_mm.marketdata.schemas import DATA_KINDS, SCHEMA_VERSION
from advanced_mm.marketdata.store import ShardStore

__all__ = ["examine_recordings"]

_DAY_MS: Final = 86_400_000
_FRESH_SECONDS: Final = 60.0
"""The collector writes every 5 s, and the venue sends books twice a second."""
_USUAL_COVERAGE: Final = 0.98


def examine_recordings(patient: Patient) -> Iterator[Line]:
    """Check the recording of each pair."""
    store = ShardStore(patient.data_dir)
    for code in patient.codes:
        try:
            coin = store.resolve(code)
            newest_ms = store.newest_ms(coin)
            yield from _coin(patient, store, coin, newest_ms)
        except InputError as error:
            yield fault("recordings", str(error).rstrip("."), _record(code, patient))


def _coin(patient: Patient, store: ShardStore, coin: str, newest_ms: int | None) -> Iterator[Line]:
    age = None if newest_ms is None else patient.machine.now() - newest_ms / 1000
    if age is None:
        text = f"{coin} has no readable row in {patient.data_dir}"
        yield fault("recordings", text, _record(coin, patient))
    elif age > _FRESH_SECONDS:
        text = f"{coin}: newest row {_span(age)} old"
        yield fault(
            "recordings",
            text,
            f"is the collector running? {_record(coin, patient)}; else see its log",
        )
    else:
        yield ok("recordings", f"{coin}: newest row {max(age, 0):.0f} s old")
    now_ms = round(patient.machine.now() * 1000)
    since_ms = min(now_ms, newest_ms or now_ms) - _DAY_MS
    check = Check(store, coin, since_ms)
    for _ in check.steps():
        pass
    yield from _findings(check.findings(), since_ms)


def _findings(found: CoinFindings, since_ms: int) -> Iterator[Line]:
    coin = found.coin
    unusable = {path: why for kind in found.kinds.values() for path, why in kind.unreadable.items()}
    if unusable:
        path, why = next(iter(unusable.items()))
        yield fault(
            "recordings",
            f"{coin}: {len(unusable)} files cannot be read, such as {path}: {why}",
            "update this program if a later one wrote them; otherwise move them away, or bring "
            "them in again with scripts/import_recordings.py",
        )
    others = [
        f"{kind}: {count} {name}"
        for kind, findings in found.kinds.items()
        for name, count in findings.faults().items()
        if name != "unreadable files"
    ]
    if others:
        yield warning(
            "recordings",
            f"{coin}: {', '.join(others)}",
            "scripts/hyperliquid_data_collector.py --check lists them; readers leave them out",
        )
    if not any(kind in found.kinds for kind in DATA_KINDS):
        return
    holes = [hole for hole in found.holes if hole.end_ms >= since_ms]
    observed = [
        found.kinds[kind].coverage or 0.0 if kind in found.kinds else 0.0 for kind in DATA_KINDS
    ]
    text = f"{coin}: {100 * min(observed):.1f}% of its newest day observed, {len(holes)} gaps"
    older = sum(
        count
        for kind in found.kinds.values()
        for version, count in kind.versions.items()
        if version < int(SCHEMA_VERSION)
    )
    told = f"; {older} files of an older version, which are read as well" if older else ""
    if min(observed) >= _USUAL_COVERAGE:
        yield ok("recordings", text + told)
        return
    worst = max(holes, key=lambda hole: hole.seconds, default=None)
    if worst is not None:
        at = datetime.fromtimestamp(worst.start_ms / 1000, UTC)
        text += (
            f", the longest {_span(worst.seconds)} from {at:%F %T} UTC "
            f"({worst.channel}: {worst.reason})"
        )
    yield warning(
        "recordings",
        text + told,
        "see the collector's log of that time; the windows of calibration leave gaps out",
    )


def _record(coin: str, patient: Patient) -> str:
    address = venue_address(patient.exchange)
    at = {MAINNET_URL: "", TESTNET_URL: " --testnet"}.get(address, f" --url {address}")
    return (
        f"python scripts/hyperliquid_data_collector.py --crypto {coin}{at} "
        f"--data-dir {patient.data_dir}"
    )


def _span(seconds: float) -> str:
    for name, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
