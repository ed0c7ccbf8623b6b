"""A synthetic market as our collector records it, and the refits of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advanced_mm.calibration.recalibrate import RecalibrationPlan, recalibrate
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.parameter_files import Settings
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.venue.conditions.history import lay_history

START_MS = 1_760_000_000_000
SETTINGS = Settings(window_minutes=10.0, max_window_minutes=10.0)


class _Interrupted(Recorder):
    """A recorder that receives nothing for a while."""

    hole_s = (0.0, 0.0)

    def handle(self, message: Mapping[str, Any], received_s: float) -> None:
        low, high = self.hole_s
        if not low <= received_s < high:
            super().handle(message, received_s)


def record(folder: Path, minutes: float, hole_minutes: tuple[float, float] = (0.0, 0.0)) -> None:
    """Record a market of one coin, SIM's ETH, with a hole (minutes from the start)."""
    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=3)
    recorder = _Interrupted(ShardStore(folder), ["ETH"], {"ETH": market.spec.tick})
    recorder.hole_s = (
        START_MS / 1000 + 60 * hole_minutes[0],
        START_MS / 1000 + 60 * hole_minutes[1],
    )
    lay_history(market, recorder, START_MS + round(minutes * 60_000))


def refit(data_dir: Path, history: Path) -> None:
    """Add the recording's refits, one each minute."""
    plan = RecalibrationPlan(step_seconds=60.0)
    recalibrate(ShardStore(data_dir), "ETH", SETTINGS, CalibrationHistory(history), plan)
