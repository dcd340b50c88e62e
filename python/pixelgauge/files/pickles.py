"""Pickles of strangers, walked by an interpreter that runs nothing: its caller says which names mean what.

Objects are counted, nesting is limited as containers are made, and keys are text, so that no pickle makes its reader
work or allocate beyond its own bytes, or recurse deeply in C (hash, compare, print, let go).
"""

from __future__ import annotations

import math
import os
import pickletools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from pixelgauge.files.npy import Array
from pixelgauge.files.reading import FileError, open_regular, refusing, shown, size_of

MOST_OPCODES = 1 << 18
"""Opcodes, and copies of items, of one pickle: 250 bytes each are 64 MiB. Official state dicts have up to 30,000."""
MOST_NESTING = 100
"""Containers within containers; state dicts have 5."""
_MOST_INTEGER_BITS = 128
"""Torch's magic number has 80."""


class Refused(Exception):
    """What a call or a persistent id of a vocabulary raises: the reason, for a message."""


@dataclass(frozen=True)
class Named:
    """A global that a pickle names: a name, never the thing itself."""

    name: str


@dataclass(frozen=True)
class Vocabulary:
    """What the pickles of one kind may say; ``collections.OrderedDict`` is known to all and becomes a dict.

    Parameters
    ----------
    what : str
        What such a pickle holds, for messages: ``"state dict"``.
    calls : mapping of str to function
        By dotted name, what calling it means: a function of the tuple of arguments.
    names : set of str
        Globals that are arguments only.
    persistent : function, optional
        Meaning of a persistent id.
    build : function, optional
        Takes an object that a call made, and the state that the pickle gives it.
    """

    what: str
    calls: Mapping[str, Callable[[tuple[Any, ...]], Any]]
    names: frozenset[str] = frozenset()
    persistent: Callable[[Any], Any] | None = None
    build: Callable[[Any, Any], None] | None = None


def interpret(file: BinaryIO, path: str, vocabulary: Vocabulary, kind: type[FileError] = FileError) -> Any:
    """Walk one pickle up to its STOP; the file is left behind it.

    Raises
    ------
    FileError
        If it is damaged, asks for anything that the vocabulary does not have, makes more than 262,144 objects, or
        nests them more than 100 deep.
    """
    # pickletools reports a truncated or malformed stream as ValueError; a stack that the opcodes misuse shows as
    # IndexError, KeyError, TypeError and others.
    with refusing(path, "the pickle is damaged or truncated", "copy it again", kind):
        try:
            return _Machine(vocabulary).run(file)
        except Refused as refusal:
            raise kind(path, str(refusal)) from None


_ORDERED_DICT = "collections.OrderedDict"
_CONTAINERS = (dict, list, tuple)


class _Mark:
    pass


_MARK = _Mark()


class _Machine:
    """Stack and memo of one pickle. Nothing here calls what a stream names.

    Every depth is exact, because a list or dict that stands within another is never filled again: writers fill a
    container before they put it anywhere, and only hostile streams build a tree from its root. Nothing contains itself.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.made = 0
        self.depths: dict[int, int] = {}
        """Of containers that hold containers, by their id."""
        self.placed: set[int] = set()
        """Ids of lists and dicts that stand within another."""
        self.kept: list[Any] = []
        """Containers in `depths` and `placed`, so that no id is used again."""

    def run(self, file: BinaryIO) -> Any:
        push = self.stack.append
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name in _PUSH_ARGUMENT:
                if type(argument) is int and argument.bit_length() > _MOST_INTEGER_BITS:
                    raise Refused(f"the pickle has an integer of {argument.bit_length()} bits")
                push(argument)
            elif (step := _STEPS.get(name)) is not None:
                step(self, argument)
            elif name == "STOP":
                return self.stack.pop()
            else:
                raise Refused(f"the pickle uses opcode {name}, which no {self.vocabulary.what} needs: refused")
            self.made += 1
            if self.made > MOST_OPCODES:
                self.count(0)
        raise Refused("the pickle ends without STOP: it is truncated")

    def count(self, objects: int) -> None:
        self.made += objects
        if self.made > MOST_OPCODES:
            raise Refused(
                f"the pickle makes more than {MOST_OPCODES} objects, which is too many for a {self.vocabulary.what}"
            )

    def contain(self, container: Any, items: Iterable[Any]) -> None:
        """Note that items stand within a container, one level below it."""
        before = depth = self.depths.get(id(container), 1)
        for item in items:
            if type(item) in _CONTAINERS:
                depth = max(depth, self.depths.get(id(item), 1) + 1)
                if type(item) is not tuple and id(item) not in self.placed:
                    self.placed.add(id(item))
                    self.kept.append(item)
        if depth > MOST_NESTING:
            raise Refused(f"the pickle nests more than {MOST_NESTING} levels deep")
        if depth > before:
            self.depths[id(container)] = depth
            self.kept.append(container)

    def to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def fill(self, kind: type[Any]) -> Any:
        """Container on top of the stack, which the pickle is about to fill."""
        top = self.stack[-1]
        if type(top) is not kind:
            raise Refused(f"the pickle fills a {type(top).__name__} as if it were a {kind.__name__}")
        if id(top) in self.placed:
            raise Refused(f"the pickle fills a {kind.__name__} that stands within another already")
        return top

    def push_tuple(self, items: tuple[Any, ...]) -> None:
        self.contain(items, items)
        self.stack.append(items)

    def append(self, items: list[Any]) -> None:
        top = self.fill(list)
        self.contain(top, items)
        if any(item is top for item in items):
            raise Refused("the pickle has a list that contains itself")
        top.extend(items)

    def update(self, pairs: list[Any]) -> None:
        top = self.fill(dict)
        self.put(top, zip(pairs[::2], pairs[1::2], strict=True))

    def put(self, target: dict[str, Any], pairs: Iterable[tuple[Any, Any]]) -> None:
        """Fill a dict. Text alone is a key: hashing anything nested recurses in C."""
        items = list(pairs)
        for key, value in items:
            if type(key) is not str:
                raise Refused(f"the pickle is damaged or hostile: a key is a {type(key).__name__}, not a name")
            if value is target:
                raise Refused("the pickle has a dict that contains itself")
        self.contain(target, (value for _, value in items))
        target.update(items)

    def global_(self, dotted: str) -> None:
        known = self.vocabulary
        if dotted not in known.calls and dotted not in known.names and dotted != _ORDERED_DICT:
            raise Refused(f"the pickle asks for {shown(dotted)}, which no {known.what} needs: refused, not run")
        self.stack.append(Named(dotted))

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(module) is not str or type(name) is not str:
            raise Refused(f"the pickle names a global by a {type(module).__name__} and a {type(name).__name__}")
        self.global_(f"{module}.{name}")

    def inst(self, dotted: str) -> None:
        raise Refused(f"the pickle asks for {shown(dotted)} by opcode INST: refused, not run")

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        name = function.name if type(function) is Named else type(function).__name__
        if type(arguments) is not tuple:
            raise Refused(f"the pickle calls {name} with a {type(arguments).__name__}")
        if name == _ORDERED_DICT:
            self.stack.append(self.ordered_dict(arguments))
        elif type(function) is Named and (call := self.vocabulary.calls.get(name)) is not None:
            self.stack.append(call(arguments))
        else:
            raise Refused(
                f"the pickle calls {name} with arguments that no {self.vocabulary.what} has: refused, not run"
            )

    def ordered_dict(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """Make a dict of nothing, of a dict or of pairs, as Python 2 wrote them; every item copied counts."""
        made: dict[str, Any] = {}
        if not arguments:
            return made
        source = arguments[0]
        if len(arguments) > 1 or type(source) not in _CONTAINERS:
            raise Refused("the pickle calls collections.OrderedDict with arguments that are no items")
        self.count(len(source))
        if type(source) is dict:
            self.put(made, source.items())
        elif all(type(pair) in (list, tuple) and len(pair) == 2 for pair in source):
            self.put(made, ((pair[0], pair[1]) for pair in source))
        else:
            raise Refused("the pickle calls collections.OrderedDict with items that are no pairs")
        return made

    def build(self) -> None:
        state, top = self.stack.pop(), self.stack[-1]
        if type(top) is dict:  # an ordered dict's attributes, such as the versions of its modules: not needed
            return
        if self.vocabulary.build is None or type(top) in (list, tuple, str, bytes, int, float, bool, type(None), Named):
            raise Refused(f"the pickle fills a {type(top).__name__} as if it were a dict")
        self.vocabulary.build(top, state)

    def persistent(self) -> None:
        if self.vocabulary.persistent is None:
            raise Refused(f"the pickle has a persistent id, which no {self.vocabulary.what} has")
        self.stack.append(self.vocabulary.persistent(self.stack.pop()))

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def take(self, count: int) -> tuple[Any, ...]:
        items = tuple(self.stack[-count:])
        if len(items) < count:
            raise IndexError("the stack is too short")
        del self.stack[-count:]
        return items


_PUSH_ARGUMENT = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    ]
)
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "MARK": lambda m, _: m.stack.append(_MARK),
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "PUT": _Machine.remember,
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "TUPLE1": lambda m, _: m.push_tuple(m.take(1)),
    "TUPLE2": lambda m, _: m.push_tuple(m.take(2)),
    "TUPLE3": lambda m, _: m.push_tuple(m.take(3)),
    "TUPLE": lambda m, _: m.push_tuple(tuple(m.to_mark())),
    "LIST": lambda m, _: _made(m, [], _Machine.append),
    "DICT": lambda m, _: _made(m, {}, _Machine.update),
    "APPEND": lambda m, _: m.append([m.stack.pop()]),
    "APPENDS": lambda m, _: m.append(m.to_mark()),
    "SETITEM": lambda m, _: m.update(list(m.take(2))),
    "SETITEMS": lambda m, _: m.update(m.to_mark()),
    "GLOBAL": lambda m, names: m.global_(".".join(names.split(" ", 1))),
    "STACK_GLOBAL": lambda m, _: m.stack_global(),
    "INST": lambda m, names: m.inst(".".join(names.split(" ", 1))),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.persistent(),
}


def _made(machine: _Machine, container: Any, fill: Callable[[_Machine, list[Any]], None]) -> None:
    items = machine.to_mark()
    machine.stack.append(container)
    fill(machine, items)


# ---- pickles of arrays --------------------------------------------------------------------------------------------

_DTYPE = re.compile(r"[<>|=]?(f[248]|[iu][1248]|b1)")
_MOST_DIMENSIONS = 32
_MOST_VALUES = 10_000
"""Names in the result of `read_arrays_pickle`; files of statistics have a dozen."""


class _DType:
    def __init__(self, descr: str) -> None:
        self.dtype = np.dtype(descr)


class _Array:
    values: Array | None = None


def looks_pickled(file: BinaryIO) -> bool:
    """Whether a file begins as a pickle of protocol 2 or later, or of 0 or 1 that is a dict; its position stays."""
    start = file.read(2)
    file.seek(-len(start), os.SEEK_CUR)
    return (start[:1] == b"\x80" and start[1:] in (b"\2", b"\3", b"\4", b"\5")) or start in (b"(d", b"}q")


def read_arrays_pickle(path: str | os.PathLike[str], kind: type[FileError] = FileError) -> dict[str, Any]:
    """Read a dict of NumPy arrays, numbers, text and such dicts from a pickle of any protocol that Python 3 wrote.

    Nothing that the pickle names is run. Arrays are of integers, floats or flags; they can only be read.

    Raises
    ------
    FileError
        If it is damaged, asks for anything but arrays, or holds anything else.
    OSError
        If it cannot be opened.
    """
    name = os.fsdecode(path)
    with open_regular(name, kind) as file:
        size = size_of(file)
        found = interpret(file, name, _array_vocabulary(size), kind)
        if file.tell() < size:
            raise kind(name, f"holds {size - file.tell()} bytes more after the end of its pickle")
    if type(found) is not dict:
        raise kind(name, f"is a pickle of a {type(found).__name__.strip('_')}, and a dict of arrays is wanted")
    try:
        return _Plain().dict_of(found)
    except Refused as refusal:
        raise kind(name, str(refusal)) from None


class _Plain:
    """Copies the dicts of a result, whose names are counted: one dict may stand in many places."""

    def __init__(self) -> None:
        self.values = 0

    def dict_of(self, found: dict[str, Any]) -> dict[str, Any]:
        self.values += len(found)
        if self.values > _MOST_VALUES:
            raise Refused(f"the pickle has more than {_MOST_VALUES} values")
        made: dict[str, Any] = {}
        for name, value in found.items():
            if type(value) is dict:
                made[name] = self.dict_of(value)
            elif type(value) is _Array and value.values is not None:
                made[name] = value.values
            elif value is None or type(value) in (str, int, float, bool):
                made[name] = value
            else:
                what = "an array without values" if type(value) is _Array else f"a {type(value).__name__.strip('_')}"
                raise Refused(f"{shown(name)!r} is {what}, and arrays, numbers, text and dicts of them are read")
        return made


def _array_vocabulary(size: int) -> Vocabulary:
    left = size

    def encode(arguments: tuple[Any, ...]) -> bytes:
        """Bytes, as protocols 0 to 2 write them: the text of the same codes, each a byte of the file or more."""
        nonlocal left
        if not (len(arguments) == 2 and type(arguments[0]) is str and arguments[1] in ("latin1", "latin-1")):
            raise Refused("the pickle calls _codecs.encode with arguments that are no bytes")
        left -= len(arguments[0])
        if left < 0:
            raise Refused("the pickle makes more bytes than it has")
        return arguments[0].encode("latin-1")

    calls: dict[str, Callable[[tuple[Any, ...]], Any]] = {
        "_codecs.encode": encode,
        "__builtin__.bytes": _no_bytes,
        "builtins.bytes": _no_bytes,
        "numpy.dtype": _dtype,
    }
    for package in ("numpy.core", "numpy._core"):
        calls[f"{package}.multiarray._reconstruct"] = _reconstruct
        calls[f"{package}.multiarray.scalar"] = _scalar
        calls[f"{package}.numeric._frombuffer"] = _from_buffer
    return Vocabulary("file of arrays", calls, frozenset(["numpy.ndarray"]), build=_build)


def _no_bytes(arguments: tuple[Any, ...]) -> bytes:
    if arguments:
        raise Refused("the pickle calls bytes with arguments")
    return b""


def _dtype(arguments: tuple[Any, ...]) -> _DType:
    if not arguments or type(arguments[0]) is not str or not _DTYPE.fullmatch(arguments[0]):
        what = shown(repr(arguments[0])) if arguments and type(arguments[0]) is str else "something else"
        raise Refused(f"the pickle has an array of dtype {what}: save integers, floats or flags")
    return _DType(arguments[0])


def _reconstruct(arguments: tuple[Any, ...]) -> _Array:
    if not arguments or arguments[0] != Named("numpy.ndarray"):
        raise Refused("the pickle makes an array that is no numpy.ndarray: save plain arrays")
    return _Array()


def _scalar(arguments: tuple[Any, ...]) -> Any:
    if not (len(arguments) == 2 and type(arguments[0]) is _DType and type(arguments[1]) is bytes):
        raise Refused("the pickle has a number that is none")
    if len(arguments[1]) != arguments[0].dtype.itemsize:
        raise Refused(f"the pickle has a {arguments[0].dtype} of {len(arguments[1])} bytes")
    return np.frombuffer(arguments[1], arguments[0].dtype)[0].item()


def _from_buffer(arguments: tuple[Any, ...]) -> _Array:
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise Refused("the pickle makes an array of something else than a buffer, dtype, shape and order")
    made = _Array()
    made.values = _array(arguments[0], arguments[1], arguments[2], arguments[3])
    return made


def _build(target: Any, state: Any) -> None:
    if type(state) is not tuple:
        raise Refused("the pickle fills an array or a dtype with something else than its state")
    if type(target) is _Array and target.values is None and len(state) == 5:
        target.values = _array(state[4], state[2], state[1], "F" if state[3] is True else "C")
    elif type(target) is _DType and len(state) > 1 and state[1] in ("<", ">", "|", "="):
        target.dtype = target.dtype.newbyteorder(state[1])
    else:
        raise Refused("the pickle fills an array or a dtype with something else than its state")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    if type(dtype) is not _DType or type(data) not in (bytes, bytearray):
        raise Refused("the pickle has an array whose values are no bytes: save plain arrays of numbers")
    sound = type(shape) is tuple and len(shape) <= _MOST_DIMENSIONS
    if not sound or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise Refused("the pickle has an array whose shape is none")
    if math.prod(shape) * dtype.dtype.itemsize != len(data) or math.prod(n for n in shape if n) >= 2**60:
        raise Refused(f"the pickle has an array of shape {shown(shape)} of {dtype.dtype} in {len(data)} bytes")
    values = np.frombuffer(data, dtype.dtype).reshape(shape, order=order)
    values.flags.writeable = False
    return values
