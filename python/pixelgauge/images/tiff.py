"""TIFF: its directories read here, so that every kind of samples is known by name before a decoder sees it.

What can be read exactly is handed to the decoder as a plain TIFF of one page, with the tags that decide pixels and no
others.
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

_ORIENTATION = 274
_XMP = 700
_ICC = 34675
_SUBFILE, _OLD_SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 255, 330, 50706
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_COUNTS, _PLANAR = 273, 277, 278, 279, 284
_COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 320, 322, 323, 324, 325
_FILL_ORDER, _EXTRA, _FORMAT = 266, 338, 339
_PLACES = frozenset({_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS})

_DECIDE_PIXELS = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_COUNTS, _PLANAR}
    | {_COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT}
    # Order of bits, options of fax, predictor, JPEG's tables (of today and of old), and how YCbCr becomes RGB.
    | {_FILL_ORDER, 292, 293, 317, 347, *range(512, 522), 529, 530, 531, 532}
)
_WANTED = _DECIDE_PIXELS | {_ORIENTATION, _XMP, _ICC, _SUBFILE, _OLD_SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION}

# Bytes of a value, and how struct reads those of whole numbers.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_COMPRESSIONS = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000, 50001), ""),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((34676, 34677), "SGI's logarithms"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    34887: "LERC",
    34892: "lossy DNG",
    34933: "PNG",
}
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 6: 3}
"""Samples of a pixel, without extra ones, by photometric interpretation; of the others no pixels are read."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 1: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 6: (8,)}
_OTHER_COLOURS = {
    4: "is a transparency mask",
    5: "has colour mode CMYK",
    **dict.fromkeys((8, 9, 10), "has colour mode LAB"),
    **dict.fromkeys((32844, 32845), "has logarithmic samples"),
    **dict.fromkeys((32803, 34892), "holds the raw samples of a camera"),
}
_TO_RGB = "convert it to 8- or 16-bit gray or RGB"
_OTHER_KINDS = {1: (32,), 2: (8, 16, 32), 3: (16, 32, 64)}
"""Bits of unsigned, signed and floating samples that are read where their range is stated."""
RANGE_STATED = "state their range with --data-range (and any_samples=True for read_image)"

ONE_OF_SEVERAL = "save the one to compare as a file of its own, or have compare score each, by --frames (frames=True)"
"""What to do with a file of several frames or pages, of a format that they are scored of one by one."""


class RefusedError(Exception):
    """A file whose pixels cannot be read exactly; `remedy` says what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


class _Value(NamedTuple):
    kind: int
    length: int
    raw: memoryview


class _Directory(NamedTuple):
    """Tags of a page, and where the next page's are."""

    tags: dict[int, _Value]
    next: int
    order: str
    size: int

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Whole numbers of a tag; the default if it is not there, or is of another type."""
        value = self.tags.get(tag)
        if value is None or value.kind not in _CODES or not value.length:
            return default
        return struct.unpack(f"{self.order}{value.length}{_CODES[value.kind]}", value.raw)

    def number(self, tag: int, default: int) -> int:
        return self.numbers(tag, (default,))[0]


class Tiff(NamedTuple):
    """A TIFF as its decoder takes it."""

    data: bytes
    """With one page and without metadata."""
    orientation: int
    """As EXIF's, 1 to 8."""
    associated: bool
    """Whether its colours were multiplied by alpha."""
    inverted: bool
    """Whether 0 is white in its data, which says otherwise: decoders know that of 8 bits, and not all of 16."""
    size: tuple[int, int]
    profile: bytes = b""
    """ICC's."""
    bands: int = 0
    """Samples of a pixel, where it is of those that are read as they are because their range is stated."""


def canonical_tiff(data: bytes, require: Callable[..., None], any_samples: bool = False) -> Tiff:
    """Check a TIFF's directories, and make one of its main page alone.

    Parameters
    ----------
    data : bytes
        The file.
    require : callable
        Refuses a width, a height and samples of a pixel that are too many.
    any_samples : bool, default False
        Whether samples of which only the user knows what they mean are read: floating, signed, of 32 bits, and bands.

    Raises
    ------
    RefusedError
        If its samples are of a kind that is not read exactly, or it has several pages.
    ValueError
        If its directories are damaged, or what they point to is not there.
    """
    page = _main_page(data)
    tags = page.tags
    photometric, samples = page.number(_PHOTOMETRIC, -1), page.number(_SAMPLES, 1)
    width, height = page.number(_WIDTH, 0), page.number(_HEIGHT, 0)
    if width < 1 or height < 1:
        raise ValueError("its directory has no width or no height")
    planes = samples if page.number(_PLANAR, 1) == 2 else 1
    profile = bytes(tags[_ICC].raw) if _ICC in tags else b""
    if any_samples and photometric in (0, 1, 2) and _is_of_other_samples(page, photometric, samples):
        require(width, height, samples)
        _require_pieces(page, memoryview(data), planes, samples // planes * page.number(_BITS, 1))
        kept = {tag: _narrow(page, tag) for tag in sorted(_DECIDE_PIXELS & set(tags))}
        orientation = page.number(_ORIENTATION, 1)
        return Tiff(_joined(data, page.order, kept), orientation, False, False, (width, height), profile, samples)
    bits = _require_kind(page, photometric, samples)
    require(width, height)
    associated = _require_extra(page, photometric, samples)
    if planes > 1 and (bits != 8 or photometric != 2):
        raise RefusedError("has planes stored apart", "save it with interleaved channels")
    _require_pieces(page, memoryview(data), planes, samples // planes * bits)
    orientation = page.number(_ORIENTATION, 0) or (xmp_orientation(tags[_XMP].raw) if _XMP in tags else 1)
    kept = {tag: _narrow(page, tag) for tag in sorted(_DECIDE_PIXELS & set(tags))}
    if associated:  # as if not: what is stored is wanted, and not what a decoder divides it to
        kept[_EXTRA] = (3, 1, struct.pack(page.order + "H", 2))
    inverted = photometric == 0 and bits == 16
    if inverted:
        kept[_PHOTOMETRIC] = (3, 1, struct.pack(page.order + "H", 1))
    if photometric == 3:
        kept[_COLOUR_MAP] = _colour_map(page, bits)
    return Tiff(_joined(data, page.order, kept), orientation, associated, inverted, (width, height), profile)


def xmp_orientation(xmp: bytes | memoryview) -> int:
    """EXIF's orientation by an XMP packet, 1 if it says none."""
    found = re.search(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])""", xmp)
    return int(found[1]) if found else 1


def exif_orientation(exif: bytes | memoryview) -> int | None:
    """Orientation by EXIF data, 1 if it says none; None for what is no EXIF data."""
    view = memoryview(exif)
    if bytes(view[:6]) == b"Exif\0\0":
        view = view[6:]
    try:
        first, order, big = _header(view)
        found = _directory(view, first, order, big, frozenset({_ORIENTATION})).number(_ORIENTATION, 1)
    except ValueError:
        return None
    return found if 1 <= found <= 8 else 1


def _header(view: memoryview) -> tuple[int, str, bool]:
    """Where the first directory is, the byte order, and whether it is a BigTIFF."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(view[:2]))
    if order is None or len(view) < 8:
        raise ValueError("has no header of a TIFF")
    (version,) = struct.unpack_from(order + "H", view, 2)
    if version == 43 and len(view) >= 16:
        return struct.unpack_from(order + "Q", view, 8)[0], order, True
    if version != 42:
        raise ValueError(f"has version {version} of TIFF, which is not known")
    return struct.unpack_from(order + "I", view, 4)[0], order, False


def _directory(view: memoryview, at: int, order: str, big: bool, wanted: frozenset[int]) -> _Directory:
    (form, entry), room = (("Q", "HHQ"), 8) if big else (("H", "HHI"), 4)
    step = struct.calcsize(order + entry) + room
    try:
        (count,) = struct.unpack_from(order + form, view, at)
        first = at + struct.calcsize(order + form)
        (after,) = struct.unpack_from(order + ("Q" if big else "I"), view, first + step * count)
    except (struct.error, OverflowError) as error:
        raise ValueError("is truncated: a directory lies beyond its end") from error
    tags: dict[int, _Value] = {}
    for i in range(count):
        tag, kind, values = struct.unpack_from(order + entry, view, first + step * i)
        if tag not in wanted or kind not in _SIZES:
            continue
        size, place = values * _SIZES[kind], first + step * (i + 1) - room
        if size > room:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), view, place)
        if place + size > len(view):
            if tag in _DECIDE_PIXELS:
                raise ValueError(f"is truncated: the values of tag {tag} lie beyond its end")
            continue
        value = _Value(kind, values, view[place : place + size])
        if tags.setdefault(tag, value) != value:
            raise ValueError(f"has tag {tag} twice")
    return _Directory(tags, after, order, step * count)


def _main_page(data: bytes) -> _Directory:
    view = memoryview(data)
    at, order, big = _header(view)
    pages, seen, left = [], set(), len(view)

    def read(at: int) -> _Directory:
        nonlocal left
        page = _directory(view, at, order, big, _WANTED)
        left -= page.size
        if left < 0:  # also keeps the work linear
            raise ValueError("has directories that overlap")
        return page

    while at and at not in seen:  # a page that follows itself ends the chain, as for other readers
        seen.add(at)
        pages.append(read(at))
        at = pages[-1].next
    if not pages:
        raise ValueError("holds no directory")
    kinds = [page.number(_SUBFILE, int(page.number(_OLD_SUBFILE, 1) == 2)) for page in pages]
    if any(kind & 4 for kind in kinds):
        raise RefusedError("holds a transparency mask as a page of its own", "save it with an alpha channel")
    main = [page for page, kind in zip(pages, kinds, strict=True) if not kind & 1] or pages  # bit 0: of fewer pixels
    if len(main) > 1:
        raise RefusedError(
            f"holds {len(main)} frames or pages",
            ONE_OF_SEVERAL,
        )
    if _DNG_VERSION in main[0].tags:
        raise RefusedError("is a camera's raw file (DNG)", "develop it to an image of 8 or 16 bits")
    if all(kind & 1 for kind in kinds):
        for place in main[0].numbers(_SUB_DIRECTORIES):
            if not read(place).number(_SUBFILE, 0) & 1:
                raise RefusedError("shows a thumbnail, and holds its image apart, as cameras' raw files do", _TO_RGB)
    return main[0]


def _is_of_other_samples(page: _Directory, photometric: int, samples: int) -> bool:
    """Whether samples are read only because their range is stated; refuse those of them that are not read at all."""
    bits, formats = set(page.numbers(_BITS, (1,))), set(page.numbers(_FORMAT, (1,)))
    if len(bits) != 1 or len(formats) != 1:
        return False
    (bit,), (kind,) = bits, formats
    more, extra = samples - _COLOURS[photometric], page.numbers(_EXTRA)
    bands = more > (1 if photometric == 2 and not extra else 0) and not any(extra)
    other = bit in _OTHER_KINDS.get(kind, ())
    if more < 0 or not (other or (bands and kind == 1 and bit in (8, 16))):
        return False
    if any(extra) or (more and not bands):
        raise RefusedError(f"has {bit}-bit samples with alpha", "save it without alpha")
    if photometric == 0:
        raise RefusedError(f"has {bit}-bit samples of which 0 is white", "save it with 0 as black")
    compression = page.number(_COMPRESSION, 1)
    if compression not in (1, 8, 32946) or page.number(_FILL_ORDER, 1) != 1:
        raise RefusedError(
            f"has {bit}-bit samples by compression {compression}, which is not read of such", "save it by deflate"
        )
    return True


def _require_kind(page: _Directory, photometric: int, samples: int) -> int:
    """Refuse samples by what they are; the bits of one."""
    bits = page.numbers(_BITS, (1,))
    if len(bits) == 1:
        bits *= min(samples, 64)
    bits = bits[:samples]
    formats, bit = set(page.numbers(_FORMAT, (1,))[:samples]), bits[0]
    if photometric in _OTHER_COLOURS:
        raise RefusedError(_OTHER_COLOURS[photometric], _TO_RGB)
    if photometric not in _COLOURS:
        said = f"colours of kind {photometric}, which is not known" if photometric >= 0 else "colours of no said kind"
        raise RefusedError(f"has {said} (its photometric interpretation)", _TO_RGB)
    if len(set(bits)) > 1:
        raise RefusedError(f"has samples of different sizes, {', '.join(map(str, bits[:9]))} bits", _TO_RGB)
    if formats != {1}:
        names = {2: "signed", 3: "floating-point", 4: "untyped", 5: "complex", 6: "complex"}
        named = " and ".join(names.get(kind, "unsigned" if kind == 1 else "unknown") for kind in sorted(formats))
        remedy = f"convert to 8 or 16 unsigned bits, or {RANGE_STATED}"
        raise RefusedError(f"has {named} {bit}-bit samples", remedy)
    if bit not in _DEPTHS[photometric]:
        of = {2: "RGB", 3: "palette", 6: "YCbCr"}.get(photometric, "gray")
        stated = f", or {RANGE_STATED}" if bit == 32 and photometric in (1, 2) else ""
        raise RefusedError(f"has {bit}-bit {of} samples", f"convert to 8 or 16 bits{stated}")
    if page.number(_FILL_ORDER, 1) != 1 and (bit == 16 or _EXTRA in page.tags):
        raise RefusedError("has the bits of its bytes in reverse order", _TO_RGB)
    compression = page.number(_COMPRESSION, 1)
    if _COMPRESSIONS.get(compression, "?"):
        name = _COMPRESSIONS.get(compression, "a method that is not known")
        raise RefusedError(f"is compressed by {name} (compression {compression})", "save it without compression")
    if photometric == 6 and (compression == 1 or samples != 3 or page.number(_PLANAR, 1) == 2):
        raise RefusedError("has colour mode YCbCr stored as it is", _TO_RGB)
    return bit


def _require_extra(page: _Directory, photometric: int, samples: int) -> bool:
    """Refuse samples that are neither colour nor alpha; whether there is alpha that colours were multiplied by."""
    more = samples - _COLOURS[photometric]
    extra = page.numbers(_EXTRA)
    if more < 0:
        raise ValueError(f"has {samples} samples a pixel, too few for its colours")
    if not extra and photometric == 2 and more == 1:
        return False  # alpha, whose tag many writers leave out
    if len(extra) != more or 0 in extra:
        raise RefusedError(
            f"has {more} more samples a pixel than its colours, of which it is not said what they are",
            f"save it without them, or each band as an image of its own, or {RANGE_STATED}",
        )
    if more > 1 or (more and extra[0] not in (1, 2, 999)):  # 999: Corel's alpha
        raise RefusedError(f"has {more} extra samples a pixel, of kinds {', '.join(map(str, extra[:9]))}", _TO_RGB)
    if more and photometric != 2 and (page.number(_BITS, 1) != 8 or (photometric == 3 and extra[0] == 1)):
        kind = "palette" if photometric == 3 else f"{page.number(_BITS, 1)}-bit gray"
        raise RefusedError(f"has {kind} samples with alpha", "save it as RGB with alpha, or as PNG")
    return bool(more) and extra[0] == 1


class _Pieces(NamedTuple):
    """Strips or tiles of a page."""

    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    """Bytes of each as they are stored; none where that is not said."""
    whole: list[int]
    """Bytes of the pixels of each of those that there must be."""


def _pieces(page: _Directory, planes: int, pixel_bits: int) -> _Pieces:
    """Find strips or tiles, or refuse them where they are too few."""
    width, height = page.number(_WIDTH, 0), page.number(_HEIGHT, 0)
    tiled = _STRIP_OFFSETS not in page.tags
    if tiled:
        across, down = page.number(_TILE_WIDTH, 0), page.number(_TILE_HEIGHT, 0)
    else:
        across, down = width, min(page.number(_STRIP_ROWS, height), height)
    if across < 1 or down < 1:
        raise ValueError("its directory tells no size of its tiles or strips")
    if across * down > max(4 * width * height, 1 << 24):
        raise ValueError(f"has tiles of {across} x {down} pixels, far beyond those of the image")
    offsets = page.numbers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    counts = page.numbers(_TILE_COUNTS if tiled else _STRIP_COUNTS)
    rows = -(-height // down)
    wanted = rows * -(-width // across) * planes
    if len(offsets) < wanted or len(counts) not in (0, len(offsets)):
        raise ValueError(f"has {len(offsets)} strips or tiles where {wanted} are wanted")
    row = -(-across * pixel_bits // 8)
    last = down if tiled else height - (rows - 1) * down
    return _Pieces(offsets, counts, [row * (last if i % rows == rows - 1 else down) for i in range(wanted)])


def _require_pieces(page: _Directory, view: memoryview, planes: int, pixel_bits: int) -> None:
    """Refuse strips or tiles that are too few, not there, or, where they have checksums, damaged."""
    offsets, counts, whole = _pieces(page, planes, pixel_bits)
    compression = page.number(_COMPRESSION, 1)
    sizes = whole if compression == 1 else counts or [1] * len(whole)
    if any(offset + size > len(view) for offset, size in zip(offsets, sizes, strict=False)):
        raise ValueError("is truncated: its pixels lie beyond its end")
    if compression in (8, 32946) and counts and page.number(_PHOTOMETRIC, 0) != 6:
        for offset, count, size in zip(offsets, counts, whole, strict=False):
            _require_checksum(view[offset : offset + count], size)


def _require_checksum(piece: memoryview, size: int) -> None:
    """Inflate a strip or tile to the end, where its checksum is, at which libtiff does not look."""
    inflate = zlib.decompressobj()
    try:
        found = len(inflate.decompress(piece, size + 64))
    except zlib.error as error:
        raise ValueError(f"is damaged: a strip or tile of it cannot be inflated ({error})") from error
    if found < size:
        raise ValueError("is damaged: a strip or tile of it ends early")


def _narrow(page: _Directory, tag: int) -> tuple[int, int, bytes]:
    """Type, count and bytes of a tag as a TIFF of 32-bit offsets has them."""
    value = page.tags[tag]
    if value.kind not in (16, 18):
        return value.kind, value.length, bytes(value.raw)
    numbers = page.numbers(tag)
    if max(numbers, default=0) >= 1 << 32:
        raise ValueError(f"is truncated: tag {tag} points beyond its end")
    return _longs(page.order, numbers)


def _colour_map(page: _Directory, bits: int) -> tuple[int, int, bytes]:
    """Palette with the 8 bits of each colour in the upper byte."""
    colours = page.numbers(_COLOUR_MAP)
    if len(colours) != 3 << bits:
        raise ValueError(f"has a palette of {len(colours)} numbers, not {3 << bits}")
    if max(colours) < 256:  # as old writers have it
        colours = tuple(257 * colour for colour in colours)
    elif any(colour & 255 not in (0, colour >> 8) for colour in colours):
        raise RefusedError("has a palette of 16-bit colours", "convert it to RGB")
    return 3, len(colours), struct.pack(f"{page.order}{len(colours)}H", *colours)


def page_alone(data: bytes, at: int) -> bytes:
    """File of the page whose directory is at an offset, with its own strips or tiles alone: many pages cost no more.

    Raises
    ------
    ValueError, RefusedError
        If the directory is damaged.
    """
    view = memoryview(data)
    _, order, big = _header(view)
    page = _directory(view, at, order, big, _WANTED - {_SUB_DIRECTORIES})
    samples = page.number(_SAMPLES, 1)
    planes = max(samples, 1) if page.number(_PLANAR, 1) == 2 else 1
    offsets, counts, whole = _pieces(page, planes, samples // planes * page.number(_BITS, 1))
    compression = page.number(_COMPRESSION, 1)
    sizes = whole if compression == 1 else counts
    is_there = all(offset + size <= len(view) for offset, size in zip(offsets, sizes, strict=False))
    if compression == 6 or len(sizes) < len(whole) or sum(sizes) > len(view) or not is_there:
        # What else is pointed to is not known, or pieces lie within one another or beyond the end: nothing is moved,
        # and nothing added, which a piece that was cut off would be taken to go on in.
        return _made_first(data, at, page, big)
    starts = list(itertools.accumulate(sizes, initial=8))[:-1]
    tiled = _STRIP_OFFSETS not in page.tags
    kept = {tag: _narrow(page, tag) for tag in page.tags if tag not in _PLACES}
    kept[_TILE_OFFSETS if tiled else _STRIP_OFFSETS] = _longs(order, starts)
    kept[_TILE_COUNTS if tiled else _STRIP_COUNTS] = _longs(order, sizes)
    pieces = (view[offset : offset + size] for offset, size in zip(offsets, sizes, strict=False))
    return _joined(b"".join([bytes(8), *pieces]), order, dict(sorted(kept.items())))


def _made_first(data: bytes, at: int, page: _Directory, big: bool) -> bytes:
    """File whose first and only directory is one of its own."""
    found = bytearray(data)
    offset, count = ("Q", "Q") if big else ("I", "H")
    struct.pack_into(page.order + offset, found, 8 if big else 4, at)
    struct.pack_into(page.order + offset, found, at + struct.calcsize(page.order + count) + page.size, 0)
    return bytes(found)


def _longs(order: str, numbers: Sequence[int]) -> tuple[int, int, bytes]:
    return 4, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers)


def _joined(data: bytes, order: str, kept: dict[int, tuple[int, int, bytes]]) -> bytes:
    """Make a TIFF of one page whose pixels lie where they did."""
    at = len(data) + len(data) % 2
    values_at = at + 2 + 12 * len(kept) + 4
    if values_at >= (1 << 32) - (1 << 24):
        raise RefusedError("has more than 4 GB", "cut it into tiles")
    directory, values = [struct.pack(order + "H", len(kept))], b""
    for tag, (kind, count, raw) in kept.items():
        if len(raw) > 4:
            place, values = struct.pack(order + "I", values_at + len(values)), values + raw + b"\0" * (len(raw) % 2)
        else:
            place = raw.ljust(4, b"\0")
        directory.append(struct.pack(order + "HHI", tag, kind, count) + place)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return b"".join([head, memoryview(data)[8:], b"\0" * (len(data) % 2), *directory, bytes(4), values])
