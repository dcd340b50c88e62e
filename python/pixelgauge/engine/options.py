"""Options of a run, checked: those that metrics declare, and those of the run itself."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.metric import Metric, Option, Values


def options_of(metrics: Mapping[str, Metric[Any]]) -> dict[str, tuple[Option, list[str]]]:
    """Every option that some metric declares, by name, and the metrics that have it."""
    found: dict[str, tuple[Option, list[str]]] = {}
    for metric in metrics.values():
        for option in metric.options:
            found.setdefault(option.name, (option, []))[1].append(metric.name)
    return found


def metric_names(metrics: object) -> tuple[str, ...]:
    """Names of metrics: of a sequence, or of one text in which commas part them, as on the command line.

    Raises
    ------
    ArgumentTypeError
        If they are something else.
    """
    if isinstance(metrics, str):
        return tuple(name.strip() for name in metrics.split(","))
    if isinstance(metrics, Iterable) and not isinstance(metrics, bytes | bytearray):
        names = tuple(metrics)
        if all(isinstance(name, str) for name in names):
            return names
    remedy = 'give a tuple such as ("psnr", "ssim:skimage")'
    raise ArgumentTypeError("metrics", reprlib.repr(metrics), "must be names of metrics", remedy)


def chosen(metrics: Mapping[str, Metric[Any]], names: Sequence[str]) -> dict[str, Metric[Any]]:
    """Metrics of these names.

    Raises
    ------
    ArgumentValueError
        If there is none, or one is not known or named twice.
    """
    listed = ",".join(names)
    for name in names:
        if name not in metrics:
            raise ArgumentValueError("metrics", repr(name), "is not known", f"use some of {', '.join(metrics)}")
    if not names or len(set(names)) < len(names):
        raise ArgumentValueError("metrics", repr(listed), "must name at least one metric, and each once")
    return {name: metrics[name] for name in names}


def checked_options(
    metrics: Mapping[str, Metric[Any]],
    wanted: Mapping[str, Metric[Any]],
    of_run: Sequence[Option],
    given: Mapping[str, Any],
) -> Values:
    """Values of the options that count, given or by default.

    Parameters
    ----------
    metrics, wanted : mapping of str to Metric
        All there are, and those that are asked for.
    of_run : sequence of Option
        Options of the run, whatever is asked for.
    given : mapping of str to object
        By name; None is as if it were not given.

    Raises
    ------
    TypeError
        If there is no such option.
    ArgumentError
        If a value is not one of the option's, or the option belongs to no metric that is asked for.
    """
    known = options_of(metrics)
    own = {option.name: option for option in of_run}
    for name, value in given.items():
        if name not in own and name not in known:
            raise TypeError(f"{name!r} is no option: there are {', '.join(known | own)}")
        if name not in own and value is not None and not set(known[name][1]) & set(wanted):
            others = " and ".join(known[name][1])
            problem = f"is for {others}, which is not among the metrics {','.join(wanted)}"
            raise ArgumentValueError(name, "", f"{known[name][0].flag} {problem}")
    options = {option.name: option for metric in wanted.values() for option in metric.options} | own
    return MappingProxyType({name: option.checked(given.get(name)) for name, option in options.items()})
