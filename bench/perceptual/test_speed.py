"""The cases of this wing, each beside its contenders."""

from bench.perceptual.cases import CASES
from bench.speed import test_speed

__all__ = ["CASES", "test_speed"]
