"""Conversion of official checkpoints to the data file of a graph, in NumPy: the same tensors give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelgauge.files.reading import shown
from pixelgauge.networks.checkpoint import CheckpointError, Tensor, read_checkpoint
from pixelgauge.networks.manifest import Initialiser, Model

Take = Callable[[str, str, tuple[int, ...]], npt.NDArray[np.float64]]


def convert(
    model: Model, checkpoints: Mapping[str, Mapping[str, Tensor]], paths: Mapping[str, str] | None = None
) -> npt.NDArray[np.uint8]:
    """Lay out the tensors of checkpoints as a model's data file.

    Parameters
    ----------
    model : Model
    checkpoints : mapping of role to state dict
        ``"backbone"``, and ``"heads"`` for LPIPS. Without heads, the heads become ones: the plain sum over channels.
    paths : mapping of role to path, optional
        What errors call the files; their roles otherwise.

    Returns
    -------
    numpy.ndarray of uint8

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown, of another shape, not floating point, or holds NaN or infinities.
    """
    data = np.zeros(model.data_bytes, np.uint8)
    used: set[tuple[str, str]] = set()

    def wrong(role: str, reason: str) -> CheckpointError:
        path = (paths or {}).get(role, f"{role} of {model.name}")
        return CheckpointError(path, reason, f"give the {role} of {model.name}, whole and alone")

    def take(role: str, tensor: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        state = checkpoints[role]
        if tensor not in state:
            raise wrong(role, f"tensor {tensor!r} is missing: this is not the {role} of {model.name}")
        used.add((role, tensor))
        value = state[tensor]
        if value.shape not in (shape, (*shape, 1, 1)):
            raise wrong(role, f"tensor {tensor!r} has shape {value.shape}, {model.name} needs {shape}")
        if value.dtype.kind != "f":
            raise wrong(role, f"tensor {tensor!r} has dtype {value.dtype}, not floating point")
        wide = np.asarray(value, np.float64).reshape(shape)
        if not np.isfinite(wide).all():
            raise wrong(role, f"tensor {tensor!r} holds NaN or infinities")
        return wide

    for row in model.rows:
        if row.value is not None or row.role not in checkpoints:
            value: npt.NDArray[np.float64] = np.full(row.shape, 1.0 if row.value is None else row.value)
        elif row.fold is not None:
            value = _folded(row, model.batch_norm_eps, take, wrong)
            used.add((row.role, f"{row.fold}.bn.num_batches_tracked"))
        else:
            assert row.tensor is not None
            value = take(row.role, row.tensor, row.shape)
        with np.errstate(over="ignore"):  # refused by name below
            narrow = value.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise wrong(row.role, f"initialiser {row.name!r} overflows float32")
        data[row.offset : row.offset + row.bytes].view("<f4")[:] = narrow.ravel()
    for role, state in checkpoints.items():
        ignored = tuple(prefix for source in model.sources if source.role == role for prefix in source.ignored)
        extra = next((name for name in state if (role, name) not in used and not name.startswith(ignored)), None)
        if extra is not None:
            raise wrong(role, f"tensor {shown(extra)!r} does not belong to the {role} of {model.name}")
    return data


def _folded(
    row: Initialiser, eps: float, take: Take, wrong: Callable[[str, str], CheckpointError]
) -> npt.NDArray[np.float64]:
    fold, filters = row.fold, row.shape[:1]
    gamma, variance = take(row.role, f"{fold}.bn.weight", filters), take(row.role, f"{fold}.bn.running_var", filters)
    if (variance < 0).any():
        raise wrong(row.role, f"tensor '{fold}.bn.running_var' holds negative variances")
    factor: npt.NDArray[np.float64] = gamma / np.sqrt(variance + eps)
    if len(row.shape) == 4:
        return take(row.role, f"{fold}.conv.weight", row.shape) * factor[:, None, None, None]
    return take(row.role, f"{fold}.bn.bias", filters) - take(row.role, f"{fold}.bn.running_mean", filters) * factor


def roles_of(model: Model, paths: Sequence[Path]) -> dict[str, Path]:
    """Files of a model by role: the backbone first, then the heads, which may be left out."""
    roles = [source.role for source in model.sources]
    if not 1 <= len(paths) <= len(roles):
        raise ValueError(f"{model.name} is made of {len(roles)} file(s) ({', '.join(roles)}), {len(paths)} given")
    return dict(zip(roles, paths, strict=False))


def read_sources(model: Model, paths: Sequence[Path]) -> dict[str, dict[str, Tensor]]:
    """State dicts of a model's files by role."""
    return {role: read_checkpoint(path) for role, path in roles_of(model, paths).items()}
