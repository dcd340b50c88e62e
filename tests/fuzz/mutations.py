"""Blind mutations of bytes, texts and JSON values, each from one random state: the same seed gives the same input."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

_WIDTHS = (1, 1, 2, 2, 4, 4, 8)
_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 31, 32, 64, 100, 127, 128, 255, 256, 1000, 1 << 15, (1 << 16) - 1, 1 << 16, 1 << 24,
            (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 48, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip


def below(rng: Random, n: int) -> int:
    return int(rng.random() * n)


def blind(data: bytes, rng: Random, others: Sequence[bytes] = (), tokens: Sequence[bytes] = ()) -> bytes:
    """One to four changes: a bit, a byte, a number, a range taken out, doubled, moved in from another, or cut off."""
    held = bytearray(data)
    for _ in range(1 + below(rng, 4) * below(rng, 2)):
        size = len(held)
        if not size:
            held += bytes(below(rng, 256) for _ in range(1 + below(rng, 8)))
            continue
        at, which = below(rng, size), below(rng, 12 if tokens else 10)
        if which < 2:
            held[at] ^= 1 << below(rng, 8)
        elif which == 2:
            held[at] = below(rng, 256)
        elif which < 5:
            width = rng.choice(_WIDTHS)
            number = rng.choice(_NUMBERS) + below(rng, 3) - 1 & (1 << 8 * width) - 1
            held[at : at + width] = number.to_bytes(width, "little" if rng.random() < 0.5 else "big")
        elif which == 5:
            del held[at : at + 1 + below(rng, 1 + below(rng, 16))]
        elif which == 6:
            length = 1 + below(rng, min(64, size))
            part = bytes(held[at : at + length])
            to = below(rng, size)
            held[to : to + (length if rng.random() < 0.5 else 0)] = part
        elif which == 7 and others:
            other = rng.choice(others)
            if other:
                start = below(rng, len(other))
                part = other[start : start + 1 + below(rng, 64)]
                held[at : at + (len(part) if rng.random() < 0.5 else 0)] = part
        elif which == 8 and rng.random() < 0.3:
            del held[at:]
        elif which == 9 and rng.random() < 0.05:  # so much of one thing that what is not linear shows
            part = bytes(held[at : at + 1 + below(rng, 4)])
            held[at:at] = part * below(rng, 30_000 // len(part))
        elif which == 9:
            held[at:at] = bytes(below(rng, 256) for _ in range(1 + below(rng, 8)))
        elif which > 9:
            token = rng.choice(tokens)
            held[at : at + (len(token) if rng.random() < 0.5 else 0)] = token
    return bytes(held)


def with_tokens(*tokens: bytes) -> Callable[[bytes, Random, Sequence[bytes]], bytes]:
    """Blind mutations that put in words of a language too."""
    return lambda data, rng, others: blind(data, rng, others, tokens)


JSON_TEXTS = ("", "a", "\0", "\x1b[2J", "\r\n", "\ud800", "é", "../x", "a" * 300, "F32", "I64", "nan")
JSON_NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    3.5,
    -0.0,
    1e308,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**30,
    float("nan"),
    float("inf"),
)


def json_value(value: Any, rng: Random, depth: int = 0) -> Any:
    """Another JSON value, changed in one place."""
    which = below(rng, 8)
    if isinstance(value, dict) and value and which < 7:
        key = rng.choice(list(value))
        if which == 5:
            return {name: value[name] for name in value if name != key}
        if which == 6:
            return {(rng.choice(JSON_TEXTS) if name == key else name): value[name] for name in value}
        return {**value, key: json_value(value[key], rng, depth + 1)}
    if isinstance(value, list) and value and which < 7:
        at = below(rng, len(value))
        if which == 5:
            return value[:at] + value[at + 1 :]
        if which == 6:
            return value[:at] + [value[at]] * (1 + below(rng, 3)) + value[at:]
        return [*value[:at], json_value(value[at], rng, depth + 1), *value[at + 1 :]]
    if type(value) is int and which < 4:
        return value + rng.choice((-1, 1, 8, -8)) if which < 3 else -value
    kinds: tuple[Any, ...] = (None, True, False, {}, [], [[]], [value], {"a": value})
    pool = rng.choice((JSON_TEXTS, JSON_NUMBERS, kinds))
    return rng.choice(pool)


def json_text(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Another JSON document: mostly of a changed value, now and then of changed characters."""
    if rng.random() < 0.7:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return blind(data, rng, others, JSON_TOKENS)
        for _ in range(1 + below(rng, 2)):
            value = json_value(value, rng)
        try:
            return json.dumps(value).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return data
    return blind(data, rng, others, JSON_TOKENS)


JSON_TOKENS = (b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"\\ud800",
               b"\\u0000", b"1" * 400, b"[" * 200, b'{"a":' * 200, b"\n", b"\r", b"\xef\xbb\xbf", b"0.1", b"true")  # fmt: skip
