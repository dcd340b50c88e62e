"""What Display objects share: axes of matplotlib, the extra `plot`, which is imported when something is drawn."""

from __future__ import annotations

import io
from typing import Any


class Display:
    """What can be drawn, as scikit-learn's Display objects: `plot` sets ``ax_`` and ``figure_`` and returns itself.

    A notebook shows the drawing of one that made its own figure; no window ever opens.
    """

    ax_: Any = None
    """Axes that it was drawn on last; None before."""
    figure_: Any = None
    """Figure of these axes."""
    _is_own = False

    def plot(self) -> Any:
        """Draw, each display with arguments of its own."""
        raise NotImplementedError

    def _on(self, ax: Any) -> Any:
        """Axes to draw on: those given, or of a new figure."""
        self._is_own = ax is None
        self.ax_ = new_axes() if ax is None else ax
        self.figure_ = self.ax_.figure
        return self.ax_

    def _repr_png_(self) -> bytes | None:
        """Picture for a notebook, drawn now if it was not yet; None where text must do."""
        if self.ax_ is None:
            try:
                self.plot()
            except ImportError:
                return None
        if not self._is_own:  # whoever made the figure shows it
            return None
        file = io.BytesIO()
        self.figure_.savefig(file, format="png", dpi=_DPI)
        return file.getvalue()


_DPI = 100


def new_axes() -> Any:
    """Axes of a new figure that no window shows.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'pixelgauge[plot]'") from error
    return Figure(figsize=(5, 5), layout="constrained").subplots()
