"""Every public ranking function against every kind of thing that holds scores and labels: the result of the plain NumPy
array, or an error that says what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import RankingHistogram


def optional(name: str) -> Callable[[], Any]:
    """Make a call that gives a package whose kinds are tried, or skips the test."""
    return lambda: pytest.importorskip(name, reason=f"{name}, whose kinds are tried, is not installed")


pandas, pyarrow, xarray = optional("pandas"), optional("pyarrow"), optional("xarray")
torch, jax = optional("torch"), optional("jax.numpy")
ml_dtypes, sparse = optional("ml_dtypes"), optional("scipy.sparse")

Y = np.array([0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0])
S = np.array([1, 4, 3, 8, 5, 2, 6, 7, 4, 4, 9, 0])
W = np.array([1, 2, 1, 1, 3, 1, 1, 1, 2, 1, 1, 1])
G = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])


class Speaks:
    """An array of another library that speaks DLPack and nothing else."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array)

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class Converts:
    """An array of another library that has ``__array__`` alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array if dtype is None else self.array.astype(dtype)


class Elsewhere(Speaks):
    """One on another device, or that needs its gradient."""

    def __dlpack__(self, **arguments: Any) -> Any:
        raise BufferError("Can't export tensors that require gradient")


class Refuses(Converts):
    """One whose conversion fails as PyTorch's does."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


class Subclass(np.ndarray):
    """A subclass that counts wrongly."""

    def __eq__(self, other: object) -> Any:
        raise AssertionError("used as itself")

    __gt__ = __ge__ = __lt__ = __le__ = __getitem__ = __eq__  # type: ignore[assignment]


def mapped(a: np.ndarray, folder: Path) -> np.ndarray:
    np.save(folder / "a.npy", a)
    return np.load(folder / "a.npy", mmap_mode="r")


def read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def of_torch(change: Callable[[Any], Any]) -> Callable[[np.ndarray], Any]:
    return lambda a: change(torch().tensor(np.ascontiguousarray(a)))


# of any number of axes; each is read
NUMPY: dict[str, Callable[[np.ndarray], Any]] = {
    "int64": np.array, "int8": lambda a: a.astype(np.int8), "uint8": lambda a: a.astype(np.uint8),
    "uint64": lambda a: a.astype(np.uint64), "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32), "float64": lambda a: a.astype(np.float64),
    "foreign float64": lambda a: a.astype(">f8"), "foreign int16": lambda a: a.astype(">i2"),
    "read-only": read_only, "strided": lambda a: np.repeat(a, 3, axis=0)[::3], "reversed": lambda a: a[::-1].copy()[::-1],
    "field of records": lambda a: np.rec.fromarrays([a, a])["f0"], "Fortran": np.asfortranarray,
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "masked without a mask": np.ma.array, "masked with an empty mask": lambda a: np.ma.array(a, mask=np.zeros(a.shape)),
    "subclass": lambda a: a.view(Subclass), "objects": lambda a: a.astype(object), "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()), "list of NumPy's": list, "DLPack": Speaks, "__array__": Converts,
    "DataArray": lambda a: xarray().DataArray(a), "tensor": of_torch(lambda t: t), "float tensor": of_torch(lambda t: t.float()),
    "strided tensor": of_torch(lambda t: t.repeat_interleave(2, 0)[::2]), "JAX": lambda a: jax().asarray(a),
}  # fmt: skip
# of one axis; each is read
VECTORS: dict[str, Callable[[np.ndarray], Any]] = {
    "Series": lambda a: pandas().Series(a), "Index": lambda a: pandas().Index(a), "Int64": lambda a: pandas().Series(a, dtype="Int64"),
    "Int8 array": lambda a: pandas().array(a, dtype="Int8"), "Float32": lambda a: pandas().Series(a, dtype="Float32"),
    "Float64": lambda a: pandas().Series(a, dtype="Float64"), "shuffled index": lambda a: pandas().Series(a, index=a[::-1]),
    "int64[pyarrow]": lambda a: pandas().Series(a, dtype="int64[pyarrow]"),
    "double[pyarrow]": lambda a: pandas().Series(a, dtype="double[pyarrow]"),
    "categorical": lambda a: pandas().Series(a).astype("category"), "Categorical": lambda a: pandas().Categorical(a),
    "data frame": lambda a: pandas().DataFrame({"a": a}), "Arrow": lambda a: pyarrow().array(a),
    "Arrow float": lambda a: pyarrow().array(a.astype(np.float32)),
    "Arrow chunks": lambda a: pyarrow().chunked_array([a[:5], a[5:]]),
    "Arrow dictionary": lambda a: pyarrow().array(a).dictionary_encode(), "Arrow table": lambda a: pyarrow().table({"a": a}),
    "Arrow decimals": lambda a: pyarrow().array(a.tolist(), pyarrow().decimal128(5, 1)), "column": lambda a: a[:, np.newaxis],
}  # fmt: skip
BITS: dict[str, Callable[[np.ndarray], Any]] = {
    "bool": lambda a: a.astype(bool), "boolean": lambda a: pandas().Series(a.astype(bool), dtype="boolean"),
    "Arrow bool": lambda a: pyarrow().array(a.astype(bool)), "list of bool": lambda a: a.astype(bool).tolist(),
    "bool objects": lambda a: a.astype(bool).astype(object), "bool Series": lambda a: pandas().Series(a.astype(bool)),
    "bool tensor": of_torch(lambda t: t.bool()),
}  # fmt: skip


def with_missing(a: np.ndarray, missing: Any, dtype: Any) -> Any:
    return pandas().Series([missing, *a[1:].tolist()], dtype=dtype)


# none is read; what the error must hold
REFUSED: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "masked": (lambda a: np.ma.array(a, mask=[1] + [0] * (len(a) - 1)), "masked values: leave those samples out"),
    "masked in a list": (lambda a: [np.ma.masked, *a[1:]], "masked values"),
    "datetime64": (lambda a: a.astype("M8[ns]"), "datetime64"), "timedelta64": (lambda a: a.astype("m8[s]"), "timedelta64"),
    "dates": (lambda a: pandas().Series(pandas().to_datetime(a)), "datetime64"),
    "records": (lambda a: np.rec.fromarrays([a, a]), "dtype"), "complex": (lambda a: a.astype(complex), "complex"),
    "0-d": (lambda a: np.array(1.0), "single value"), "number": (lambda a: 3, "single value"),
    "text": (lambda a: "0110", "single value"), "bytes": (lambda a: b"0110", "single value"),
    "nothing": (lambda a: None, "NoneType"), "no samples": (lambda a: a[:0], "empty"), "empty list": (lambda a: [], "empty"),
    "generator": (lambda a: (v for v in a), "generator"), "set": (lambda a: {*a.tolist()}, "set"),
    "dict": (lambda a: dict(enumerate(a)), "dict"), "map": (lambda a: map(int, a), "map"), "object": (lambda a: object(), "object"),
    "picture": (lambda a: Image.new("P", (len(a), 1)), "picture"), "pictures": (lambda a: [Image.new("L", (3, 3))] * 3, "picture"),
    "ragged": (lambda a: [[0], [1, 2]], "regular"), "None in a list": (lambda a: [None, *a[1:].tolist()], "None at place 0"),
    "Int64 NA": (lambda a: with_missing(a, None, "Int64"), "NaN|missing|<NA>"),
    "boolean NA": (lambda a: with_missing(a > 3, None, "boolean"), "<NA> at place 0"),
    "Float64 NA": (lambda a: with_missing(a, None, "Float64"), "NaN|<NA>"),
    "Arrow NA": (lambda a: with_missing(a, None, "int64[pyarrow]"), "NaN|<NA>"),
    "Arrow nulls": (lambda a: pyarrow().array([None, *a[1:].tolist()]), "1 missing values"),
    "Arrow chunk nulls": (lambda a: pyarrow().chunked_array([[None], a[1:].tolist()], pyarrow().int64()), "1 missing values"),
    "categorical NA": (lambda a: pandas().Series([None, *a[1:].tolist()]).astype("category"), "NaN|nan"),
    "NaN": (lambda a: np.where(np.arange(len(a)) == 0, np.nan, a), "NaN"),
    "float16 NaN": (lambda a: np.where(np.arange(len(a)) == 0, np.nan, a).astype(np.float16), "NaN"),
    "NaN in a list": (lambda a: [float("nan"), *a[1:].tolist()], "NaN"),
    "NaN and text": (lambda a: [float("nan"), *map(str, a[1:])], "text|'4' at place 1"),
    "numbers and text": (lambda a: [0, *map(str, a[1:])], "text|'4' at place 1"),
    "NaT": (lambda a: with_missing(a, pandas().NaT, object), "NaT at place 0"),
    "on another device": (Elsewhere, "Detach|requires? grad"), "needs its gradient": (Refuses, "Detach|requires? grad"),
    "gradient tensor": (of_torch(lambda t: t.float().requires_grad_()), "[Dd]etach"),
    "sparse tensor": (of_torch(lambda t: t.to_sparse()), r"to_dense|Detach"),
    "meta tensor": (of_torch(lambda t: t.to("meta")), "CPU|cpu|Detach"),
    "long double": (lambda a: a.astype(np.longdouble), "float128|longdouble|float64"), "scipy matrix": (
        lambda a: sparse().csr_matrix(a), "csr_matrix"),
}  # fmt: skip
NO_SCORES: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "text list": (lambda a: [str(v) for v in a], "dtype <U"), "text array": (lambda a: a.astype(str), "dtype <U"),
    "text objects": (lambda a: a.astype(str).astype(object), "'1' at place 0"),
    "text Series": (lambda a: pandas().Series(a.astype(str)), "'1' at place 0"),
    "bytes array": (lambda a: a.astype("S"), r"dtype \|?S"),
    "Arrow text": (lambda a: pyarrow().array(a.astype(str)), "'1' at place 0"),
    "StringDType": (lambda a: a.astype(str).astype(np.dtypes.StringDType()), "StringDType"),
}  # fmt: skip
TEXT_LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda a: [("no", "yes")[v] for v in a], "array": lambda a: np.array(["no", "yes"])[a],
    "objects": lambda a: np.array(["no", "yes"], object)[a], "Series": lambda a: pandas().Series(["no", "yes"])[a],
    "categorical": lambda a: pandas().Series(["no", "yes"])[a].astype("category"),
    "Arrow": lambda a: pyarrow().array(np.array(["no", "yes"])[a]), "bytes": lambda a: np.array([b"no", b"yes"])[a],
    "Arrow-backed": lambda a: pandas().Series(np.array(["no", "yes"])[a], dtype="string[pyarrow]"),
    "StringDType": lambda a: np.array(["no", "yes"], np.dtypes.StringDType())[a],
    "foreign": lambda a: np.array(["no", "yes"]).astype(">U3")[a], "DataArray": lambda a: xarray().DataArray(np.array(["no", "yes"])[a]),
}  # fmt: skip


def histogram(y: Any, s: Any) -> Any:
    found = RankingHistogram([2.5, 4, 6.5])
    found.update(y, s)
    return found.auroc(), found.average_precision()


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "roc_auc_score": pixelgauge.roc_auc_score,
    "roc_auc_score max_fpr": lambda y, s: pixelgauge.roc_auc_score(y, s, max_fpr=0.4),
    "roc_auc_score groups": lambda y, s: pixelgauge.roc_auc_score(y, s, groups=G),
    "roc_curve": pixelgauge.roc_curve, "precision_recall_curve": pixelgauge.precision_recall_curve,
    "det_curve": pixelgauge.det_curve, "average_precision_score": pixelgauge.average_precision_score,
    "confusion_at_threshold": lambda y, s: pixelgauge.confusion_at_threshold(y, s, 4),
    "best_threshold": pixelgauge.best_threshold, "fpr_at_tpr": pixelgauge.fpr_at_tpr,
    "delong_interval": pixelgauge.delong_interval, "delong_test": lambda y, s: pixelgauge.delong_test(y, s, S[::-1]),
    "delong_test b": lambda y, s: pixelgauge.delong_test(y, S[::-1], s),
    "bootstrap_interval": lambda y, s: pixelgauge.bootstrap_interval(y, s, replicates=5),
    "auroc_by_group": lambda y, s: pixelgauge.auroc_by_group(y, s, G),
    "top_k_accuracy_score": lambda y, s: pixelgauge.top_k_accuracy_score(y, s, k=1),
    "RankingHistogram": histogram,
    "RocCurveDisplay": lambda y, s: pixelgauge.RocCurveDisplay.from_predictions(y, s, pos_label=1).roc_auc,
}  # fmt: skip


def plain(result: Any) -> Any:
    """Values of a result, for comparison."""
    if isinstance(result, np.ndarray):
        return result.tolist()
    return [plain(part) for part in result] if isinstance(result, tuple) else result


@pytest.mark.property
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", [*NUMPY, *VECTORS])
def test_kinds_of_labels_and_scores(function: str, kind: str) -> None:
    call, make = FUNCTIONS[function], (NUMPY | VECTORS)[kind]
    expected = plain(call(Y, S))
    assert plain(call(make(Y), S)) == expected
    assert plain(call(Y, make(S))) == expected


@pytest.mark.property
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", BITS)
def test_kinds_of_truth_values(function: str, kind: str) -> None:
    call, make = FUNCTIONS[function], BITS[kind]
    assert plain(call(make(Y), S)) == plain(call(Y, S))
    assert plain(call(Y, make(S > 3))) == plain(call(Y, (S > 3).astype(np.uint8)))


@pytest.mark.property
@pytest.mark.parametrize("function", FUNCTIONS)
def test_mapped_files_and_bfloat16(function: str, tmp_path: Path) -> None:
    call = FUNCTIONS[function]
    assert plain(call(mapped(Y, tmp_path), S)) == plain(call(Y, S))
    assert plain(call(Y, mapped(S, tmp_path))) == plain(call(Y, S))
    assert plain(call(Y, S.astype(ml_dtypes().bfloat16))) == plain(call(Y, S.astype(np.float32)))


@pytest.mark.boundary
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", [*REFUSED, *NO_SCORES])
def test_kinds_that_are_refused(function: str, kind: str) -> None:
    call, (make, message) = FUNCTIONS[function], (REFUSED | NO_SCORES)[kind]
    with pytest.raises((TypeError, ValueError), match=rf"(?s)score.*({message})"):
        call(Y, make(S))
    if kind in REFUSED:
        with pytest.raises((TypeError, ValueError), match=rf"(?s)y_true.*({message})"):
            call(make(Y), S)


@pytest.mark.boundary
def test_masked_numbers_are_no_numbers() -> None:
    y, s = [0, 1, 0, 1], [-1.0, 1.0, 0.5, 0.2]
    for bad in (np.ma.masked, np.ma.array(0.5, mask=True)):
        for name, call in (
            ("threshold", lambda v: pixelgauge.confusion_at_threshold(y, s, v)),
            ("tpr", lambda v: pixelgauge.fpr_at_tpr(y, s, v)),
            ("max_fpr", lambda v: pixelgauge.roc_auc_score(y, s, max_fpr=v)),
            ("max_fpr", lambda v: pixelgauge.aupro(np.eye(4), np.eye(4), max_fpr=v)),
            ("level", lambda v: pixelgauge.delong_interval(y, s, level=v)),
        ):
            with pytest.raises(TypeError, match=rf"(?s){name}=.* must be a number"):
                call(bad)
        with pytest.raises(TypeError, match=r"(?s)pos_label=.*masked"):
            pixelgauge.roc_curve(y, s, pos_label=bad)
    assert pixelgauge.confusion_at_threshold(y, s, np.ma.array(0.5, mask=False)).true_positives == 1


@pytest.mark.property
@pytest.mark.parametrize("kind", TEXT_LABELS)
def test_text_labels(kind: str) -> None:
    y = TEXT_LABELS[kind](Y)
    positive = b"yes" if kind == "bytes" else "yes"
    assert pixelgauge.roc_auc_score(y, S) == pixelgauge.roc_auc_score(Y, S)
    for call in (pixelgauge.roc_curve, pixelgauge.precision_recall_curve, pixelgauge.det_curve,
                 pixelgauge.average_precision_score, pixelgauge.delong_interval, pixelgauge.best_threshold):  # fmt: skip
        assert plain(call(y, S, pos_label=positive)) == plain(call(Y, S, pos_label=1))
    with pytest.raises(ValueError, match=r"pos_label|Only one"):
        pixelgauge.delong_interval(y, S)
    with pytest.raises(ValueError, match="0 and 1 only"):
        histogram(y, S)
    assert pixelgauge.auroc_by_group(Y, S, y) == pixelgauge.auroc_by_group(Y, S, np.array([b"no", b"yes"] if kind == "bytes" else ["no", "yes"])[Y])  # fmt: skip


@pytest.fixture(autouse=True)
def quiet(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    """Groups of one class and k of all classes are said, and are not what is tried here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pixelgauge.UndefinedMetricWarning)
        yield


WEIGHTED = ("roc_auc_score", "roc_curve", "precision_recall_curve", "det_curve", "average_precision_score",
            "confusion_at_threshold", "best_threshold", "fpr_at_tpr", "top_k_accuracy_score")  # fmt: skip


@pytest.mark.property
@pytest.mark.parametrize("function", WEIGHTED)
@pytest.mark.parametrize("kind", [*NUMPY, *VECTORS, *REFUSED])
def test_kinds_of_weights(function: str, kind: str) -> None:
    arguments: list[Any] = {"confusion_at_threshold": [4]}.get(function, [])
    options: dict[str, Any] = {"k": 1} if function == "top_k_accuracy_score" else {}

    def call(weights: Any) -> Any:
        return plain(getattr(pixelgauge, function)(Y, S, *arguments, sample_weight=weights, **options))

    if kind in REFUSED:
        if kind in ("nothing", "long double"):  # none is given; weights are float64 whatever they were
            return
        with pytest.raises((TypeError, ValueError), match="sample_weight"):
            call(REFUSED[kind][0](W))
    elif kind in ("objects", "Arrow decimals"):
        with pytest.raises(TypeError, match="sample_weight has dtype object: use numbers"):
            call((NUMPY | VECTORS)[kind](W))
    else:
        assert call((NUMPY | VECTORS)[kind](W)) == call(W)


TABLES: dict[str, Callable[[np.ndarray], Any]] = {
    "DataFrame": lambda a: pandas().DataFrame(a), "nullable": lambda a: pandas().DataFrame(a).astype("Int64"),
    "Arrow-backed": lambda a: pandas().DataFrame(a).astype("int64[pyarrow]"),
    "mixed": lambda a: pandas().DataFrame({k: a[:, k].astype((float, int)[k % 2]) for k in range(a.shape[1])}),
    "Arrow table": lambda a: pyarrow().table({str(k): a[:, k] for k in range(a.shape[1])}),
}  # fmt: skip
MATRIX = np.stack([S, S[::-1], (S * 5) % 7], axis=1)
Y3 = (MATRIX % 2 == 0).astype(np.int64)
CLASSES = np.arange(12) % 3
OF_TABLES: dict[str, Callable[[Any], Any]] = {
    "auroc_by_column": lambda s: pixelgauge.auroc_by_column(Y, s),
    "multilabel AUROC": lambda s: pixelgauge.roc_auc_score(Y3, s, average=None),
    "micro AUROC": lambda s: pixelgauge.roc_auc_score(Y3, s, average="micro"),
    "multilabel AP": lambda s: pixelgauge.average_precision_score(Y3, s, average="weighted"),
    "multiclass AP": lambda s: pixelgauge.average_precision_score(CLASSES, s),
    "top k": lambda s: pixelgauge.top_k_accuracy_score(CLASSES, s, k=1),
    "aupro": lambda s: pixelgauge.aupro(Y3, s),
}  # fmt: skip


@pytest.mark.property
@pytest.mark.parametrize("function", OF_TABLES)
@pytest.mark.parametrize("kind", [*NUMPY, *TABLES])
def test_kinds_of_tables(function: str, kind: str) -> None:
    make = (NUMPY | TABLES)[kind]
    assert plain(OF_TABLES[function](make(MATRIX))) == plain(OF_TABLES[function](MATRIX))


@pytest.mark.property
@pytest.mark.parametrize("kind", [*NUMPY, *TABLES])
def test_kinds_of_multilabels_masks_and_areas(kind: str) -> None:
    make = (NUMPY | TABLES)[kind]
    assert pixelgauge.roc_auc_score(make(Y3), MATRIX) == pixelgauge.roc_auc_score(Y3, MATRIX)
    if kind == "objects":
        with pytest.raises(TypeError, match="masks has dtype object"):
            pixelgauge.aupro(make(Y3), MATRIX)
    else:
        assert pixelgauge.aupro(make(Y3), MATRIX) == pixelgauge.aupro(Y3, MATRIX)
    if kind in NUMPY:
        x = np.sort(S)
        assert pixelgauge.auc(make(x), W) == pixelgauge.auc(x, make(W)) == pixelgauge.auc(x, W)
        assert pixelgauge.auroc_by_group(Y, S, make(G)) == pixelgauge.auroc_by_group(Y, S, G)


@pytest.mark.oracle
def test_columns_of_a_table_are_not_rounded_beside_each_other() -> None:
    table = {"a": np.array([2**53, 2**53 + 1]), "b": np.array([0.5, 0.25])}
    for made in (pandas().DataFrame(table), pyarrow().table(table)):
        assert pixelgauge.auroc_by_column([0, 1], made).tolist() == [1, 0]
        assert pixelgauge.roc_auc_score([[0, 1], [1, 0]], made) == 1
    both = pandas().DataFrame({"a": np.array([2**64 - 2, 2**64 - 1], np.uint64), "b": [-1, -2]})
    assert pixelgauge.auroc_by_column([0, 1], both).tolist() == [1, 0]
    with pytest.raises(TypeError, match="mixes"):
        pixelgauge.auroc_by_column([0, 1], pandas().DataFrame({"a": [1, 2], "b": pandas().to_datetime([1, 2])}))


@pytest.mark.property
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", ">i4", ">u8", "float16", ">f4", "float64"])
def test_kinds_of_files(dtype: str, tmp_path: Path) -> None:
    s = (S > 3) if dtype == "bool" else S
    np.save(tmp_path / "y.npy", Y.astype(dtype))
    np.save(tmp_path / "s.npy", s.astype(dtype))
    expected = pixelgauge.roc_auc_score(Y, s)
    assert pixelgauge.roc_auc_score_out_of_core(tmp_path / "y.npy", tmp_path / "s.npy") == expected
    np.save(tmp_path / "bad.npy", np.zeros(12, "i4,i4"))
    for files in (("y.npy", "bad.npy"), ("bad.npy", "s.npy")):
        with pytest.raises(pixelgauge.FileError, match="holds records"):
            pixelgauge.roc_auc_score_out_of_core(*(tmp_path / name for name in files))
    for bad in ("M8[s]", "complex128", "U3"):
        np.save(tmp_path / "bad.npy", np.zeros(12, bad))
        with pytest.raises(TypeError, match="dtype"):
            pixelgauge.roc_auc_score_out_of_core(tmp_path / "y.npy", tmp_path / "bad.npy")
        with pytest.raises(ValueError, match="0 and 1 only"):
            pixelgauge.roc_auc_score_out_of_core(tmp_path / "bad.npy", tmp_path / "s.npy")
