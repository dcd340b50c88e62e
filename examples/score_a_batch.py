"""A batch of degraded pictures scored in one call, in three programs' definitions of SSIM."""

import numpy as np

import pixelgauge

rng = np.random.default_rng(0)
rows, columns = np.mgrid[:256, :256]
picture = (127 + 80 * np.sin(rows / 9) * np.cos(columns / 13)).astype(np.uint8)
strengths = (2, 5, 10, 20, 40)
batch = np.stack([np.clip(picture + rng.normal(0, s, picture.shape), 0, 255).astype(np.uint8) for s in strengths])
reference = np.broadcast_to(picture, batch.shape)  # read in place: no copy of the reference is made

print("noise    psnr dB" + "".join(f"{name:>14}" for name in ("wang2004", "skimage", "torchmetrics")))
scores = [
    pixelgauge.ssim(reference, batch, preset=name, channel_axis=None)
    for name in ("wang2004", "skimage", "torchmetrics")
]
for i, strength in enumerate(strengths):
    print(f"{strength:5}  {pixelgauge.psnr(reference[i], batch[i]):9.2f}" + "".join(f"{s[i]:14.6f}" for s in scores))
