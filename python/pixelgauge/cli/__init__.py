"""The command line: one file a command, each with ``register`` for its options and ``run`` for its work."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentError
from pixelgauge.cli.interrupts import interrupts_first
from pixelgauge.cli.streams import drop, guarded
from pixelgauge.files.reading import MOST_MESSAGE, shown
from pixelgauge.metric import Option
from pixelgauge.networks.manifest import ModelMissingError

COMMANDS = ("compare", "distance", "features", "stats", "auroc", "demo", "models", "info")
"""Modules of this package, in the order the help lists them."""

EXIT_DONE, EXIT_SOME_FAILED, EXIT_WRONG_USE, EXIT_GATE_FAILED = 0, 1, 2, 3


class UsageError(Exception):
    """Wrong use that only shows after parsing: printed like an argument error, exit code 2."""

    code = EXIT_WRONG_USE


class InputError(UsageError):
    """A file or server that failed although the arguments were right: printed the same way, exit code 1."""

    code = EXIT_SOME_FAILED


class _Once(argparse._StoreAction):
    """An option that takes a value takes it once: the last of several would win without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.option_strings:
            seen = namespace.__dict__.setdefault(_GIVEN, set())
            if self.dest in seen:
                raise argparse.ArgumentError(self, "is given twice: give it once")
            seen.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


_PATHS = frozenset({"FILE", "DIR", "OUT"})
"""What options that take a path call it."""
_GIVEN, _FLAGS = "options given", "flags of options"  # no option has blanks in its name


def given(args: argparse.Namespace, dest: str) -> bool:
    """Whether an option that takes a value was given, be it the default."""
    return dest in vars(args).get(_GIVEN, ())


class Parser(argparse.ArgumentParser):
    """A parser whose options are given once, whose errors are printable, and which names what it does not know."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is not known: a subcommand's parser would hand it to the one above."""
        found, unknown = super().parse_known_args(args, namespace)
        flags = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        found.__dict__[_FLAGS] = flags | vars(found).get(_FLAGS, {})
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Convert what was given; a path that is empty comes of a script's unset variable, and leads nowhere."""
        is_path = action.metavar in _PATHS or not action.option_strings
        if "" in arg_strings and is_path and action.nargs != argparse.PARSER:
            raise argparse.ArgumentError(action, "is empty: name a file or folder")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit."""
        super().error(shown(message, MOST_MESSAGE))


def add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    """Add an option that a metric or a run declares; left out, it is None."""
    if option.parse is None:
        parser.add_argument(option.flag, action="store_true", default=None, help=option.help)
    else:
        words = f"{option.help} (default: {option.shown_default or option.default})"
        parser.add_argument(option.flag, type=option.parse, metavar=option.metavar, help=words)


def add_memory_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--memory``, which :func:`pixelgauge.images.budget.memory_size` reads."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="bytes that decoded images may take together, as 500M or 2G (default: half of what the process may use)",
    )


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = Parser(prog="pixelgauge", description=sys.modules["pixelgauge"].__doc__)
    parser.add_argument("--version", action="version", version=f"pixelgauge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"{__name__}.{name}").register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some inputs failed, 2 wrong use, 3 a gate failed."""
    with guarded():
        try:
            return _run(build_parser().parse_args(argv))
        finally:
            _drop_unwritable_output()


def _run(args: argparse.Namespace) -> int:
    try:
        with interrupts_first():
            code = int(args.run(args))
        sys.stdout.flush()  # a full disk shows here, not after the last chance to say so
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except UsageError as error:
        lines = isinstance(error.__cause__, ModelMissingError)
        return _failed(args, message(args, error), error.code, lines=lines)
    except OSError as error:
        return _failed(args, f"stopped: {error}" if is_nameless(error) else str(error), EXIT_WRONG_USE)
    except MemoryError:
        return _failed(args, "there is not enough memory: give smaller files, or fewer workers", EXIT_WRONG_USE)
    except ModelMissingError as error:  # of several lines, with the commands to give
        return _failed(args, str(error), EXIT_WRONG_USE, lines=True)
    except (ValueError, TypeError, ImportError, RuntimeError) as error:  # bad input, a missing model or onnxruntime
        return _failed(args, message(args, error), EXIT_WRONG_USE)


def message(args: argparse.Namespace, error: Exception) -> str:
    """Message of an error, where an argument of a function is named as the option that it comes from."""
    in_options: Callable[[str], str] = vars(args).get("in_options", str)
    if isinstance(error, ArgumentError) and error.value and error.argument in vars(args).get(_FLAGS, {}):
        return in_options(error.told(f"{vars(args)[_FLAGS][error.argument]} {error.value}"))
    return in_options(str(error))


def is_nameless(error: OSError) -> bool:
    """Whether the system names no file, as for a full disk under stdout."""
    return error.errno is not None and error.filename is None


def _failed(args: argparse.Namespace, message: str, code: int, *, lines: bool = False) -> int:
    """Print an error, of one line unless its line ends are its own, and return the exit code."""
    command = " ".join([args.command, *([args.action] if "action" in args else [])])
    head = f"pixelgauge {command}: error: "
    parts = message.split("\n") if lines else [message]
    text = "\n".join(shown(part, (MOST_MESSAGE - len(head)) // len(parts) - 1) for part in parts)
    print(f"{head}{text}", file=sys.stderr)
    return code


def _drop_unwritable_output() -> None:
    """Let what stdout does not take, on a full disk, go: Python would print a traceback at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        drop(sys.stdout)
