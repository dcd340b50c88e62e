"""What a hostile pickle holds: something whose reading would call a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Payload:
    """Calls `function` when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        return self.function, self.arguments
