"""The cases of this wing, each beside its contenders."""

from bench.distribution.cases import CASES
from bench.speed import test_memory, test_speed

__all__ = ["CASES", "test_memory", "test_speed"]
