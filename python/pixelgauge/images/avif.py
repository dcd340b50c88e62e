"""AVIF of 8 bits and one frame, where Pillow has its decoder (from 11.3 on)."""

from __future__ import annotations

from pixelgauge.images.boxes import found
from pixelgauge.images.opening import Opened, opened_of
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.tiff import RefusedError, exif_orientation

_HIGH_DEPTH, _MONOCHROME = 0x40, 0x10
"""Flags of a third byte that tells how an image is coded."""


def open_avif(data: bytes) -> Opened:
    """Check what an AVIF says of its samples, and open it.

    Raises
    ------
    RefusedError
        If its samples have more than 8 bits, it is cropped by what is not applied, has several frames, or this Pillow
        does not decode AVIF.
    ValueError
        If it is damaged.
    """
    properties = found(data, b"meta", b"iprp", b"ipco", skipped=4)
    codings = [data[start + 2] for name, start, end in properties if name == b"av1C" and end - start >= 4]
    if not codings:
        raise RefusedError("is a HEIC or an empty AVIF image", "convert it to PNG, or to AVIF of 8 bits")
    if any(coding & _HIGH_DEPTH for coding in codings):
        raise RefusedError("is an AVIF of 10 or 12 bits, which Pillow rounds to 8", "convert it to PNG of 16 bits")
    if any(name == b"clap" for name, _, _ in properties):
        raise RefusedError("is an AVIF that is to be cropped (clap), which Pillow does not do", "save it cropped")
    try:
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile
    except ImportError:  # Pillow < 11.3
        SUPPORTED = False
    if not SUPPORTED:
        raise RefusedError("is an AVIF image, which this Pillow does not decode", "install Pillow 11.3 or later")
    opened = opened_of(AvifImageFile, data)
    frames = getattr(opened.image, "n_frames", 1)
    if frames > 1:
        raise RefusedError(f"holds {frames} frames or pages", "save the one to compare as a file of its own")
    # Pillow tells how the image is turned and mirrored in EXIF's words, and makes gray RGB.
    turned, said = exif_orientation(opened.image.info.get("exif", b"")) or 1, opened.image.info.get("icc_profile")
    gray = all(coding & _MONOCHROME for coding in codings)
    return opened._replace(orientation=turned, gray=gray, colours=profile_said(said or b""))
