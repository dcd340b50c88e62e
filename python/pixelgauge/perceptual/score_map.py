"""Where two images differ: a map of scores over the image, drawn as scikit-learn's Display objects are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast

import numpy as np

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.drawing import Display
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.full_reference.ssim import ssim
from pixelgauge.images import Array, canonical_images, value_range_bounds
from pixelgauge.perceptual.lpips import LPIPS
from pixelgauge.presets import SSIM_PRESETS, preset_row


@dataclass(eq=False)
class ScoreMapDisplay(Display):
    """A map of scores that can be drawn, alone or over the image that it is of.

    Parameters
    ----------
    score_map : (H', W') array_like of float
        Such as SSIM's with ``full=True``, the mean over channels, or that of LPIPS with ``spatial=True``.
    image : (H, W) or (H, W, 3) array_like, optional
        To draw the map over: 0 to 1, or 0 to 255 as uint8.
    score : float, optional
        Shown above the map.
    name : str, optional
        Of the metric, shown above the map.
    extent : (float, float, float, float), optional
        Left, right, bottom and top edge of the map in pixels of the image, whose first pixel is about (0, 0). Default:
        the map has the middle of the image, a value a pixel.
    limits : (float, float), optional
        Values at the ends of the colours. Default: the smallest and the largest there are.
    higher_is_better : bool, default False
        Which end of the colours is dark.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        What was drawn on; None before :meth:`plot`.
    image_, im_, colorbar_ : matplotlib images and colour bar
        The picture below, where there is one, the map over it, and its scale.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 251
    >>> x = x.astype(np.uint8)
    >>> display = pixelgauge.ScoreMapDisplay.from_images(x, 255 - x)
    >>> display.name, round(display.score, 3), display.score_map.shape
    ('ssim wang2004', -0.956, (54, 54))
    """

    score_map: Array
    image: Array | None = None
    score: float | None = None
    name: str | None = None
    extent: tuple[float, float, float, float] | None = None
    limits: tuple[float, float] | None = None
    higher_is_better: bool = False

    image_: Any = field(default=None, init=False, repr=False)
    im_: Any = field(default=None, init=False, repr=False)
    colorbar_: Any = field(default=None, init=False, repr=False)

    @classmethod
    def from_images(
        cls, x: object, y: object, *, metric: Literal["ssim"] | LPIPS = "ssim", data_range: DataRange = None,
        preset: str = "wang2004", channel_axis: int | None = -1, name: str | None = None,
    ) -> ScoreMapDisplay:  # fmt: skip
        """Display of the map of two images, over the second of them; not drawn yet.

        Parameters
        ----------
        x, y : array_like or PIL image
            As for :func:`pixelgauge.ssim`, one pair.
        metric : "ssim" or LPIPS, default "ssim"
            A loaded :class:`pixelgauge.LPIPS` gives its own map.
        data_range, channel_axis
            As for the metric.
        preset : str, default "wang2004"
            Of SSIM.
        name : str, optional
            Default: the metric and its preset or backbone.

        Raises
        ------
        TypeError, ValueError
            As the metric; and for a batch, and another `metric`.
        """
        seen = canonical_images(y, "y", channel_axis)
        if not seen.single:
            problem = f"has shape {np.shape(seen.pixels)}, a batch of images: a display is of one pair"
            raise ArgumentValueError("y", "", f"y {problem}", "give one image of x and of y")
        height, width = seen.pixels.shape[1:3]
        picture = _displayed(seen.pixels[0], data_range)
        if isinstance(metric, LPIPS):
            score, score_map = metric(x, y, data_range=data_range, spatial=True, channel_axis=channel_axis)
            return cls(score_map, picture, score, name or f"lpips {metric.backbone}", limits=_from_zero(score_map))
        if metric != "ssim":
            raise ArgumentTypeError("metric", repr(metric), 'must be "ssim", or an LPIPS that is loaded')
        score, index = cast(
            tuple[float, Array],
            ssim(x, y, data_range=data_range, preset=preset, channel_axis=channel_axis, full=True),
        )
        factor = preset_row(SSIM_PRESETS, preset).downsample_factor(height, width)
        score_map = _mean_of_channels(index, seen.channel_axis)
        return cls(
            score_map, picture, score, name or f"ssim {preset}", _middle(score_map.shape, (height, width), factor),
            (min(0.0, float(score_map.min())), 1.0), higher_is_better=True,
        )  # fmt: skip

    def plot(
        self, ax: Any = None, *, name: str | None = None, alpha: float = 0.7, colorbar: bool = True, **options: Any
    ) -> Self:
        """Draw the image, and the map over it.

        Parameters
        ----------
        ax : matplotlib axes, optional
            To draw on; default those of a new figure, which no window shows.
        name : str, optional
            In place of the display's.
        alpha : float, default 0.7
            How much of the image the map hides, from 0 to 1.
        colorbar : bool, default True
            Draw the scale beside the map.
        **options
            For matplotlib's ``imshow``, of the map: ``cmap``, ``vmin``, ``vmax``, ...

        Returns
        -------
        ScoreMapDisplay
            This one, with ``ax_``, ``figure_``, ``im_`` and ``colorbar_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = self._on(ax)
        score_map = np.asarray(self.score_map)
        extent = self.extent
        if self.image is not None:
            picture = np.asarray(self.image)
            gray = {"cmap": "gray", "vmin": 0, "vmax": 255 if picture.dtype == np.uint8 else 1}
            self.image_ = axes.imshow(picture, **gray if picture.ndim == 2 else {})
            extent = extent or _middle(score_map.shape, picture.shape[:2], 1)
        low, high = self.limits or (None, None)
        drawn = {
            "cmap": "magma_r" if self.higher_is_better else "magma",
            "vmin": low, "vmax": high, "extent": extent, "alpha": 1 if self.image is None else alpha,
        }  # fmt: skip
        self.im_ = axes.imshow(score_map, **drawn | options)
        if self.image is not None:  # the map may be smaller
            height, width = picture.shape[:2]
            axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        parts = [name or self.name or "", "" if self.score is None else f"{self.score:.4f}"]
        axes.set(xticks=[], yticks=[], title=" ".join(part for part in parts if part))
        self.colorbar_ = self.figure_.colorbar(self.im_, ax=axes) if colorbar else None
        return self


def _displayed(pixels: Array, data_range: DataRange) -> Array:
    """Pixels of one image as matplotlib shows them: (H, W) or (H, W, 3), 0 to 1 or uint8."""
    shown = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., 0]
    if shown.dtype == np.uint8 and data_range is None:
        return shown
    low, high = value_range_bounds(data_range, pixels.dtype)
    scaled: Array = np.clip((shown.astype(np.float64) - low) / (high - low), 0, 1)
    return scaled


def _mean_of_channels(index: Any, channel_axis: int | None) -> Array:
    found = np.asarray(index)
    return found if found.ndim == 2 or channel_axis is None else found.mean(axis=channel_axis)


def _middle(of_map: tuple[int, ...], of_image: tuple[int, ...], factor: int) -> tuple[float, float, float, float]:
    """Edges of a map whose values are of so many pixels, in the middle of an image."""
    (height, width), (rows, columns) = of_image[:2], (factor * of_map[0], factor * of_map[1])
    left, top = (width - columns) / 2 - 0.5, (height - rows) / 2 - 0.5
    return left, left + columns, top + rows, top


def _from_zero(score_map: Array) -> tuple[float, float]:
    largest = float(np.max(score_map))
    return 0.0, largest if largest > 0 else 1.0
