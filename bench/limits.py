"""What a case cannot go below: operations or bytes counted by hand over what this machine is measured to do."""

from __future__ import annotations

import ctypes
import functools
import shutil
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LANES = {"avx512": 16, "avx2": 8}
"""float32 in a register; four in the others."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The least that a task takes: the greatest of its parts, which may overlap."""

    why: str
    """How it was counted."""
    flop: float = 0.0
    """Slots of multiply-adds in float32 registers, two floating-point operations each; split over threads."""
    read: float = 0.0
    """Bytes from memory; threads share it."""
    cycles: float = 0.0
    """Of one core, at the clock that the multiply-adds show; split over threads."""

    def seconds(self, threads: int, isa: str) -> float:
        """What it takes here, with so many threads of an instruction set."""
        parts = [0.0]
        if self.flop:
            parts.append(self.flop / peak_flops(isa) / threads)
        if self.read:
            parts.append(self.read / read_bandwidth(threads))
        if self.cycles:
            # two multiply-adds of a register a cycle
            parts.append(self.cycles / (peak_flops(isa) / (4 * LANES.get(isa, 4))) / threads)
        return max(parts)


FMA_LOOP = """
#include <time.h>
typedef float V __attribute__((vector_size(LANES * 4)));
double flops(void) {
    V a[12]; for (int i = 0; i < 12; ++i) a[i] = (V){} + (float)i;
    const V m = (V){} + 0.997f, c = (V){} + 1e-3f;
    struct timespec begin, end; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (long k = 0; k < 3000000; ++k) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) a[i] = a[i] * m + c;
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    volatile float keep = 0; for (int i = 0; i < 12; ++i) keep += a[i][0];
    return 3e6 * 12 * 2 * LANES / (end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec));
}
"""


@functools.cache
def peak_flops(isa: str) -> float:
    """Floating-point operations a second of one core: multiply-adds in registers, or NumPy's sgemm without a compiler."""
    compiler = shutil.which("cc")
    if compiler:
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "fma.c"), Path(folder, "fma.so")
            source.write_text(FMA_LOOP)
            # not -ffast-math: a library linked with it flushes subnormal numbers in the whole process
            flags = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", f"-DLANES={LANES.get(isa, 4)}"]
            subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
            loop = ctypes.CDLL(str(library)).flops
            loop.restype = ctypes.c_double
            return float(statistics.median(loop() for _ in range(9)))
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    a @ a
    start = time.process_time()
    a @ a
    return 2 * 2048**3 / (time.process_time() - start)


@functools.cache
def read_bandwidth(threads: int) -> float:
    """Bytes a second that so many threads read from memory: the sum of an array too large for the caches that matter."""
    data = np.ones(64 << 20, np.uint8).view(np.uint64)
    parts = np.array_split(data, threads)
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(9):
            start = time.perf_counter()
            list(pool.map(np.bitwise_xor.reduce, parts))
            seconds.append(time.perf_counter() - start)
    return data.nbytes / statistics.median(seconds)
