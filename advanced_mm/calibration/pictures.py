"""Plots of a fit."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.windows.window import Window
from advanced_mm.errors import InputError

__all__ = ["epsilon_picture", "kappa_picture"]

_SIDES = ((1, "+", "tab:green"), (-1, "-", "tab:red"))


def kappa_picture(path: Path, window: Window, calibration: CoinCalibration) -> None:
    """Plot the survival function of the market orders' reach with the fitted geometric tail.

    Raises
    ------
    InputError
        If the file cannot be written or its suffix is not an image format.
    """

    def draw(axes: list[Axes]) -> None:
        for ax, (side, sign, colour), fit in zip(axes, _SIDES, calibration.fill_curve, strict=True):
            reach = window.orders.of_side(side).with_quote().reach
            ticks = np.arange(0, (reach.max() if len(reach) else 1) + 1)
            beaten = np.array([(reach >= k).mean() if len(reach) else np.nan for k in ticks])
            ax.step(ticks, beaten, where="mid", color=colour, label=f"observed, n = {fit.n}")
            if fit.kappa.usable:
                tail = ticks[1:]
                curve = fit.n1 / fit.n * np.exp(-fit.kappa.value * window.tick * (tail - 1))
                label = f"fit, kappa = {fit.kappa.value:.4g}, n1 = {fit.n1}"
                ax.plot(tail, curve, "k--", label=label)
                ax.axvline(fit.cap, color="grey", lw=0.5, label="cap of the fit")
            ax.set(yscale="log", xlabel="ticks k beyond the touch", ylabel="P(reach ≥ k)")
            ax.set_title(f"{calibration.coin} {sign}: reach of market orders")
            ax.legend()

    _save(path, draw)


def epsilon_picture(path: Path, window: Window, calibration: CoinCalibration) -> None:
    """Plot the mean move given a fill by depth with its line and the least-squares epsilon.

    Raises
    ------
    InputError
        If the file cannot be written or its suffix is not an image format.
    """
    impact, fill = calibration.impact.epsilon, calibration.fill_impact

    def draw(axes: list[Axes]) -> None:
        for ax, (_, sign, colour), profile, epsilon, mean in zip(
            axes, _SIDES, fill.profile, impact, fill.epsilon_fill, strict=True
        ):
            ax.scatter(profile.depth, profile.mean_move, s=profile.count, color=colour, alpha=0.6)
            if profile.slope.usable:
                line = profile.intercept.value + profile.slope.value * profile.depth
                ax.plot(profile.depth, line, "k--", label=f"slope {profile.slope.value:.3g}")
                ax.plot(profile.depth, profile.depth, color="grey", lw=0.5, label="move = depth")
            for estimate, name, style in (
                (mean, "epsilon_fill", "-"),
                (epsilon, "epsilon per order", ":"),
            ):
                if estimate.usable:
                    ax.axhline(estimate.value, color=colour, ls=style, label=name)
                    ax.axhspan(estimate.low, estimate.high, color=colour, alpha=0.1)
            ax.set(xlabel="depth reached beyond (quote currency)", ylabel="mean move after 1 s")
            ax.set_title(f"{calibration.coin} {sign}: move given a fill")
            if ax.get_legend_handles_labels()[0]:
                ax.legend()

    _save(path, draw)


def _save(path: Path, draw: Callable[[list[Axes]], None]) -> None:
    mpl.use("Agg")
    figure = Figure(figsize=(12, 5), layout="constrained")
    draw([figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)])
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise InputError(f"--plot {path}: the image cannot be written ({error})") from None
