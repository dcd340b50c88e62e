"""Features that know their images: what is written comes back, sets made in two ways are not compared, and what is no such
file is one error."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge import FeatureSet, FeatureStats, FileError
from pixelgauge.distribution.feature_files import About, write_npz
from pixelgauge.distribution.feature_sets import columns_of, in_blocks, main_output

MADE = {"version": "0.2.0", "model": "inception-fid", "weights_sha256": "a" * 64, "official_weights": True,
        "provider": "CPU", "precision": "float32", "onnxruntime": "1.20", "preset": "pytorch-fid", "output": "2048"}  # fmt: skip


def some(count: int = 40, dim: int = 6, seed: int = 0, **made: Any) -> FeatureSet:
    features = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return FeatureSet(features, [f"{i}.png" for i in range(count)], {**MADE, **made}, {"2048": dim})


names = st.text(st.characters(exclude_characters="\0"), max_size=8)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


@pytest.mark.property
@given(
    st.integers(1, 5), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data(),
    st.dictionaries(st.text(max_size=5), plain | st.lists(plain, max_size=3), max_size=3),
)  # fmt: skip
def test_sets_come_back_equal(
    tmp_path_factory: pytest.TempPathFactory, count: int, widths: list[int], data: st.DataObject, made: dict[str, Any]
) -> None:
    features = np.random.default_rng(count).standard_normal((count, sum(widths))).astype(np.float32)
    named = data.draw(st.none() | st.lists(names, min_size=count, max_size=count))
    kept = FeatureSet(features, named, made, {str(i): width for i, width in enumerate(widths)})
    path = tmp_path_factory.mktemp("sets") / "x.npz"
    kept.save(path)
    again = FeatureSet.load(path)
    assert (again.names, again.fingerprint, again.outputs) == (kept.names, kept.fingerprint, kept.outputs)
    np.testing.assert_array_equal(again.features, features)
    again.save(path)  # while it is mapped
    np.testing.assert_array_equal(FeatureSet.load(path).features, again.features)
    with np.load(path, allow_pickle=False) as held:
        assert set(held) == {"features", "format", "outputs", "fingerprint"} | (
            {"names"} if named is not None else set()
        )


@pytest.mark.oracle
def test_parquet_is_a_table_that_others_read(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow (extra 'arrow')")
    kept = some(3000, 5)
    kept.save(tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column("name").to_pylist() == kept.names
    np.testing.assert_array_equal(np.stack(table.column("features").to_numpy()), kept.features)
    again = FeatureSet.load(tmp_path / "x.parquet")
    assert (again.names, again.fingerprint, again.outputs) == (kept.names, kept.fingerprint, kept.outputs)
    np.testing.assert_array_equal(again.features, kept.features)
    FeatureSet(kept.features).save(tmp_path / "y.parquet")
    assert FeatureSet.load(tmp_path / "y.parquet").names is None
    odd = FeatureSet(kept.features[:1], ["\udcff.png"])
    with pytest.raises(FileError, match=r"cannot hold the name .*write an .npz file"):
        odd.save(tmp_path / "z.parquet")
    odd.save(tmp_path / "z.npz")
    assert FeatureSet.load(tmp_path / "z.npz").names == ["\udcff.png"]
    assert not (tmp_path / "z.parquet").exists()


@pytest.mark.oracle
def test_every_function_of_features_takes_a_set(tmp_path: Path) -> None:
    a, b = some(100, 5), some(110, 5, seed=1)
    a.save(tmp_path / "a.npz")
    a = FeatureSet.load(tmp_path / "a.npz")
    x, y = a.features, b.features
    functions: list[Callable[[Any, Any], Any]] = [
        pixelgauge.frechet_distance,
        pixelgauge.fid,
        lambda p, q: pixelgauge.kernel_distance(p, q, subsets=3, subset_size=9),
        pixelgauge.precision_recall,
        pixelgauge.density_coverage,
        pixelgauge.neighbour_metrics,
        pixelgauge.kernel_distance_interval,
        pixelgauge.precision_recall_interval,
        pixelgauge.density_coverage_interval,
        pixelgauge.frechet_interval,
    ]
    for function in functions:
        if function is pixelgauge.fid:  # of the sums of a set, as of the images'
            assert function(a, b) == pytest.approx(function(x, y), rel=1e-9)
        else:
            assert function(a, b) == function(x, y)
    logits = FeatureSet(x, a.names, {**MADE, "output": "logits_unbiased"}, {"logits_unbiased": 5})
    assert pixelgauge.inception_score(logits, splits=3) == pixelgauge.inception_score(x, splits=3)
    assert FeatureStats(5).update(a) == FeatureStats(5).update(x)
    assert pickle.loads(pickle.dumps(a)).names == a.names


@pytest.mark.boundary
def test_the_inception_score_is_of_logits() -> None:
    x = some(40, 6).features
    right = pixelgauge.inception_score(x, splits=2)
    both = {"2048": 4, "logits_unbiased": 2}
    for good in (
        FeatureSet(x),
        FeatureSet(x, None, {"preset": "mine"}),
        FeatureSet(x, None, MADE, {"logits_unbiased": 6}),
        FeatureSet(x, None, MADE, {"logits": 6}),
        FeatureSet(np.hstack([x, x]), None, MADE, {"2048": 6, "logits": 6}).output("logits"),
    ):
        assert pixelgauge.inception_score(good, splits=2) == right
    for bad, message in (
        (some(40, 6), r"logits holds the output '2048': make the set with output='logits_unbiased', or pass numpy"),
        (FeatureSet(x, None, {"graph_sha256": "a"}, {"pooler_output": 6}), "logits holds the output 'pooler_output'"),
        (FeatureSet(x, None, {"output": "features"}, {"features": 6}), "logits holds the output 'features'"),
        (FeatureSet(x, None, MADE, {"64": 3, "192": 3}), "logits holds the outputs '64', '192'"),
        (FeatureSet(x, None, MADE, both), r"the outputs '2048', 'logits_unbiased': pass \.output\('logits_unbiased'\)"),
    ):
        with pytest.raises(ValueError, match=message):
            pixelgauge.inception_score(bad, splits=2)
    assert pixelgauge.inception_score(np.asarray(some(40, 6)), splits=2) == right


@pytest.mark.boundary
def test_messages_name_an_output_that_is_held() -> None:
    x = some(9, 6).features
    for outputs, name in (({"a": 2, "b": 4}, "a"), ({"logits": 2, "b": 4}, "b"), ({"64": 2, "2048": 4}, "2048")):
        several = FeatureSet(x, None, None, outputs)
        with pytest.raises(ValueError, match=rf"such as by \.output\('{name}'\)"):
            np.asarray(several)
        assert np.asarray(several.output(name)).shape == (9, outputs[name])


@pytest.mark.boundary
def test_samples_are_taken_by_number() -> None:
    kept = some(9, 6)
    for chosen in ([0, 3, 8], np.array([0, 3, 8]), (0, 3, 8), np.array([0, 3, 8], np.uint8)):
        assert kept.take(chosen).names == ["0.png", "3.png", "8.png"]
        np.testing.assert_array_equal(kept.take(chosen), kept.features[[0, 3, 8]])
    for bad in ([-1, 3], [3, 1], [1, 1], [0, 9], [], [-3], 3, [0.0, 1.0], [[0, 1]], [True, False], None, "ab"):
        with pytest.raises((ValueError, TypeError), match="chosen="):
            kept.take(bad)


@pytest.mark.boundary
def test_sets_that_were_made_in_two_ways_do_not_compare() -> None:
    a = some()
    labelled = FeatureStats(6, preset="clean-fid").update(a)
    weighted = FeatureStats(6, preset="pytorch-fid", weights="b" * 64).update(a)
    for b, message in (
        (some(preset="clean-fid"), "a was made with preset 'pytorch-fid', and b with 'clean-fid'"),
        (some(weights_sha256="b" * 64), "weights_sha256 aaaaaaaaaaaaaaaa..., and b with bbbbbbbbbbbbbbbb..."),
        (some(preset=None), "a was made with preset 'pytorch-fid', and b with no preset: the numbers"),
        (some(precision="bf16"), "precision 'float32', and b with 'bf16'"),
        (FeatureSet(a.features, None, MADE, {"64": 6}), "output '2048', and b with '64'"),
        (some(size=224), "size None, and b with 224"),
        (labelled, "preset 'pytorch-fid', and b with 'clean-fid'"),
        (weighted, "weights aaaaaaaaaaaaaaaa..., and b with bbbbbbbbbbbbbbbb..."),
    ):
        with pytest.raises(ValueError, match=r"do not compare") as caught:
            pixelgauge.frechet_distance(a, b)
        assert message in str(caught.value)
        with pytest.raises(ValueError, match="do not compare"):
            pixelgauge.fid(a, b)
        if isinstance(b, FeatureSet):
            with pytest.raises(ValueError, match="do not compare"):
                pixelgauge.precision_recall(a, b)
    with pytest.raises(ValueError, match="preset 'clean-fid', and b with 'pytorch-fid'"):
        pixelgauge.frechet_distance(labelled, a)
    for alike in (
        some(provider="CUDA", version="0.3.0", onnxruntime="1.21", official_weights=False),
        FeatureSet(a.features),
        FeatureStats(6, preset="pytorch-fid", weights="a" * 64).update(a),
        a.features,
    ):
        pixelgauge.frechet_distance(a, alike)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((3, 2)),), TypeError, "features has dtype float64: files hold float32"),
        ((np.zeros((3, 2), np.int8),), TypeError, "must be float16, float32 or float64"),
        ((np.full((3, 2), np.nan, np.float32),), ValueError, "NaN or infinity, first in column 0"),
        ((np.zeros(3, np.float32),), ValueError, "shape"),
        ((np.zeros((0, 2), np.float32),), ValueError, "is empty"),
        ((np.zeros((3, 2), np.float32), ["a"]), ValueError, "names has 1 of 3"),
        ((np.zeros((1, 2), np.float32), [3]), TypeError, "names must be texts"),
        ((np.zeros((1, 2), np.float32), ["a\0"]), TypeError, "without a null character"),
        ((np.zeros((1, 2), np.float32), None, {"a": {1, 2}}), ValueError, "is no plain fact"),
        ((np.zeros((1, 2), np.float32), None, {3: "a"}), ValueError, "is no plain fact"),
        ((np.zeros((1, 2), np.float32), None, {"a": np.float32(1)}), ValueError, "is no plain fact"),
        ((np.zeros((1, 2), np.float32), None, {"a": float("inf")}), ValueError, "is no plain fact"),
        ((np.zeros((1, 2), np.float32), None, None, {"a": 3}), ValueError, "has 3 columns, and features 2"),
        ((np.zeros((1, 2), np.float32), None, None, {"a": 2.0}), ValueError, "has the width 2.0"),
        ((np.zeros((1, 2), np.float32), None, None, {}), ValueError, "widths by name are wanted"),
    ],
)
def test_sets_that_cannot_be(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FeatureSet(*arguments)


@pytest.mark.property
def test_facts_of_a_network_are_those_of_its_file(tmp_path: Path) -> None:
    made = {"preset": "clip", "mean": (0.48, 0.46, 0.41), "resize": {"size": (224, 224), "crop": None}}
    kept = FeatureSet(np.eye(4, dtype=np.float32), None, made)
    kept.save(tmp_path / "x.npz")
    assert FeatureSet.load(tmp_path / "x.npz").fingerprint == kept.fingerprint == {
        "preset": "clip", "mean": [0.48, 0.46, 0.41], "resize": {"size": [224, 224], "crop": None},
    }  # fmt: skip
    pixelgauge.frechet_distance(kept, FeatureSet.load(tmp_path / "x.npz"))


@pytest.mark.property
def test_files_beyond_what_a_plain_archive_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of more than 2 GiB are written: with longer headers, and still aligned."""
    kept = some(300, 7)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    kept.save(tmp_path / "x.npz")
    monkeypatch.undo()
    again = FeatureSet.load(tmp_path / "x.npz")
    np.testing.assert_array_equal(again.features, kept.features)
    assert again.features.ctypes.data % 64 == 0
    with np.load(tmp_path / "x.npz") as held:
        np.testing.assert_array_equal(held["features"], kept.features)


@pytest.mark.boundary
def test_a_set_of_several_outputs_says_so(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    both = FeatureSet(x, outputs={"2048": 3, "logits_unbiased": 2})
    with pytest.raises(TypeError, match=r"holds the outputs '2048', 'logits_unbiased': say which, such as by \.output"):
        pixelgauge.frechet_distance(both, both)
    with pytest.raises(ValueError, match="output='64' is not held: there are '2048', 'logits_unbiased'"):
        both.output("64")
    assert pixelgauge.frechet_distance(both.output("2048"), x[:, :3]) == 0
    assert pixelgauge.fid(both, x[:, :3]) == pytest.approx(0, abs=1e-12)
    for path in ("x.txt", "x"):
        with pytest.raises(ValueError, match=r"must end in \.npz, \.npy or \.parquet"):
            both.save(tmp_path / path)
    with pytest.raises(TypeError, match=r"network=<class .*> makes no features"):
        FeatureSet.from_images([], pixelgauge.InceptionFeatures)  # type: ignore[arg-type]


@pytest.mark.oracle
def test_what_distances_are_of() -> None:
    for outputs, main in (
        ({"2048": 4}, "2048"), ({"pooled": 4}, "pooled"), ({"logits_unbiased": 4}, "logits_unbiased"),
        ({"64": 1, "2048": 2}, "2048"), ({"768": 2, "logits_unbiased": 1}, "768"), ({"a": 1, "b": 2}, None),
        ({"logits_unbiased": 1, "spatial": 2}, None),
    ):  # fmt: skip
        assert main_output(outputs) == main
        columns = columns_of(outputs)
        assert ("2048" in columns) == (main is not None)
        assert [np.arange(9)[columns[name]].size for name in outputs] == list(outputs.values())


@pytest.mark.property
@given(st.lists(st.integers(0, 7), max_size=6), st.integers(1, 9))
def test_blocks_join_and_cut(sizes: list[int], rows: int) -> None:
    x = np.arange(2 * sum(sizes)).reshape(-1, 2)
    ends = np.cumsum(sizes)
    blocks = list(in_blocks((x[end - size : end] for size, end in zip(sizes, ends, strict=True)), rows))
    assert [len(block) for block in blocks] == [min(rows, len(x) - start) for start in range(0, len(x), rows)]
    if blocks:
        np.testing.assert_array_equal(np.concatenate(blocks), x)


# ---- files that are none ------------------------------------------------------------------------------------------


def archive(path: Path, **changes: Any) -> None:
    some(9, 3).save(path)
    with np.load(path) as held:
        fields = {name: held[name] for name in held.files} | changes
    np.savez(path, **{name: value for name, value in fields.items() if value is not None})


BAD_ARCHIVES: list[tuple[dict[str, Any], str]] = [
    ({"features": np.zeros((9, 4), np.float32)}, r"has features \(9, 4\) of float32, and should have rows of 3"),
    ({"features": np.zeros((9, 3))}, "of float64, and should have rows of 3 of float32"),
    ({"features": np.zeros((9, 3), ">f4")}, "of >f4, and should have"),
    ({"features": np.zeros(9, np.float32)}, r"has features \(9,\)"),
    ({"features": np.full((9, 3), np.nan, np.float32)}, "holds NaN or infinity, first in column 0"),
    ({"features": np.zeros((0, 3), np.float32), "names": np.zeros(0, "U1")}, "is empty"),
    ({"features": None}, "is no file of features"),
    ({"names": np.array(["a"] * 8)}, r"has names \(8,\) of <U1, and should have 9 texts"),
    ({"names": np.arange(9)}, "and should have 9 texts"),
    ({"format": np.array("pixelgauge-features-2")}, "is of format 'pixelgauge-features-2', and this version reads"),
    ({"format": np.int64(1)}, "should have one text"),
    ({"outputs": None}, "are wanted"),
    ({"outputs": np.array("{")}, "has no outputs that can be read"),
    ({"outputs": np.array("[]")}, "widths by name are wanted"),
    ({"outputs": np.array('{"a": -1}')}, "has the width -1"),
    ({"outputs": np.array('{"a": true}')}, "has the width True"),
    ({"fingerprint": np.array("[1]")}, "facts by name are wanted"),
    ({"fingerprint": np.array('{"a": NaN}')}, "has no fingerprint that can be read"),
    ({"fingerprint": np.array('{"a": 1, "a": 2}')}, "key 'a' is there twice"),
    ({"part": np.array([0, 9, 20])}, "holds rows 0 to 9 of 20: name the folder"),
    ({"part": np.array([0, 8, 20])}, "says it is rows 0 to 8 of 20, and has 9"),
    ({"part": np.array([0.0, 9, 9])}, "should have 3 integers"),
    ({"more": np.zeros(2)}, "holds features, fingerprint, format, more"),
]


@pytest.mark.boundary
@pytest.mark.parametrize(("changes", "message"), BAD_ARCHIVES)
def test_archives_that_are_no_features(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "x.npz"
    archive(path, **changes)
    with pytest.raises(FileError, match=message) as caught:
        FeatureSet.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    if "format" not in changes and changes.get("features", 0) is not None:
        with pytest.raises(FileError, match=message):
            pixelgauge.fid(path, np.eye(3))


@pytest.mark.boundary
def test_files_that_are_cut_damaged_or_pickled(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    some(50, 8).save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in rng.integers(0, len(data), 40):
        path.write_bytes(data[:size])
        with pytest.raises(FileError):
            FeatureSet.load(path)
    for at in rng.integers(150, 1500, 40):  # within the features
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(FileError, match=r"CRC|header"):
            FeatureSet.load(path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], object), allow_pickle=True)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(FileError, match="Python objects, which are never read"):
        FeatureSet.load(path)
    some(9, 3).save(path)
    with zipfile.ZipFile(path) as held:
        members = {name: held.read(name) for name in held.namelist()}
    with zipfile.ZipFile(path, "w") as broken:
        for name, content in {**members, "names.npy": buffer.getvalue()}.items():
            broken.writestr(name, content)
    with pytest.raises(FileError, match="Python objects, which are never read"):
        FeatureSet.load(path)
    path.write_bytes(pickle.dumps({"features": 1}))
    with pytest.raises(FileError, match="is no zip archive"):
        FeatureSet.load(path)
    np.save(tmp_path / "x.npy", np.full((3, 2), np.inf, np.float32))
    with pytest.raises(FileError, match="NaN or infinity"):
        FeatureSet.load(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.eye(3, dtype=np.float32))
    (tmp_path / "y.npy").write_bytes((tmp_path / "y.npy").read_bytes() + b"more")
    for read in (FeatureSet.load, lambda path: pixelgauge.fid(path, np.eye(3))):
        with pytest.raises(FileError, match="which is 36 bytes, and holds 40"):
            read(tmp_path / "y.npy")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(FileError, match="is a pipe"):
        FeatureSet.load(tmp_path / "pipe.npz")


@pytest.mark.boundary
def test_tables_that_are_no_features(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow (extra 'arrow')")
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow (extra 'arrow')")
    good = tmp_path / "good.parquet"
    some(50, 4).save(good)
    table = parquet.read_table(good)
    rows = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array([1.0, None] * 100, pyarrow.float32()), 4)
    wide = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array([1.0] * 250, pyarrow.float32()), 5)
    meta = table.schema.metadata
    path = tmp_path / "x.parquet"
    for bad, message in (
        (table.replace_schema_metadata(None), "is no table of features"),
        (table.replace_schema_metadata({**meta, b"format": b"x"}), "is no table of features"),
        (table.replace_schema_metadata({**meta, b"outputs": b"["}), "has no outputs that can be read"),
        (table.replace_schema_metadata({b"format": meta[b"format"]}), "has no outputs"),
        (table.drop_columns(["features"]), "is no table of features"),
        (table.set_column(1, "features", rows), "rows without a value"),
        (table.set_column(1, "features", wide), "should have 4 of float32"),
        (table.set_column(1, "features", pyarrow.array([1.0] * 50)), "should have 4 of float32"),
        (table.set_column(0, "name", pyarrow.array(range(50))), "should have texts"),
        (table.set_column(0, "name", pyarrow.array(["a"] * 49 + [None])), "with 50 names"),
        (table.slice(0, 0), "claims to hold 0 rows"),
    ):
        parquet.write_table(bad, path)
        with pytest.raises(FileError, match=message):
            FeatureSet.load(path)
    data = good.read_bytes()
    for size in np.random.default_rng(0).integers(4, len(data), 30):
        path.write_bytes(data[:size])
        with pytest.raises(FileError):
            FeatureSet.load(path)


# ---- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.property
def test_large_sets_are_mapped(tmp_path: Path) -> None:
    """Under a limit of anonymous memory, which maps of files do not count against, larger files are read."""
    rows = np.random.default_rng(0).standard_normal((1024, 64)).astype(np.float32)
    count = 1 << 20  # 256 MiB of features
    about = About({"2048": 64}, MADE)
    with open(tmp_path / "x.npz", "wb") as file:
        write_npz(file, (rows for _ in range(count // 1024)), count, about, None)
    code = (
        "import resource, sys, pixelgauge, numpy as np; side = pixelgauge.fid(np.eye(4), np.eye(4) + 1)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))\n"
        "print(pixelgauge.fid(sys.argv[1], np.random.default_rng(1).standard_normal((500, 64))) > 0)"
    )
    env = {**os.environ, "PIXELGAUGE_NUM_THREADS": "1"}
    argv = [sys.executable, "-c", code, str(tmp_path / "x.npz"), str(224 << 20)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
