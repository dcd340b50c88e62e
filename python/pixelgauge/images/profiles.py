"""What a file says of its colours: the name of an ICC profile, or a gamma. Neither is applied; a pair may differ."""

from __future__ import annotations

import hashlib
import struct

_SRGB_GAMMA = 45455
"""In 100,000ths, as PNG says it of sRGB."""
_MOST_TAGS = 100


def gamma_said(gamma: int) -> str:
    """Name a gamma in 100,000ths; nothing if it is sRGB's, which is what images without any are taken for."""
    return "" if gamma in (0, _SRGB_GAMMA) else f"gamma {gamma / 100_000:g}"


def profile_said(profile: bytes) -> str:
    """Name an ICC profile; nothing if it is sRGB, which is what images without any are taken for."""
    if not profile:
        return ""
    name = _description(profile)
    if name.lower() == "c2" or ("srgb" in name.lower() and "linear" not in name.lower()):  # c2: a small sRGB
        return ""
    shown = "".join(c for c in name if c.isprintable())[:60]
    return (
        f"ICC profile {shown!r}"
        if shown
        else f"an ICC profile without a name ({hashlib.sha256(profile).hexdigest()[:8]})"
    )


def _description(profile: bytes) -> str:
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for k in range(min(count, _MOST_TAGS)):
            tag, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * k)
            if tag == b"desc":
                return _text(profile[at : at + size])
    except struct.error:  # it is damaged, and decides no pixel
        pass
    return ""


def _text(tag: bytes) -> str:
    """Read a tag of text, of version 2 or 4."""
    if tag[:4] == b"desc":
        (length,) = struct.unpack_from(">I", tag, 8)
        return tag[12 : 12 + length].split(b"\0")[0].decode("ascii", "replace")
    if tag[:4] == b"mluc":
        length, at = struct.unpack_from(">II", tag, 20)
        return tag[at : at + length].decode("utf-16-be", "replace").split("\0")[0]
    return ""
