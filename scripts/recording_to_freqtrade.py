"""Make candles for Freqtrade's backtests from a recording: one set of orders touched, one of orders
traded through."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.data.history.datahandlers.idatahandler import IDataHandler
from freqtrade.enums import CandleType

from advanced_mm.cli import configure_logging, names_in, progress, run
from advanced_mm.errors import InputError
from advanced_mm.instruments import pair_of
from advanced_mm.marketdata.records import Int1D
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.candle_notes import CandleNotes, PairNotes
from advanced_mm.markets.candles import MINUTE_MS
from advanced_mm.markets.recorded_candles import KINDS, Bars, Kind, left_out, read_bars

SECOND_MS = 1000
HOUR_MS = 60 * MINUTE_MS
TIMEFRAMES = {"1s": SECOND_MS, "1m": MINUTE_MS}
SPANS_SHOWN = 10


def main(argv: list[str] | None = None) -> int:
    """Make or continue the candles of each coin."""
    options = parse(argv)
    configure_logging(options.verbose)
    if not abs(options.funding_rate) <= 0.04:
        raise InputError(
            f"--funding-rate is {options.funding_rate:g}; it is a share of the price an hour, at "
            "most 0.04 at this venue"
        )
    store = ShardStore(options.data_dir)
    named = names_in(options.crypto)
    if not named:
        raise InputError("--crypto names no coin; write for example --crypto ETH.")
    kinds = KINDS if options.kind is None else (options.kind,)
    for coin in dict.fromkeys(map(store.resolve, named)):
        pair = pair_of(coin, options.stake)
        folders = {kind: Folder(options.out / kind, kind, pair) for kind in kinds}
        if options.rebuild:
            for folder in folders.values():
                folder.purge()
        for folder in folders.values():
            folder.require_from(store.data_dir)
        convert(store, coin, folders, options.funding_rate)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crypto", required=True, metavar="ETH,WLFI", help="the recorded coins")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("scripts/HL_data"),
        metavar="DIR",
        help="the recording (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("user_data/data"),
        metavar="DIR",
        help="gets a folder of each kind, for freqtrade's --datadir (default: %(default)s)",
    )
    parser.add_argument("--kind", choices=KINDS, help="only this kind (default: both)")
    parser.add_argument("--stake", default="USDC", help="currency of the pair (default: USDC)")
    parser.add_argument(
        "--funding-rate",
        type=float,
        default=0.0,
        metavar="RATE",
        help="what a long position pays an hour, share of the price: recordings have no funding "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="make all candles again, not only the new ones"
    )
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(argv)


class Folder:
    """The candles of one kind and pair, as Freqtrade keeps them.

    Raises
    ------
    InputError
        The folder has candles of another kind or origin, or cannot be written.
    """

    def __init__(self, path: Path, kind: Kind, pair: str) -> None:
        self.path, self.kind, self.pair = path, kind, pair
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path} cannot be created ({error.strerror}).") from None
        found = CandleNotes.read(path)
        if (found is None and any(path.iterdir())) or (found is not None and found.kind != kind):
            raise InputError(
                f"{path} has candles that are not of the kind {kind!r} from a recording; pass "
                "another --out, or remove the folder."
            )
        self.notes = found or CandleNotes(kind)
        self._handler: IDataHandler = get_datahandler(path, "feather")

    def load(self, timeframe: str, candle_type: CandleType) -> pd.DataFrame:
        """Return the candles there are, without filling holes."""
        return self._handler.ohlcv_load(
            self.pair, timeframe, candle_type, fill_missing=False, warn_no_data=False
        )

    def add(self, timeframe: str, candle_type: CandleType, rows: pd.DataFrame) -> pd.DataFrame:
        """Add rows and return all; of two of the same time the new one is kept."""
        old = self.load(timeframe, candle_type)
        both = rows if old.empty else pd.concat([old[rows.columns], rows], ignore_index=True)
        both = both.drop_duplicates("date", keep="last").sort_values("date", ignore_index=True)
        self._handler.ohlcv_store(self.pair, timeframe, both, candle_type)
        return both

    def require_from(self, data_dir: Path) -> None:
        """Raise ``InputError`` if the pair's candles were made of another recording."""
        known = self.notes.pairs.get(self.pair)
        if known is not None and Path(known.data_dir).resolve() != data_dir.resolve():
            raise InputError(
                f"{self.path}: the candles of {self.pair} were made of {known.data_dir!r}; pass "
                "that as --data-dir, another --out, or --rebuild."
            )

    def purge(self) -> None:
        """Remove the pair's candles."""
        self.notes.pairs.pop(self.pair, None)
        for timeframe in (*TIMEFRAMES, "1h"):
            for candle_type in (CandleType.FUTURES, CandleType.FUNDING_RATE):
                self._handler.ohlcv_purge(self.pair, timeframe, candle_type)

    def next_ms(self) -> int | None:
        """Start of the first minute that is not there yet, None if there is none at all."""
        minutes = self.load("1m", CandleType.FUTURES)
        return None if minutes.empty else int(epoch_ms(minutes["date"])[-1]) + MINUTE_MS


def convert(store: ShardStore, coin: str, folders: dict[Kind, Folder], funding_rate: float) -> None:
    """Read what the folders lack of the recording, and add it to them."""
    begins = [folder.next_ms() for folder in folders.values()]
    since = None if None in begins else min(int(begin) for begin in begins if begin is not None)
    seconds, minutes = read_bars(store, coin, list(TIMEFRAMES.values()), since, progress)
    if since is None and not len(minutes):
        raise InputError(
            f"{coin}: no minute of the recording in {str(store.data_dir)!r} was observed from "
            "start to end, and a backtest needs one; record for longer."
        )
    for folder in folders.values():
        write(folder, seconds, minutes, funding_rate)
        tell(folder, coin, store.data_dir, funding_rate, added=len(minutes))


def write(folder: Folder, seconds: Bars, minutes: Bars, funding_rate: float) -> None:
    """Add candles of all lengths, and what Freqtrade takes funding from."""
    try:
        for timeframe, bars in (("1s", seconds), ("1m", minutes)):
            folder.add(timeframe, CandleType.FUTURES, frame_of(bars, folder.kind))
        # Freqtrade merges these into hours after it has cut out the time of the backtest. It
        # refuses to run if nothing is left then, as of hours in a backtest of half an hour.
        folder.add("1h", CandleType.FUTURES, frame_of(minutes, folder.kind))
        folder.add("1h", CandleType.FUNDING_RATE, funding_of(minutes, funding_rate))
    except OSError as error:
        raise InputError(f"{folder.path} cannot be written ({error.strerror or error}).") from None


def funding_of(minutes: Bars, rate: float) -> pd.DataFrame:
    """Return the rate at each whole hour of which there are minutes, and 0 at these minutes."""
    hours = np.unique(minutes.open_ms // HOUR_MS) * HOUR_MS
    due_ms = np.union1d(minutes.open_ms, hours)
    rates = np.where(due_ms % HOUR_MS == 0, rate, 0.0)
    return pd.DataFrame({"date": dates_of(due_ms), "funding_rate": rates})


def frame_of(bars: Bars, kind: Kind) -> pd.DataFrame:
    """Return bars as Freqtrade's table of candles."""
    candles = bars.candles(kind)
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"date": dates_of(candles.open_ms), **columns})


def dates_of(time_ms: Int1D) -> pd.DatetimeIndex:
    """Return epoch milliseconds as Freqtrade's dates."""
    return pd.to_datetime(time_ms, unit="ms", utc=True).as_unit("ms")


def tell(folder: Folder, coin: str, data_dir: Path, funding_rate: float, *, added: int) -> None:
    """Note what the folder holds now, and print it."""
    open_ms = epoch_ms(folder.load("1m", CandleType.FUTURES)["date"])
    spans = left_out(open_ms, MINUTE_MS)
    folder.notes.pairs[folder.pair] = PairNotes(
        coin=coin,
        data_dir=str(data_dir),
        since=iso(int(open_ms[0])),
        until=iso(int(open_ms[-1])),
        minutes=len(open_ms),
        funding_rate=funding_rate,
        left_out=tuple((iso(start), iso(end)) for start, end in spans),
    )
    folder.notes.write(folder.path)
    print(
        f"{coin}: {folder.path}: {added} new minutes, {len(open_ms)} in all, "
        f"--timerange {range_of(int(open_ms[0]), int(open_ms[-1]) + MINUTE_MS)}"
    )
    if spans:
        missing = sum(end - start for start, end in spans) // MINUTE_MS
        print(f"  left out, as not observed from start to end: {missing} minutes")
        for start, end in spans[:SPANS_SHOWN]:
            print(f"    {iso(start)} to {iso(end)}")
        if len(spans) > SPANS_SHOWN:
            print(f"    and {len(spans) - SPANS_SHOWN} more, see {folder.path / 'recording.json'}")


def epoch_ms(dates: pd.Series) -> Int1D:
    """Return dates as epoch milliseconds."""
    return np.asarray(dates.to_numpy("datetime64[ms]").astype(np.int64))


def range_of(start_ms: int, end_ms: int) -> str:
    """Return a span as Freqtrade's ``--timerange`` has it."""
    ends = (datetime.fromtimestamp(time_ms / 1000, UTC) for time_ms in (start_ms, end_ms))
    return "-".join(f"{end:%Y%m%dT%H%M}" for end in ends)


def iso(time_ms: int) -> str:
    """Return a time in ISO 8601, UTC, to the minute."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


if __name__ == "__main__":
    sys.exit(run(main))
