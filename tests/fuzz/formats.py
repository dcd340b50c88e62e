"""Mutations that know a format's sums and lengths, so that what they change is read and not refused at the door.

Zip archives, .npy headers, PNG chunks, TIFF directories, RIFF, pickles and safetensors headers. Each falls back to
blind mutations for bytes that it cannot take apart, and now and then for those that it can.
"""

from __future__ import annotations

import binascii
import pickletools
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

from .mutations import below, blind, json_text

Inner = Callable[[str, bytes, Random, Sequence[bytes]], bytes]


# ---- zip ----------------------------------------------------------------------------------------------------------


def zip_members(data: bytes) -> list[tuple[str, int, bytes]]:
    """Name, method and content of the members that the central directory of a sound archive names."""
    end = data.rfind(b"PK\5\6")
    count, _, at = struct.unpack_from("<HII", data, end + 10)
    members = []
    for _ in range(min(count, 64)):
        (method,) = struct.unpack_from("<H", data, at + 10)
        packed, _, names, extra, comment = struct.unpack_from("<IIHHH", data, at + 20)
        (local,) = struct.unpack_from("<I", data, at + 42)
        name = data[at + 46 : at + 46 + names].decode("utf-8", "replace")
        local_names, local_extra = struct.unpack_from("<HH", data, local + 26)
        start = local + 30 + local_names + local_extra
        content = data[start : start + packed]
        if method == 8:
            content = zlib.decompressobj(-15).decompress(content, 1 << 16)
        members.append((name, method, content))
        at += 46 + names + extra + comment
    return members


def zip_bytes(members: Sequence[tuple[str, int, bytes]], rng: Random | None = None) -> bytes:
    """Archive of the members; with a random state one field of one header is wrong."""
    wrong = below(rng, 2 * len(members) + 2) if rng else -1
    body, central = bytearray(), bytearray()
    for i, (name, method, content) in enumerate(members):
        raw_name = name.encode("utf-8", "surrogatepass")
        packed = content
        if method == 8:
            packer = zlib.compressobj(1, zlib.DEFLATED, -15)
            packed = packer.compress(content) + packer.flush()
        common = [20, 0, method, 0, 33, binascii.crc32(content), len(packed), len(content), len(raw_name), 0]
        at = len(body)
        local = list(common)
        if rng and wrong == 2 * i:
            _tamper(local, rng)
        body += b"PK\3\4" + struct.pack("<5H3I2H", *local) + raw_name + packed
        entry = [20, *common, 0, 0, 0, 0, at]
        if rng and wrong == 2 * i + 1:
            _tamper(entry, rng)
        central += b"PK\1\2" + struct.pack("<6H3I5H2I", *entry) + raw_name
    end = [0, 0, len(members), len(members), len(central), len(body), 0]
    if rng and wrong >= 2 * len(members):
        _tamper(end, rng)
    prefix = b"" if not rng or rng.random() < 0.95 else b"#!" + bytes(below(rng, 40))
    return prefix + bytes(body + central) + b"PK\5\6" + struct.pack("<4H2IH", *end)


def _tamper(fields: list[int], rng: Random) -> None:
    at = below(rng, len(fields))
    change = rng.choice((-1, 1, -2, 2, 30, 1 << 15, rng.getrandbits(16)))
    fields[at] = (fields[at] + change) & 0xFFFF if rng.random() < 0.8 else rng.choice((0, 1, 8, 0xFFFF))


_ALIASES = (
    "/{}",
    "./{}",
    "x/../{}",
    "../{}",
    "{}/",
    "a\\{}",
    "\\{}",
    "{}\0x",
    "{}/./",
    "//{}",
    "{} ",
    "A{}",
    "é{}",
    "{}.npy",
)


def zip_mutations(inner: Inner) -> Callable[[bytes, Random, Sequence[bytes]], bytes]:
    """Mutations of archives; `inner` changes one member, whose name it is told."""

    def mutate(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
        if rng.random() < 0.25:
            return blind(data, rng, others)
        try:
            members = zip_members(data)
        except (struct.error, zlib.error, UnicodeError):
            return blind(data, rng, others)
        if not members:
            return blind(data, rng, others)
        for _ in range(1 + below(rng, 2)):
            at = below(rng, len(members))
            name, method, content = members[at]
            which = below(rng, 12)
            if which < 7:
                members[at] = name, method, inner(name, content, rng, others)
            elif which == 7:
                members[at] = rng.choice(_ALIASES).format(name), method, content
            elif which == 8:
                members.append((name if rng.random() < 0.3 else rng.choice(_ALIASES).format(name), method, content))
            elif which == 9 and len(members) > 1:
                del members[at]
            elif which == 10:
                members[at] = name, rng.choice((0, 8, 8, 0, 9, 12, 14)), content
            else:
                other = rng.choice(members)
                members[at] = name, method, other[2]
        return zip_bytes(members, rng if rng.random() < 0.3 else None)

    return mutate


# ---- tar ----------------------------------------------------------------------------------------------------------

_TAR_FIELDS = (
    (0, 100),
    (100, 8),
    (124, 12),
    (124, 12),
    (156, 1),
    (156, 1),
    (157, 100),
    (257, 8),
    (329, 16),
    (345, 155),
)
"""Name, mode, size, kind, link, magic, device, prefix: where they are in a header, and their bytes."""
_TAR_KINDS = b"0\x00157xgLKSDVMA26X3"
_TAR_SIZES = (b"0", b"1", b"777", b"1000", b"77777777777", b"-1", b" 12 ", b"1_0", b"9", b"\x80" + bytes(10) + b"\1",
              b"\x80\0\0\0\xff" + b"\xff" * 7, b"\xff" * 12, b"")  # fmt: skip


def _tar_headers(data: bytes) -> list[int]:
    """Where the headers are of as many members as can be found."""
    found, at = [], 0
    while at + 512 <= len(data) and any(data[at : at + 512]) and len(found) < 64:
        found.append(at)
        try:
            size = int(data[at + 124 : at + 136].strip(b"\0 ") or b"0", 8)
        except ValueError:
            size = 0
        at += 512 + -(-max(size, 0) // 512) * 512
    return found


def tar(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate a field of a header, or a member, and put the header's sum right."""
    heads = _tar_headers(data)
    if not heads or rng.random() < 0.15:
        return blind(data, rng, others)
    held = bytearray(data)
    at = rng.choice(heads)
    which = below(rng, 10)
    if which < 5:
        start, width = rng.choice(_TAR_FIELDS)
        value = bytes(held[at + start : at + start + width])
        if start == 124:
            value = rng.choice(_TAR_SIZES)
        elif start == 156:
            value = bytes([rng.choice(_TAR_KINDS)])
        else:
            value = rng.choice((blind(value, rng), b"../x", b"/a", b"a\0b", b"\xff\n", b"./a.png", b"", b"a" * width))
        held[at + start : at + start + width] = value[:width].ljust(width, b"\0")
    elif which < 7:  # what it holds, which may be the fields of a pax header
        end = next((head for head in heads if head > at), len(held))
        body = blind(bytes(held[at + 512 : end]), rng, others, _PAX_TOKENS)[: end - at - 512]
        held[at + 512 : end] = body.ljust(end - at - 512, b"\0")
    elif which == 7:
        part = bytes(held[at : at + 512 * (1 + below(rng, 3))])
        held[at:at] = part * (1 + below(rng, 3) ** 3)
    elif which == 8:
        del held[at : at + 512 * (1 + below(rng, 3))]
    else:
        del held[below(rng, len(held)) :]
    if rng.random() < 0.9 and at + 512 <= len(held):
        total = sum(held[at : at + 148]) + 8 * 32 + sum(held[at + 156 : at + 512])
        held[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(held)


_PAX_TOKENS = (b"12 path=b.png\n", b"17 size=99999999\n", b"9 size=-\n", b"99999999999 a=b\n", b"0 =\n", b"-5 x=y\n", b"22 GNU.sparse.major=1\n",
               b"22 GNU.sparse.minor=0\n", b"25 GNU.sparse.size=99999\n", b"30 hdrcharset=BINARY\n", b"11 mtime=z\n", b"=", b"\n", b" ")  # fmt: skip


# ---- .npy ---------------------------------------------------------------------------------------------------------

_NPY_TOKENS = (b"'descr'", b"'fortran_order'", b"'shape'", b"True", b"False", b"'<f8'", b"'|O'", b"'<U5'", b"'>i4'", b"'<M8[ns]'",
               b"'|V8'", b"'<c16'", b"'|S0'", b"'<f16'", b"'<f2'", b"'=f8'", b"'|b1'", b"'<u8'", b"'m8'", b"'(2,3)f4'", b"'f4,f4'",
               b"(", b")", b",", b"{", b"}", b":", b"1L", b"-1", b"0", b"1+1", b"1" * 30, b"9223372036854775807", b"[('a','<f4')]",
               b"None", b"\0", b"#", b"\n", b"\t", b'"', b"'", b"\\x41", b"0x10", b"1_0", b"01")  # fmt: skip
_SPECIALS = (b"\0\0\0\0\0\0\xf8\x7f", b"\0\0\0\0\0\0\xf0\x7f", b"\0\0\0\0\0\0\xf0\xff", b"\0\0\0\0\0\0\0\x80",
             b"\xff\xff\xff\xff\xff\xff\xef\x7f", b"\1\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\xf0\x3f", b"\xff" * 8,
             b"\0\0\0\0\0\0\0\xc0", b"\0\0\0\0\0\0\x40\x43", b"\0" * 8, struct.pack("<d", 1e160), struct.pack("<d", 1e70),
             struct.pack("<d", 1 + 2**-52), struct.pack("<q", 2**53), struct.pack("<q", 2**62))  # fmt: skip


def npy(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate the header's text, with its length put right, or values."""
    if len(data) < 12 or data[:6] != b"\x93NUMPY" or rng.random() < 0.1:
        return blind(data, rng, others)
    wide = data[6] != 1
    start = 12 if wide else 10
    length = int.from_bytes(data[8:start], "little")
    header, values = data[start : start + length], data[start + length :]
    which = below(rng, 10)
    if which < 4 or not values:
        header = blind(header, rng, others, _NPY_TOKENS)
    elif which < 9:
        held = bytearray(values)
        at = below(rng, max(1, len(held) // 8)) * 8
        special = rng.choice(_SPECIALS)
        if rng.random() < 0.7:
            held[at : at + 8] = special[: len(held) - at]
        elif rng.random() < 0.5:
            held[at : at + 8] = held[:8]
        else:
            held[below(rng, len(held))] = below(rng, 256)
        values = bytes(held)
    else:
        values = values[: below(rng, len(values))] if rng.random() < 0.5 else values + values[:8]
    if len(header) >= 1 << 16:
        wide = True
    width = 4 if wide else 2
    version = bytes([data[6] if wide == (data[6] != 1) else 2, data[7]])
    return data[:6] + version + len(header).to_bytes(width, "little") + header + values


# ---- images -------------------------------------------------------------------------------------------------------


def png(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate chunks, or the pixels below their compression, and put the sums right."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or rng.random() < 0.1:
        return blind(data, rng, others)
    chunks, at = [], 8
    while at + 12 <= len(data) and len(chunks) < 64:
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return blind(data, rng, others)
    i = below(rng, len(chunks))
    kind, content = chunks[i]
    which = below(rng, 10)
    if which < 6:
        if kind == b"IDAT" and rng.random() < 0.7:
            try:
                raw = zlib.decompressobj().decompress(content, 1 << 16)
                content = zlib.compress(blind(raw, rng), 1)
            except zlib.error:
                content = blind(content, rng)
        elif kind == b"IHDR" and rng.random() < 0.7 and len(content) == 13:
            held = bytearray(content)
            at = rng.choice((3, 7, 8, 9, 10, 11, 12, 2, 6, 0))
            held[at] = rng.choice((0, 1, 2, 3, 4, 5, 6, 8, 16, below(rng, 256)))
            content = bytes(held)
        else:
            content = blind(content, rng, others)
        chunks[i] = kind, content
    elif which == 6:
        del chunks[i]
    elif which == 7:
        chunks.insert(below(rng, len(chunks) + 1), chunks[i])
    elif which == 8:
        chunks[i] = rng.choice(_PNG_KINDS), content
    else:
        chunks.insert(below(rng, len(chunks) + 1), (rng.choice(_PNG_KINDS), content[: below(rng, 40)]))
    return data[:8] + b"".join(
        len(c).to_bytes(4, "big") + k + c + binascii.crc32(k + c).to_bytes(4, "big") for k, c in chunks
    )


_PNG_KINDS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"acTL", b"fcTL", b"fdAT", b"tEXt", b"zTXt", b"iTXt", b"eXIf",
              b"iCCP", b"sRGB", b"pHYs", b"CgBI", b"aaaa", b"AAAA")  # fmt: skip


def tiff(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate an entry of the directory: its tag, type, count or value."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 14 or rng.random() < 0.3:
        return blind(data, rng, others)
    at = struct.unpack_from(f"{order}I", data, 4)[0]
    if at + 2 > len(data):
        return blind(data, rng, others)
    count = min(struct.unpack_from(f"{order}H", data, at)[0], (len(data) - at - 2) // 12)
    if not count:
        return blind(data, rng, others)
    held = bytearray(data)
    for _ in range(1 + below(rng, 2)):
        entry = at + 2 + 12 * below(rng, count)
        which = below(rng, 6)
        if which == 0:
            struct.pack_into(f"{order}H", held, entry, rng.choice(_TIFF_TAGS))
        elif which == 1:
            struct.pack_into(f"{order}H", held, entry + 2, below(rng, 20))
        elif which == 2:
            struct.pack_into(f"{order}I", held, entry + 4, rng.choice((0, 1, 2, 3, 4, 5, 1 << 16, 1 << 31, 1 << 28)))
        else:
            value = rng.choice(
                (
                    0,
                    1,
                    2,
                    3,
                    4,
                    5,
                    6,
                    7,
                    8,
                    12,
                    16,
                    32,
                    64,
                    255,
                    1 << 15,
                    1 << 16,
                    1 << 31,
                    32773,
                    8,
                    5,
                    7,
                    34712,
                    50000,
                )
            )
            if which < 5 and value < 1 << 16:
                struct.pack_into(f"{order}HH", held, entry + 8, value, 0)
            else:
                struct.pack_into(f"{order}I", held, entry + 8, value)
    return bytes(held)


_TIFF_TAGS = (254, 256, 257, 258, 259, 262, 266, 270, 273, 274, 277, 278, 279, 280, 281, 282, 284, 285, 292, 305, 317, 320, 322, 323,
              324, 325, 330, 338, 339, 347, 529, 530, 532, 700, 34665, 34675)  # fmt: skip


def riff(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate blindly and put the outer length right."""
    data = blind(data, rng, others)
    if data[:4] != b"RIFF" or rng.random() < 0.2:
        return data
    return data[:4] + (len(data) - 8 & 0xFFFFFFFF).to_bytes(4, "little") + data[8:]


# ---- pickles ------------------------------------------------------------------------------------------------------

_OPCODES = (b"(", b"0", b"1", b"2", b"N", b"\x88", b"\x89", b"]", b"}", b")", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"a", b"e",
            b"s", b"u", b"b", b"R", b"Q", b"q\0", b"q\1", b"h\0", b"h\1", b"K\0", b"K\1", b"K\xff", b"M\0\1", b"J\xff\xff\xff\xff",
            b"X\1\0\0\0a", b"\x8c\1b", b"X\0\0\0\0", b"G\x7f\xf8\0\0\0\0\0\0", b"I01\n", b"L5L\n", b"\x8a\x09" + b"\xff" * 8 + b"\0",
            b"cos\nsystem\n", b"cbuiltins\neval\n", b"ccollections\nOrderedDict\n", b"ctorch\nFloatStorage\n",
            b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nBFloat16Storage\n", b"\x8f", b"\x90", b"\x91", b"\x93", b"\x81", b"\x92",
            b"\x94", b"\x95\5\0\0\0\0\0\0\0", b"\x80\2", b"\x80\5", b".", b"B\2\0\0\0ab", b"C\2ab", b"\x96\2\0\0\0\0\0\0\0ab", b"\x97",
            b"\x98", b"Pid\n", b"Va\\u0000\n", b"S'a'\n", b"F1e999\n", b"i__main__\nx\n", b"o", b"\x82\1")  # fmt: skip


def pickled(data: bytes, rng: Random, others: Sequence[bytes] = (), most: int = 5) -> bytes:
    """Mutate the opcodes of the first pickles of a stream; what follows them stays."""
    if rng.random() < 0.15:
        return blind(data, rng, others, _OPCODES)
    cuts, start = [], 0
    try:
        for _ in range(most):
            for _, _, position in pickletools.genops(data[start:]):
                cuts.append(start + (position or 0))
            start = cuts[-1] + 1
    except Exception:
        pass
    if len(cuts) < 2:
        return blind(data, rng, others, _OPCODES)
    for _ in range(1 + below(rng, 3)):
        i = below(rng, len(cuts) - 1)
        begin, end = cuts[i], cuts[i + 1]
        which = below(rng, 6)
        if which == 0:
            data = data[:begin] + data[end:]
        elif which == 1:
            data = data[:end] + data[begin:end] * (1 + below(rng, 3)) + data[end:]
        elif which == 2:
            data = data[:begin] + rng.choice(_OPCODES) + data[begin:]
        elif which == 3:
            data = data[:begin] + rng.choice(_OPCODES) + data[end:]
        elif which == 4:
            j = below(rng, len(cuts) - 1)
            data = data[:begin] + data[cuts[j] : cuts[j + 1]] + data[end:]
        else:
            data = data[:begin] + blind(data[begin:end], rng, others) + data[end:]
    return data


def safetensors(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Mutate the header as JSON and put its length right."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > len(data) - 8 or rng.random() < 0.2:
        return blind(data, rng, others)
    header = json_text(data[8 : 8 + length], rng, others)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]
