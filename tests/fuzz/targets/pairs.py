"""What a run of pairs is given: lists of pairs in every format, and stacks of images by number."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from .. import formats, readers
from ..mutations import blind, json_value, with_tokens
from ..target import Target, placed
from .arrays import npz_mutations, numpy_reads, same


def _reader(suffix: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        pairs = readers.PairList(placed(data, f"pairs{suffix}"))
        return [(pair.ref, pair.test) for pair in pairs], len(pairs)

    return read


def _right(pairs: Any, data: bytes) -> None:
    found, count = pairs
    assert len(found) == count > 0
    assert all(isinstance(path, str) and path for pair in found for path in pair)


def _right_text(pairs: Any, data: bytes) -> None:
    _right(pairs, data)
    lines = [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.removesuffix(b"\r").strip(b" \t")]
    assert len(lines) == len(pairs[0]), "a line is lost"
    for line, pair in zip(lines, pairs[0], strict=True):
        for path in pair:
            assert path.encode("utf-8", "surrogateescape") in line, "no path of the line"


def _right_jsonl(pairs: Any, data: bytes) -> None:
    _right(pairs, data)
    lines = [json.loads(line) for line in data.decode("utf-8-sig").split("\n") if line.strip()]
    assert [(line["ref"], line["test"]) for line in lines] == pairs[0]


def _lines(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    if rng.random() < 0.5:
        try:
            lines[at] = json.dumps(json_value(json.loads(lines[at]), rng)).encode("utf-8", "surrogatepass")
            return b"\n".join(lines)
        except (ValueError, RecursionError):
            pass
    return blind(data, rng, others)


_text = with_tokens(b"\t", b" ", b"\n", b"\r\n", b"\r", b",", b'"', b'""', b"\0", b"\xff", b"@", b"a.png", b"\xef\xbb\xbf", b"ref", b"test",
                    b"\xe2\x80\xa8", b"\x0b", b"\x0c", b"\x85", b"a" * 4000)  # fmt: skip


def _stack(data: bytes) -> Any:
    """Images of a stack, of its first and last ones the pixels."""
    side = readers.side_of(placed(data, "stack.npz" if data[:2] == b"PK" else "stack.npy"))
    if isinstance(side, readers.StackSide):
        sources = [side.at(i) for i in sorted({*range(min(side.count, 4)), side.count - 1})]
        count = side.count
    else:
        if not isinstance(side, readers.ImageSide) or isinstance(side.source, str):
            raise readers.FileError("stack", "is no stack")
        sources, count = [side.source], 1
    images = [readers.read_source(one, gray=False, alpha="error", any_samples=True).pixels for one in sources]
    return count, [np.array(image) for image in images]  # the file will be another


def _right_stack(stack: Any, data: bytes) -> None:
    count, images = stack
    assert count >= 1
    if data[:6] == b"\x93NUMPY":
        array = numpy_reads(data)
        assert sum(image.size for image in images) <= array.size
        assert array.size == count * images[0].size
    for image in images:
        assert image.ndim in (2, 3)
        assert image.dtype.kind in "uf", image.dtype
        assert image.shape == images[0].shape
    if data[:6] == b"\x93NUMPY":
        assert same(images[0].ravel(), array.reshape(count, -1)[0].astype(images[0].dtype))


def _mutate_stack(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    return (npz_mutations if data[:2] == b"PK" else formats.npy)(data, rng, others)


TARGETS = [
    Target("pairs-text", _reader(""), _right_text, _text, readers.PAIRS),
    Target("pairs-csv", _reader(".csv"), _right, _text, readers.PAIRS),
    Target("pairs-jsonl", _reader(".jsonl"), _right_jsonl, _lines, readers.PAIRS),
    Target("pairs-parquet", _reader(".parquet"), _right, blind, readers.PAIRS),
    Target(
        "stack",
        _stack,
        _right_stack,
        _mutate_stack,
        readers.STACK,
        lambda a, b: a[0] == b[0] and all(map(same, a[1], b[1])),
    ),
]
