"""A case beside its contenders in one process: each is made, run once, and its result held against ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.agreement import arrays_of, difference, largest_difference
from bench.case import Call, Case, Contender
from bench.machine import Setting
from bench.programs import MissingError

OURS = "pixelgauge"


class WrongResultError(AssertionError):
    """A contender does not compute what the case is."""


@dataclass
class Contest:
    """One case in one setting."""

    case: Case
    setting: Setting

    @property
    def title(self) -> str:
        """The case, and the threads and instruction set of ours."""
        return f"{self.case.name}, threads {self.setting.threads}, {self.setting.isa}"

    @property
    def names(self) -> list[str]:
        """Ours and everyone beside it."""
        return [OURS, *self.case.contenders]

    def facts(self, name: str) -> dict[str, Any]:
        """Every parameter of a contender's time, and the least that the task takes."""
        found = {
            **self.case.facts(),
            "case": self.case.name,
            "contender": name,
            "threads": self.setting.threads,
            "isa": self.setting.isa,
        }
        if self.case.limit is not None:
            found["limit"] = self.case.limit.why
            found["limit_seconds"] = self.limit
        return found

    @cached_property
    def limit(self) -> float | None:
        """Seconds that the task takes at least, here and now; None where nobody counted."""
        limit = self.case.limit
        return None if limit is None else limit.seconds(self.setting.threads, self.setting.isa)

    def prepare(self, name: str) -> Call:
        """Make a contender's call.

        Raises
        ------
        MissingError
            If it is not on this machine.
        """
        self.setting.enter()
        call = self.case.prepare() if name == OURS else self.case.contenders[name].prepare()
        self.setting.enter()  # programs that were loaded meanwhile
        return call

    def numbers(self, name: str, result: Any) -> list[np.ndarray]:
        """A contender's result as it is compared."""
        of = self.case.result if name == OURS else self.case.contenders[name].result
        return arrays_of(of(result))

    def check(self, name: str, result: Any) -> float:
        """By how much a contender differs from ours, or ours from the plain definition.

        Raises
        ------
        WrongResultError
            If that is more than it may, or ours has no numbers.
        MissingError
            If there is nothing on this machine that decides about ours.
        """
        if name != OURS and self.case.contenders[name].tolerance is None:
            return 0.0
        found = self.numbers(name, result)
        expected, tolerance = self._expected if name == OURS else (self._ours, self.case.contenders[name].tolerance)
        if not found:
            raise WrongResultError(f"{self.case.name}: {name} gives nothing that can be compared")
        assert tolerance is not None
        worst = difference(expected, found, tolerance)
        if worst:
            judge = self._judge[0] if name == OURS else OURS
            raise WrongResultError(f"{self.case.name}: {judge} and {name} give {worst}")
        return largest_difference(expected, found)

    @cached_property
    def _ours(self) -> list[np.ndarray]:
        return self.numbers(OURS, self.prepare(OURS)())

    @cached_property
    def _judge(self) -> tuple[str, Contender, Call]:
        """Who decides about ours: the plain definition, or else the first contender that is here."""
        judges = {"the definition": self.case.oracle} if self.case.oracle else self.case.contenders
        reasons = []
        for name, judge in judges.items():
            if judge.tolerance is None:
                continue
            try:
                with warnings.catch_warnings(action="ignore"):  # the peers' own
                    call: Callable[[], object] = judge.prepare()
            except MissingError as error:
                reasons.append(str(error))
            else:
                return name, judge, call
        raise MissingError(f"nothing here decides about {self.case.name}: {'; '.join(reasons)}")

    @cached_property
    def _expected(self) -> tuple[list[np.ndarray], float]:
        _, judge, call = self._judge
        assert judge.tolerance is not None
        with warnings.catch_warnings(action="ignore"):
            return arrays_of(judge.result(call())), judge.tolerance
