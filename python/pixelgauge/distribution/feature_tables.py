"""Features as a Parquet table: a row an image, its name and its features, and in the metadata what made them."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from pixelgauge.distribution.feature_files import (
    FORMAT,
    About,
    Blocks,
    Stored,
    about_from,
    checked_features,
    checked_names,
)
from pixelgauge.files.parquet_pages import EncryptedError, largest_page
from pixelgauge.files.reading import EXPANSION, EXPANSION_FREE, FileError, open_regular, refusing, size_of
from pixelgauge.files.tables import import_parquet

_ROWS = 1024


def write_parquet(file: BinaryIO, blocks: Blocks, count: int, about: About, names: list[str] | None) -> None:
    """Write a table of the names and the features, of one group of rows a block."""
    import pyarrow
    from pyarrow import parquet

    fields = [("name", pyarrow.string())] if names is not None else []
    schema = pyarrow.schema(
        [*fields, ("features", pyarrow.list_(pyarrow.float32(), about.dim))],
        {"format": FORMAT, **{name: json.dumps(fact) for name, fact in about.parts().items()}},
    )
    written = 0
    with parquet.ParquetWriter(file, schema, compression="none", use_dictionary=False, write_statistics=False) as table:
        for block in blocks:
            values = pyarrow.array(np.ascontiguousarray(block).ravel())
            columns = [pyarrow.FixedSizeListArray.from_arrays(values, about.dim)]
            if names is not None:
                columns.insert(0, pyarrow.array(names[written : written + len(block)], pyarrow.string()))
            table.write_batch(pyarrow.record_batch(columns, schema=schema), row_group_size=max(len(block), 1))
            written += len(block)


def read_parquet(path: str) -> Stored:
    """Features of a table that :func:`write_parquet` wrote.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    FileError
        If it is damaged or of another kind.
    OSError
        If it cannot be opened.
    """
    parquet = import_parquet()
    with open_regular(path) as file, refusing(path, "cannot be read as Parquet"):
        most = EXPANSION * size_of(file) + EXPANSION_FREE
        try:
            largest = largest_page(file, size_of(file), {"name", "features"})
        except EncryptedError:
            raise FileError(path, "is encrypted", "decrypt it first") from None
        file.seek(0)
        opened = parquet.ParquetFile(file)
        about = _about(opened.schema_arrow, path)
        count = opened.metadata.num_rows
        if largest > most or not 0 < 4 * count * about.dim <= most:
            raise FileError(path, f"claims to hold {count} rows, beyond {EXPANSION} times its bytes", "make it again")
        features = np.empty((count, about.dim), np.float32)
        names: list[str] = []
        at = 0
        for batch in opened.iter_batches(_ROWS):
            rows = batch.column("features")
            if rows.null_count or rows.flatten().null_count or at + len(batch) > count:
                raise FileError(path, "has rows without a value, or more than it says", "make it again")
            features[at : at + len(batch)] = rows.flatten().to_numpy().reshape(-1, about.dim)
            names += batch.column("name").to_pylist() if "name" in batch.schema.names else []
            at += len(batch)
        if at != count or None in names:
            raise FileError(path, f"has {at} rows with {len(names)} names, and says {count}", "make it again")
    return Stored([checked_features(features, path, about.dim)], checked_names(names, path) or None, about)


def _about(schema: Any, path: str) -> About:
    """Facts of a table, whose columns are those that there should be."""
    from pyarrow import types

    told = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    if told.get("format") != FORMAT or schema.names not in (["features"], ["name", "features"]):
        raise FileError(path, f"is no table of features of format {FORMAT!r}: it has {', '.join(schema.names)}")
    about = about_from(told, path)
    kind = schema.field("features").type
    is_list = types.is_fixed_size_list(kind) and types.is_float32(kind.value_type)
    if not is_list or kind.list_size != about.dim:
        raise FileError(path, f"has features of {kind}, and should have {about.dim} of float32", "make it again")
    if "name" in schema.names and not types.is_string(schema.field("name").type):
        raise FileError(path, f"has names of {schema.field('name').type}, and should have texts", "make it again")
    return about
