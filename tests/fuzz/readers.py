"""The public readers that targets call, and the errors documented for bytes that are not sound: change them here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge import FeatureStats, FileError, RankingHistogram
from pixelgauge.checkpoints import CheckpointError, read_checkpoint
from pixelgauge.cli import UsageError
from pixelgauge.cli.auroc import _read
from pixelgauge.feature_sources import Source
from pixelgauge.images import ImageFileError, read_image
from pixelgauge.model_store import ModelError, _open, manifest
from pixelgauge.row_files import RowFile
from pixelgauge.scoring import Row, Settings

__all__ = [
    "FeatureStats",
    "ModelError",
    "RankingHistogram",
    "Row",
    "RowFile",
    "Settings",
    "Source",
    "manifest",
    "open_model",
    "read_checkpoint",
    "read_image",
    "read_table",
]

CHECKPOINT: tuple[type[Exception], ...] = (CheckpointError,)
IMAGE: tuple[type[Exception], ...] = (ImageFileError,)
TABLE: tuple[type[Exception], ...] = (ValueError, UsageError)
STATISTICS: tuple[type[Exception], ...] = (ValueError,)
HISTOGRAM: tuple[type[Exception], ...] = (FileError,)
SOURCE: tuple[type[Exception], ...] = (ValueError,)
ROWS: tuple[type[Exception], ...] = (ValueError,)
MODEL: tuple[type[Exception], ...] = (ModelError,)

open_model = _open


def read_table(path: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels and scores as ``pixelgauge auroc`` reads them."""
    return _read(Path(path), "label", "score")
