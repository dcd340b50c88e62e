"""The peers' modules, imported when a contender needs one and missing in words, and which versions are here."""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib import metadata
from typing import Any

# As their distributions are called.
PEERS = (
    "lpips",
    "onnxruntime",
    "opencv-contrib-python-headless",
    "pillow",
    "piq",
    "pyarrow",
    "pytorch-fid",
    "pytorch-msssim",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "torch",
    "torchmetrics",
)


class MissingError(Exception):
    """A program or an input that a case needs is not on this machine."""


def program(module: str) -> Any:
    """Import a peer's module.

    Raises
    ------
    MissingError
        If it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingError(f"{module} cannot be imported ({error}): pip install '.[bench]' brings the peers") from None


def torch_program(module: str) -> Any:
    """The same for one that stands on PyTorch and torchvision."""
    with contextlib.suppress(ImportError):
        import tvshim  # noqa: F401  (lets torchvision import beside a CPU PyTorch, where needed)
    return program(module)


def torch_on_our_device() -> tuple[Any, str]:
    """PyTorch, and where it is to run: where pixelgauge does by default, in float32 and with its best algorithms."""
    torch = program("torch")
    providers = importlib.import_module("pixelgauge.networks.providers")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch, "cuda" if providers.choose_providers().provider == providers.CUDA else "cpu"


def versions() -> dict[str, str]:
    """Versions of the peers that are installed."""
    found = {}
    for name in PEERS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def use_threads(count: int) -> None:
    """Give the peers that are loaded so many threads."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(count)
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(count)  # BLAS and OpenMP, until another call
