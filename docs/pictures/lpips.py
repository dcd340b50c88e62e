"""LPIPS: what each layer adds, and where in a picture it is."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas, networks
from docs.pictures.degradations import blurred, erased
from docs.pictures.photographs import astronaut, centre
from docs.pictures.pixel_error import images


def layers() -> Figure:
    """The five layers' shares of the distance of pictures with one mean squared error, and of shifts."""
    photograph = astronaut()
    reference = centre(photograph)
    pairs = {**images(), "shift, 1 pixel": centre(photograph, right=1), "shift, 8 pixels": centre(photograph, right=8)}
    figure, axes = canvas.new_axes(4.0)
    for row, image in enumerate(pairs.values()):
        distance, per_layer = networks.lpips()(reference, image, per_layer=True)
        start = 0.0
        for layer, value in enumerate(np.ravel(per_layer)):
            label = f"layer {layer + 1}" if row == 0 else None
            axes.barh(row, value, left=start, color=canvas.COLOURS[layer], edgecolor="white", label=label)
            start += float(value)
        axes.text(start + 0.01, row, f"{float(distance):.3f}", va="center", fontsize=10)
    axes.set_yticks(range(len(pairs)), list(pairs))
    axes.invert_yaxis()
    axes.set(xlabel="LPIPS, AlexNet", xlim=(0, 0.46))
    axes.legend(loc="upper right")
    return figure


def spatial() -> Figure:
    """Two kinds of local damage, and the maps of the squared error, SSIM and LPIPS."""
    reference = centre(astronaut())
    image = reference.copy()
    image[40:150, 30:140] = blurred(reference, 3)[40:150, 30:140]
    image[220:350, 200:350] = erased(reference, 0.15)[220:350, 200:350]
    _, index = pixelgauge.ssim(reference, image, full=True)
    distance, found = networks.lpips()(reference, image, spatial=True)
    figure, axes = canvas.new_axes(6.0, 2, 2)
    canvas.show(axes[0, 0], image, "blurred, erased")
    maps = (
        (np.square(reference.astype(float) - image).mean(axis=-1), "squared error", 3000),
        (1 - np.pad(index.mean(axis=-1), 5, mode="edge"), f"1 - index, SSIM {index.mean():.3f}", 1),
        (np.asarray(found), f"LPIPS by place, {float(distance):.3f}", 2),
    )
    for one, (values, title, top) in zip(axes.flat[1:], maps, strict=True):
        one.imshow(values, cmap="magma", vmin=0, vmax=top)
        one.set_title(title, fontsize=10)
        one.set_axis_off()
    return figure
