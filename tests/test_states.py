"""States that travel as bytes: what is written is read back equal, and whatever is not such a state is one ``ValueError``."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge import FeatureStats, RankingHistogram


def features_state() -> FeatureStats:
    features = np.random.default_rng(0).random((20, 3))
    return FeatureStats(3, shift=np.array([0.5, 0, -1.0]), preset="p").update(features)


def histogram_state() -> RankingHistogram:
    histogram = RankingHistogram([0.25, 0.5])
    histogram.update([0, 1, 1, 0], [0.1, 0.3, 0.9, 0.5])
    return histogram


# A state and what reads its bytes, made for each test anew.
STATES: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (features_state, FeatureStats.from_bytes),
    (histogram_state, RankingHistogram.from_bytes),
]


def fields_of(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data)) as archive:
        return {name: archive[name] for name in archive.files}


def archive_of(fields: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **fields)
    return buffer.getvalue()


def changed(data: bytes, **values: Any) -> bytes:
    fields = fields_of(data) | values
    return archive_of({name: value for name, value in fields.items() if value is not None})


floats = st.floats(-1e6, 1e6, width=32)


@st.composite
def statistics(draw: st.DrawFn) -> FeatureStats:
    dim = draw(st.integers(1, 4))
    text = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
    kind = draw(st.sampled_from(["features", "features", "given", "counted"]))
    if kind != "features":
        root = np.array(draw(st.lists(floats, min_size=dim * dim, max_size=dim * dim))).reshape(dim, dim) / 1e3
        mean = np.array(draw(st.lists(floats, min_size=dim, max_size=dim)))
        count = draw(st.integers(2, 10**6)) if kind == "counted" else None
        return FeatureStats.from_moments(mean, root @ root.T, count=count, preset=draw(text))
    shift = np.array(draw(st.lists(floats, min_size=dim, max_size=dim))) if draw(st.booleans()) else None
    stats = FeatureStats(dim, shift=shift, preset=draw(text), weights=draw(text))
    for _ in range(draw(st.integers(0, 3))):
        rows = draw(st.integers(1, 5))
        stats.update(np.array(draw(st.lists(floats, min_size=rows * dim, max_size=rows * dim))).reshape(rows, dim))
    return stats


@pytest.mark.property
@given(statistics())
def test_statistics_come_back_equal(stats: FeatureStats) -> None:
    again = FeatureStats.from_bytes(stats.to_bytes())
    assert again == stats
    assert again.to_bytes() == stats.to_bytes()
    assert (again.count, again.preset, again.weights) == (stats.count, stats.preset, stats.weights)
    if stats.count is None or stats.count > 1:
        np.testing.assert_array_equal(again.mean, stats.mean)
        try:
            cov = stats.cov()
        except ValueError as error:  # features so far from zero that sums cannot hold their spread
            with pytest.raises(ValueError, match=re.escape(str(error))):
                again.cov()
        else:
            np.testing.assert_array_equal(again.cov(), cov)
        # given moments that are to the bit those of their sums cannot be told from gathered ones
        assert again.rounding() >= stats.rounding()


@pytest.mark.property
def test_given_moments_that_their_sums_would_lose_come_back() -> None:
    """Far from zero beside its spread: the sums give these moments to the bit, and could not vouch for them."""
    stats = FeatureStats.from_moments(np.array([0.0, 1.0]), np.diag([1e-6, 0.0]), count=2970)
    again = FeatureStats.from_bytes(stats.to_bytes())
    assert again == stats
    assert again.cov().tolist() == [[1e-6, 0.0], [0.0, 0.0]]
    assert again.rounding() == (0.0, 0.0)


@pytest.mark.property
@pytest.mark.parametrize("count", [None, 2, 3])
@pytest.mark.parametrize("variance", [0.0, 1e-300, 1.0])
@pytest.mark.parametrize("mean", [-0.0, 0.0, -5e-324])
def test_the_sign_of_zero_is_no_part_of_a_state(mean: float, variance: float, count: int | None) -> None:
    stats = FeatureStats.from_moments(np.array([mean]), np.array([[variance]]), count=count)
    again = FeatureStats.from_bytes(stats.to_bytes())
    assert again == stats
    assert again.to_bytes() == stats.to_bytes()


@pytest.mark.property
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.tuples(st.booleans(), st.floats(allow_nan=False)), max_size=20),
)
def test_histograms_come_back_equal_and_merge_as_one_batch(
    edges: list[float], samples: list[tuple[bool, float]]
) -> None:
    whole, first, second = (RankingHistogram(edges) for _ in range(3))
    for some, into in ((samples, whole), (samples[::2], first), (samples[1::2], second)):
        if some:
            into.update([y for y, _ in some], [x for _, x in some])
    first.merge(RankingHistogram.from_bytes(second.to_bytes()))
    assert first == whole
    assert RankingHistogram.from_bytes(whole.to_bytes()) == whole
    assert first.to_bytes() == whole.to_bytes()
    y = np.array([label for label, _ in samples])
    if 0 < y.sum() < len(y):
        x = np.array([score for _, score in samples])
        for bounds, exact in (
            (whole.auroc(), pixelgauge.roc_auc_score(y, x)),
            (whole.average_precision(), pixelgauge.average_precision_score(y, x)),
        ):
            assert 0 <= bounds.low <= exact <= bounds.high <= 1


@pytest.mark.property
def test_states_differ_where_their_contents_do() -> None:
    x = np.random.default_rng(1).random((20, 3))
    assert FeatureStats(3).update(x) == FeatureStats(3).update(np.asfortranarray(x))
    for other in (
        FeatureStats(3), FeatureStats(3, preset="a").update(x), FeatureStats(3, shift=np.ones(3)).update(x),
        FeatureStats(3).update(x + 1), FeatureStats.from_moments(x.mean(axis=0), np.cov(x.T)), "text",
    ):  # fmt: skip
        assert FeatureStats(3).update(x) != other
    for unequal in (RankingHistogram([0.25, 0.5]), 3):
        assert unequal != histogram_state()


dates = np.array([["2020-01-01"] * 3] * 2, "M8[D]")


@pytest.mark.boundary
@pytest.mark.parametrize("values", [
    {"sum": np.zeros(1)}, {"sum": np.zeros((2, 1))}, {"sum": np.zeros((1, 3))}, {"sum": np.float64(0)},
    {"sum": np.zeros((2, 3), complex)}, {"sum": dates}, {"sum": np.zeros((2, 3), "U4")},
    {"sum": np.zeros((2, 3), bool)}, {"sum": np.zeros((2, 3), np.float32)}, {"sum": np.full((2, 3), np.nan)},
    {"sum": np.full((2, 3), 1e6)}, {"sum": np.full((2, 3), 1e300)},
    {"scatter": np.zeros((2, 1))}, {"scatter": np.zeros((3, 3))}, {"scatter": np.full((2, 6), np.inf)},
    {"scatter": -np.ones((2, 6))}, {"scatter": np.zeros((2, 6), np.int64)}, {"scatter": None},
    {"count": np.int64(-1)}, {"count": np.float64(20.5)}, {"count": np.float64(20)}, {"count": np.int64(2**62)},
    {"count": np.array([20])}, {"count": np.int64(0)}, {"count": np.int64(3)}, {"count": np.True_}, {"count": "20"},
    {"count": None}, {"dim": np.int64(4)}, {"dim": np.int64(2**40)}, {"dim": np.float64(3)}, {"dim": None},
    {"shift": np.zeros(1)}, {"shift": np.zeros((3, 1))}, {"shift": np.full(3, np.nan)}, {"shift": None},
    {"mu": np.zeros(3)}, {"mu": np.zeros(2)}, {"mu": None}, {"sigma": np.eye(3)}, {"sigma": np.triu(np.ones((3, 3)))},
    {"sigma": np.full((3, 3), np.nan)}, {"preset": np.int64(3)}, {"preset": np.array(["a", "b"])},
    {"format": np.int64(1)}, {"format": "pixelgauge-feature-stats-2"}, {"format": None}, {"more": np.zeros(3)},
])  # fmt: skip
def test_statistics_that_are_none(values: dict[str, Any], tmp_path: Any) -> None:
    data = changed(features_state().to_bytes(), **values)
    with pytest.raises(ValueError, match=r"^data: .*\w{3}"):
        FeatureStats.from_bytes(data)
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.npz"):
        FeatureStats.load(path)


@pytest.mark.boundary
@pytest.mark.parametrize("values", [
    {"counts": np.full((2, 3), 2**62)}, {"counts": np.full((2, 3), 2**52)}, {"counts": -np.ones((2, 3), np.int64)},
    {"counts": np.ones((2, 3))}, {"counts": np.ones((2, 3), np.uint64)}, {"counts": np.ones((2, 3), np.int32)},
    {"counts": np.ones((2, 2), np.int64)}, {"counts": np.ones((3, 2), np.int64)}, {"counts": np.ones(6, np.int64)},
    {"counts": np.ones((2, 3), complex)}, {"counts": np.ones((2, 3), "M8[D]")}, {"counts": None},
    {"edges": np.array([0.5, 0.25])}, {"edges": np.array([0.5, 0.5])}, {"edges": np.array([0.5, np.nan])},
    {"edges": np.array([0.5, np.inf])}, {"edges": np.zeros((2, 1))}, {"edges": np.array([1, 2])},
    {"edges": np.zeros(0)}, {"edges": np.array(["a", "b"])}, {"edges": np.array([0.1j, 1])}, {"edges": None},
    {"more": np.zeros(3)},
])  # fmt: skip
def test_histograms_that_are_none(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^data: is not a RankingHistogram: .*\w{3}"):
        RankingHistogram.from_bytes(changed(histogram_state().to_bytes(), **values))


@pytest.mark.boundary
def test_counts_beyond_what_is_exact_are_refused() -> None:
    full = RankingHistogram.from_bytes(
        changed(histogram_state().to_bytes(), counts=np.array([[2**53, 0, 0], [0, 0, 2**53]]))
    )
    assert full.auroc() == (1, 1)
    assert (full.positives, full.negatives) == (2**53, 2**53)
    for more in (lambda: full.merge(histogram_state()), lambda: full.update([0], [0.1])):
        with pytest.raises(ValueError, match=r"more than the 2\^53"):
            more()
    assert full.auroc() == (1, 1)
    with pytest.raises(TypeError, match="must be a RankingHistogram"):
        full.merge(3)  # type: ignore[arg-type]


@pytest.mark.boundary
@pytest.mark.parametrize(("make", "read"), STATES)
def test_every_flipped_bit_is_seen_or_does_nothing(make: Callable[[], Any], read: Callable[[Any], Any]) -> None:
    state = make()
    data = state.to_bytes()
    refused = 0
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    found = read(bytes(flipped))
                except ValueError as error:
                    message = str(error)
                else:
                    assert found == state, (place, bit)
                    continue
            assert message.startswith("data: "), (place, bit, message)
            refused += 1
    # dates, versions and attributes of a zip archive mean nothing
    assert refused > 5 * len(data)


@pytest.mark.boundary
@pytest.mark.parametrize(("make", "read"), STATES)
def test_every_truncation_is_seen(make: Callable[[], Any], read: Callable[[Any], Any]) -> None:
    state = make()
    data = state.to_bytes()
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"^data: is not"):
            read(data[:size])
    for kind in ("text", 3, None):
        with pytest.raises(TypeError, match="give the bytes"):
            read(kind)
    assert read(bytearray(data)) == read(memoryview(data)) == state


@pytest.mark.boundary
@pytest.mark.parametrize("header", [
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2, }", b"{'descr': '<f8', 'shape': (1" + b"+1" * 500 + b",)}",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1180591620717411303424,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }", b"{1: 2, 'descr': 3}",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    b"{'descr': '|V0', 'fortran_order': False, 'shape': (5,), }", b"[" * 300,
])  # fmt: skip
def test_headers_are_not_believed(header: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        length = len(header) + 1
        archive.writestr("mu.npy", b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + header + b"\n" + b"\0" * 8)
        archive.writestr("sigma.npy", b"")
    for read in (FeatureStats.from_bytes, RankingHistogram.from_bytes):
        with pytest.raises(ValueError, match=r"data: .*member 'mu'"):
            read(buffer.getvalue())


@pytest.mark.boundary
def test_a_small_file_of_a_large_claim_costs_nothing() -> None:
    fields = fields_of(features_state().to_bytes()) | {"dim": np.int64(16000)}
    with pytest.raises(ValueError, match="should be"):
        FeatureStats.from_bytes(archive_of(fields))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mu.npy", b"\x93NUMPY" + bytes(1 << 16))
        member = archive.infolist()[0]
        member.file_size = 1 << 40
    with pytest.raises(ValueError, match="claims"):
        FeatureStats.from_bytes(buffer.getvalue())


@pytest.mark.boundary
@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"count": 100.5}, TypeError, "count=100.5 must be a whole number"),
    ({"count": 100.0}, TypeError, "count=100.0"), ({"count": True}, TypeError, "count=True"),
    ({"count": 1}, ValueError, "count=1"), ({"count": 2**60}, ValueError, "count=1152921504606846976"),
    ({"cov": np.eye(2) * (1 + 1j)}, TypeError, "covariance of statistics has dtype complex128"),
    ({"mean": np.zeros(2, complex)}, TypeError, "mean of statistics has dtype complex128"),
    ({"cov": np.eye(2).astype("m8[s]")}, TypeError, "timedelta64"), ({"cov": np.eye(2, dtype=bool)}, TypeError, "bool"),
    ({"cov": np.eye(2).astype(object)}, TypeError, "object"), ({"cov": np.eye(2).astype(str)}, TypeError, "dtype <U"),
    ({"cov": np.eye(2, dtype=np.longdouble)}, TypeError, "float128|longdouble"),
])  # fmt: skip
def test_moments_are_real_and_counts_whole(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FeatureStats.from_moments(**({"mean": np.zeros(2), "cov": np.eye(2)} | arguments))
    if "count" not in arguments:
        given = {"mean": np.zeros(2), "cov": np.eye(2)} | arguments
        with pytest.raises(error, match="has dtype"):
            pixelgauge.frechet_distance((given["mean"], given["cov"]), (np.zeros(2), np.eye(2)))


@pytest.mark.boundary
def test_files_of_other_programs_hold_real_moments(tmp_path: Any) -> None:
    path = tmp_path / "x.npz"
    for mu, sigma in (
        (np.zeros(2), np.eye(2) * 1j),
        (np.zeros(2, "M8[D]"), np.eye(2)),
        (np.zeros(2), np.eye(2, dtype="U1")),
    ):
        np.savez(path, mu=mu, sigma=sigma)
        with pytest.raises(ValueError, match=r"x\.npz: is not a valid statistics file: .*has dtype"):
            FeatureStats.load(path)
    for order in ("<", ">"):
        np.savez(path, mu=np.arange(2, dtype=f"{order}f4"), sigma=np.eye(2, dtype=f"{order}f8"))
        assert FeatureStats.load(path).mean.tolist() == [0, 1]


@pytest.mark.boundary
@pytest.mark.parametrize("path", [b"stats.npz", bytearray(b"stats.npz"), 0, None])
def test_only_a_path_is_a_path(path: object) -> None:
    """Bytes are never taken for the name of a file, nor numbers for an open one."""
    with pytest.raises(TypeError, match=r"path=.* must be a path, a str or an os\.PathLike"):
        FeatureStats.load(path)
    with pytest.raises(TypeError, match=r"path=.* must be a path, a str or an os\.PathLike"):
        FeatureStats(2).update(np.eye(2)).save(path)


@pytest.mark.property
def test_bfloat16_features_are_read_exactly(rng: np.random.Generator) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    features = rng.normal(size=(9, 3)).astype(ml_dtypes.bfloat16)
    expected = FeatureStats(3).update(features.astype(np.float32))
    assert FeatureStats(3).update(features) == expected


@pytest.mark.boundary
@pytest.mark.parametrize("protocol", range(6))
def test_statistics_in_pickles(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(3)
    mean, cov = rng.standard_normal(4), np.cov(rng.standard_normal((20, 4)), rowvar=False)
    moments = {"mu": mean, "sigma": cov}
    for held in (moments, {"fid": moments, "fd_dinov2": {"mu": np.ones(3), "sigma": np.eye(3)}}):
        path = tmp_path / "stats.pkl"
        path.write_bytes(pickle.dumps(held, protocol))
        stats = FeatureStats.load(path)
        assert np.array_equal(stats.mean, mean)
        assert np.array_equal(stats.cov(), cov)
        assert pixelgauge.fid(path, path) == 0
    for held, reason in (
        ({"a": mean}, "is a pickle that holds a: statistics are"),
        ({"mu": mean, "sigma": np.eye(3)}, "is not a valid statistics file"),
        ({"mu": 3.0, "sigma": cov}, "is a pickle that holds mu, sigma"),
    ):
        path.write_bytes(pickle.dumps(held, protocol))
        with pytest.raises(pixelgauge.FileError, match=reason):
            FeatureStats.load(path)
    with pytest.raises(pixelgauge.FileError, match="leave spatial out"):
        FeatureStats.load(path, spatial=True)
