"""The public readers that targets call, and the errors documented for bytes that are not sound: change them here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from pixelgauge import FeatureSet, FeatureStats, FileError, RankingHistogram
from pixelgauge.distribution.feature_files import About
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.feature_journal import Journal
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.engine.items import read_source
from pixelgauge.engine.pair_lists import PairList
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import FileState, ScoreRow
from pixelgauge.engine.sides import ImageSide, StackSide, side_of
from pixelgauge.engine.summary import Summary
from pixelgauge.files import tables
from pixelgauge.images import ImageFileError, jpeg, read_image
from pixelgauge.images.archives import TarArchive
from pixelgauge.images.frames import Frames
from pixelgauge.networks.checkpoint import CheckpointError, read_checkpoint
from pixelgauge.networks.manifest import ModelDamagedError, manifest
from pixelgauge.networks.onnx_file import Contents, contents_of, external_files, require_known_operators
from pixelgauge.networks.store import _open

__all__ = [
    "About",
    "CompareOptions",
    "FeatureSet",
    "FeatureSource",
    "FeatureStats",
    "FileState",
    "Frames",
    "ImageSide",
    "Journal",
    "PairList",
    "RankingHistogram",
    "RowFile",
    "ScoreRow",
    "StackSide",
    "Summary",
    "TarArchive",
    "manifest",
    "open_model",
    "prepare",
    "read_checkpoint",
    "read_image",
    "read_onnx",
    "read_source",
    "read_table",
    "side_of",
    "without_fast_jpeg",
]

CHECKPOINT: tuple[type[Exception], ...] = (CheckpointError,)
IMAGE: tuple[type[Exception], ...] = (ImageFileError,)
TABLE: tuple[type[Exception], ...] = (FileError,)
FEATURES: tuple[type[Exception], ...] = (FileError,)
STATISTICS: tuple[type[Exception], ...] = (FileError,)
HISTOGRAM: tuple[type[Exception], ...] = (FileError,)
SOURCE: tuple[type[Exception], ...] = (ValueError,)
ROWS: tuple[type[Exception], ...] = (FileError,)
DATABASE: tuple[type[Exception], ...] = (FileError, OSError)
SUMMARY: tuple[type[Exception], ...] = (FileError,)
PAIRS: tuple[type[Exception], ...] = (FileError,)
ARCHIVE: tuple[type[Exception], ...] = (FileError,)
STACK: tuple[type[Exception], ...] = (FileError,)
ONNX: tuple[type[Exception], ...] = (FileError,)
MODEL: tuple[type[Exception], ...] = (ModelDamagedError,)

open_model = _open


def read_onnx(data: bytes, path: str) -> Contents:
    """What an ONNX file holds, checked as before onnxruntime is given it."""
    found = contents_of(path, data)
    require_known_operators(path, found)
    external_files(path, found)
    return found


@contextmanager
def without_fast_jpeg() -> Iterator[None]:
    """Within it Pillow decodes every JPEG."""
    with mock.patch.object(jpeg, "decoded_fast", return_value=None):
        yield


def read_table(path: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels and scores as ``pixelgauge auroc`` reads them; text labels as texts."""
    table = tables.read_table(path, "label", "score")
    labels = table.labels if table.classes is None else np.array(table.classes, object)[table.labels]
    return labels, table.scores
