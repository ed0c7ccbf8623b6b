"""What Freqtrade's own surfaces show of the quoting: FreqUI's chart, Telegram, the REST API."""

from advanced_mm.quoting.surfaces.chart import PLOT_CONFIG, Chart
from advanced_mm.quoting.surfaces.notices import Notices
from advanced_mm.quoting.surfaces.surfaces import CUSTOM_DATA_KEY, Surfaces

__all__ = ["CUSTOM_DATA_KEY", "PLOT_CONFIG", "Chart", "Notices", "Surfaces"]
