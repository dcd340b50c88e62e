"""Providers and precisions by inspection, sessions, graphs cut to their outputs, decoding, and what importing costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from pixelgauge.networks import providers
from pixelgauge.networks import session as sessions
from pixelgauge.networks import store as model_store
from pixelgauge.networks.bound_runs import BoundRuns
from pixelgauge.networks.graph_rewrite import extract_subgraph
from pixelgauge.networks.pixels import Pixels
from pixelgauge.networks.preprocess import batched, read_rgb
from pixelgauge.networks.providers import CPU, CUDA, OPENVINO, ProviderError, choose_providers
from pixelgauge.networks.session import Session
from pixelgauge.parallel import ordered_map
from tests.perceptual.weights import random_weights

ALL = [CUDA, OPENVINO, CPU]

# ---- plans: the same without a device as with one -----------------------------------------------------------------


@pytest.mark.property
def test_automatic_choice() -> None:
    assert choose_providers(available=[CPU]).provider == CPU
    assert choose_providers(available=ALL, devices=0).provider == CPU
    assert choose_providers(available=ALL, devices=1).provider == CUDA
    assert [name for name, _ in choose_providers(available=ALL, devices=1).providers] == [CUDA, CPU]
    assert choose_providers(precision="bf16", available=ALL, devices=1).provider == OPENVINO
    assert choose_providers(precision="tf32", available=ALL, devices=1).provider == CUDA


@pytest.mark.property
def test_cuda_options() -> None:
    chosen = choose_providers("cuda", available=ALL, devices=1)
    assert chosen.providers[0][1]["use_tf32"] == "0"
    assert chosen.providers[0][1]["cudnn_conv_algo_search"] == "HEURISTIC"
    assert chosen.providers[0][1]["prefer_nhwc"] == "0"
    assert chosen.fixed_batch
    asked = choose_providers("cuda", "tf32", available=ALL, devices=1)
    assert asked.providers[0][1]["use_tf32"] == "1"
    assert asked.providers[0][1]["prefer_nhwc"] == "1"


def no_pixels() -> None:
    pytest.fail("planes need no change")


class Recorded:
    """Stands in for onnxruntime's session: remembers how it was started."""

    started: ClassVar[list[tuple[object, list[tuple[str, dict[str, str]]]]]] = []

    def __init__(self, graph: bytes, options: Any, providers: list[Any]) -> None:
        self.providers = providers
        self.started.append((options, providers))

    def get_providers(self) -> list[str]:
        return [name for name, _ in self.providers]


@pytest.mark.property
def test_cuda_sessions_by_inspection(squeeze: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    monkeypatch.setattr(ort, "InferenceSession", Recorded)
    chosen = choose_providers([(CUDA, {"device_id": "1"}), CPU], available=ALL, devices=2)
    bound = []
    monkeypatch.setattr(sessions, "BoundRuns", lambda *arguments: bound.append(arguments[1:]))
    session = Session(squeeze, chosen, ["distance"], batch_size=4)
    (_, providers) = Recorded.started[-1]
    assert [name for name, _ in providers] == [CUDA, CPU]
    assert providers[0][1] == {
        "use_tf32": "0",
        "prefer_nhwc": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "device_id": "1",
    }
    assert [(outputs, *rest) for outputs, _, *rest in bound] == [(["distance"], "cuda", 1, 2)]
    assert session.session(session.threads).providers == providers


@pytest.mark.property
@pytest.mark.parametrize("batch_size", [None, 2])
def test_bound_buffers_give_what_plain_runs_give(squeeze: Any, batch_size: int | None) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    outputs = ["per_layer", "distance"]
    started = Session(squeeze, choose_providers("cpu"), outputs, batch_size=batch_size).session(1)
    bound = BoundRuns(started, outputs, no_pixels, "cpu")
    rng = np.random.default_rng(0)
    results = []
    for height in (20, 20, 24, 20):  # the same buffers again, others, and back
        inputs = {name: rng.uniform(-1, 1, (2, 3, height, 30)).astype(np.float32) for name in "xy"}
        results.append((bound.run(inputs), started.run(outputs, inputs)))
    for values, expected in results:
        for value, plain in zip(values, expected, strict=True):
            np.testing.assert_array_equal(value, plain)


@pytest.mark.property
def test_pixels_become_planes_on_the_device(squeeze: Any) -> None:
    """What CUDA does for 8-bit pixels, on the CPU: the same planes but for the rounding of a product and a sum."""
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    session = Session(squeeze, choose_providers("cpu"), ["distance"])
    bound = BoundRuns(session.session(1), ["distance"], session._to_planes, "cpu")
    rng = np.random.default_rng(0)
    for shape in ((2, 20, 30, 3), (2, 20, 30, 3), (1, 24, 21, 3)):
        for scale, offset in ((2 / 255, -1.0), (1 / 255, 0.0)):
            images = rng.integers(0, 256, (2, *shape), np.uint8)
            pixels = {name: Pixels(image, scale, offset) for name, image in zip("xy", images, strict=True)}
            expected = session.run(pixels)["distance"]
            np.testing.assert_allclose(bound.run(pixels)[0], expected, rtol=2e-5)
            mixed = {"x": pixels["x"].planes(), "y": Pixels(images[1][..., ::-1].astype(np.float32), scale, offset)}
            np.testing.assert_allclose(bound.run(mixed)[0], session.run(mixed)["distance"], rtol=1e-6)
            strided = {name: Pixels(one.images[:, ::-1], scale, offset) for name, one in pixels.items()}
            np.testing.assert_allclose(bound.run(strided)[0], session.run(strided)["distance"], rtol=2e-5)


@pytest.mark.property
def test_only_pixels_take_buffers_of_the_device(squeeze: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    session = Session(squeeze, choose_providers("cpu"), ["distance"])
    rng = np.random.default_rng(0)
    pixels = {name: Pixels(rng.integers(0, 256, (2, 20, 30, 3), np.uint8), 2 / 255, -1.0) for name in "xy"}
    planes = {name: value.planes() for name, value in pixels.items()}
    expected = session.run(planes)["distance"].tolist()

    class Buffers:
        taken: ClassVar[list[object]] = []

        def run(self, inputs: object) -> list[np.ndarray]:
            self.taken.append(inputs)
            return [np.zeros(2)]

    monkeypatch.setattr(session, "_bound", Buffers())
    assert session.run(planes)["distance"].tolist() == expected
    assert Buffers.taken == []
    session.run(pixels)
    session.run({**planes, "y": pixels["y"]})
    assert len(Buffers.taken) == 2


@pytest.mark.property
def test_bound_runs_at_a_time(squeeze: Any) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    started = Session(squeeze, choose_providers("cpu"), ["distance"]).session(1)
    bound = BoundRuns(started, ["distance"], no_pixels, "cpu", at_once=2)
    rng = np.random.default_rng(0)
    inputs = [{name: rng.uniform(-1, 1, (2, 3, 20 + i % 3, 30)).astype(np.float32) for name in "xy"} for i in range(12)]
    expected = [started.run(["distance"], one)[0] for one in inputs]
    for value, right in zip(ordered_map(bound.run, inputs, workers=4, ahead=4), expected, strict=True):
        np.testing.assert_array_equal(value[0], right)


@pytest.mark.boundary
def test_bound_runs_go_on_after_an_error(squeeze: Any) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    started = Session(squeeze, choose_providers("cpu"), ["distance"]).session(1)
    bound = BoundRuns(started, ["distance"], no_pixels, "cpu", at_once=1)
    good = {name: np.zeros((1, 3, 20, 30), np.float32) for name in "xy"}
    bound.run(good)
    for _ in range(2):
        with pytest.raises(Exception, match=r"(?i)shape|dimension"):
            bound.run({**good, "y": np.zeros((1, 3, 21, 30), np.float32)})
    assert bound.run(good)[0].tolist() == [0]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("precision", "switch", "refused"),
    [("float32", "0", False), ("tf32", "1", False), ("float32", "1", True), ("tf32", "0", True), ("tf32", "\n", True)],
)
def test_the_drivers_switch_for_tf32(
    monkeypatch: pytest.MonkeyPatch, precision: str, switch: str, refused: bool
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", switch)
    assert choose_providers("cpu", available=ALL).provider == CPU
    if refused:
        with pytest.raises(ProviderError, match=f"precision='{precision}', but NVIDIA_TF32_OVERRIDE="):
            choose_providers("cuda", precision, available=ALL, devices=1)
    else:
        assert choose_providers("cuda", precision, available=ALL, devices=1).precision == precision


@pytest.mark.property
def test_cuda_libraries_are_loaded_from_the_packages_beside_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    providers.load_cuda_libraries.cache_clear()
    monkeypatch.setattr(ort, "preload_dlls", lambda: print("Failed to load\nlibcudnn.so.9"), raising=False)
    assert providers.load_cuda_libraries() == "Failed to load libcudnn.so.9"
    providers.load_cuda_libraries.cache_clear()
    monkeypatch.delattr(ort, "preload_dlls")
    assert providers.load_cuda_libraries() == ""
    providers.load_cuda_libraries.cache_clear()


@pytest.mark.property
def test_openvino_options() -> None:
    from pixelgauge import get_num_threads

    for precision, hint in (("float32", "f32"), ("bf16", "bf16")):
        options = choose_providers("openvino", precision, available=ALL).providers[0][1]
        assert options["device_type"] == "CPU"
        assert json.loads(options["load_config"]) == {
            "CPU": {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": str(get_num_threads())}
        }
    assert choose_providers("openvino", available=ALL).fixed_batch


@pytest.mark.property
def test_explicit_providers_pass_through() -> None:
    chosen = choose_providers([(CUDA, {"device_id": "3", "use_tf32": "1"}), "cpu"], available=ALL, devices=4)
    assert chosen.providers[0] == (
        CUDA,
        {"use_tf32": "1", "prefer_nhwc": "0", "cudnn_conv_algo_search": "HEURISTIC", "device_id": "3"},
    )
    assert chosen.providers[1] == (CPU, {})
    assert not choose_providers("cpu", available=ALL).fixed_batch


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (
            {"providers": "cuda", "available": [CPU]},
            ProviderError,
            r"no CUDAExecutionProvider: pip install 'pixelgauge\[gpu\]'",
        ),
        ({"providers": "cuda", "available": ALL, "devices": 0}, ProviderError, "no CUDA device answers"),
        ({"providers": "openvino", "available": [CPU]}, ProviderError, r"pixelgauge\[openvino\]"),
        ({"precision": "bf16", "available": [CPU]}, ProviderError, r"pixelgauge\[openvino\]"),
        ({"providers": "cpu", "precision": "bf16", "available": ALL}, ProviderError, "needs OpenVINO"),
        ({"precision": "tf32", "available": [CPU]}, ProviderError, "needs CUDA"),
        ({"providers": "TPUExecutionProvider", "available": ALL}, ProviderError, "no TPUExecutionProvider: use one of"),
        (
            {"providers": "gpu", "available": ALL},
            ValueError,
            "providers='gpu' is not known: use 'cpu', 'cuda', 'openvino'",
        ),
        ({"providers": [], "available": ALL}, ValueError, "names none: name one"),
        ({"providers": 5, "available": ALL}, TypeError, "providers=5 must be a name, or a list"),
        ({"providers": {"cpu": {}}, "available": ALL}, TypeError, "must be a name, or a list"),
        ({"providers": (CPU, {}), "available": ALL}, TypeError, r"providers=\{\} must be a name or a pair"),
        ({"providers": [5], "available": ALL}, TypeError, "providers=5 must be a name or a pair"),
        ({"providers": [("cpu",)], "available": ALL}, TypeError, "must be a name or a pair"),
        ({"providers": [("cpu", None)], "available": ALL}, TypeError, "must be a name or a pair"),
        ({"precision": "float16", "available": ALL}, ValueError, "precision='float16' is not known"),
    ],
)
def test_impossible_plans(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        choose_providers(**arguments)


# ---- sessions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def squeeze() -> Any:
    """A model in memory with small random weights."""
    model = model_store.model_named("lpips-squeeze")
    data = np.random.default_rng(0).uniform(-0.1, 0.11, model.data_bytes // 4).astype("<f4").view(np.uint8)
    return model_store.Installed(model, None, data, {"weights_sha256": "0" * 64, "official": False})


@pytest.mark.property
def test_session_options_and_tiny_run(squeeze: Any) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    from pixelgauge import get_num_threads

    session = Session(squeeze, choose_providers("cpu"), ["distance"])
    started = session.session(get_num_threads())
    assert session.session(get_num_threads()) is started
    assert started.get_session_options().intra_op_num_threads == get_num_threads()
    assert started.get_providers() == [CPU]
    assert [output.name for output in started.get_outputs()] == ["distance"]
    x = np.zeros((2, 3, 20, 24), np.float32)
    distance = session.run({"x": x, "y": x})["distance"]
    assert distance.tolist() == [0, 0]
    assert session.fingerprint["precision"] == "float32"


@pytest.mark.property
def test_runs_side_by_side_keep_to_a_thread_each(squeeze: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    session = Session(squeeze, choose_providers("cpu"), ["distance"])
    session.threads = 4
    together, chosen = Barrier(2, timeout=60), []

    class Started:
        def __init__(self, threads: Any) -> None:
            self.threads = threads

        def run(self, outputs, inputs):
            chosen.append(self.threads)
            if inputs["wait"]:
                together.wait()  # the first run has begun: the second may
                together.wait()  # the second is over
            return [self.threads]

    monkeypatch.setattr(session, "session", Started)
    first = Thread(target=session.run, args=({"wait": True},))
    first.start()
    together.wait()
    assert session.run({"wait": False}) == {"distance": 1}
    together.wait()
    first.join()
    assert session.run({"wait": False}) == {"distance": 4}
    assert session.run({"wait": False}, threads=2) == {"distance": 2}
    assert chosen == [4, 1, 4, 2]


@pytest.mark.property
def test_results_come_in_order_and_errors_where_they_belong() -> None:
    def call(i):
        time.sleep(0.002 * (i % 3))
        if i == 7:
            raise ValueError("seven")
        return i

    started = []
    results = ordered_map(lambda i: started.append(i) or call(i), range(100), workers=3, ahead=2)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="seven"):
        next(results)
    assert max(started) < 20  # what is not asked for is not computed
    assert list(ordered_map(call, range(0), 3, 2)) == []
    rows = (np.full((1, 2), i) for i in range(5))
    assert [batch[:, 0].tolist() for batch in batched(rows, 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.boundary
def test_a_provider_that_does_not_start_is_an_error(squeeze: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    pretended = choose_providers("cuda", available=ALL, devices=1)
    if CUDA in ort.get_available_providers():
        pytest.skip("this onnxruntime has CUDA, which might start")
    started = (
        "CUDAExecutionProvider did not start; onnxruntime offers CPUExecutionProvider instead: "
        r"pip install 'onnxruntime-gpu\[cuda,cudnn\]' brings CUDA's libraries"
    )
    with pytest.warns(UserWarning, match="not in available provider"), pytest.raises(ProviderError, match=started):
        Session(squeeze, pretended, ["distance"])


@pytest.mark.boundary
def test_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'pixelgauge\[cpu\]'"):
        choose_providers()
    assert "not installed" in providers.facts()["onnxruntime"]


# ---- cut graphs ---------------------------------------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["lpips-alex", "lpips-squeeze", "inception-fid"])
def test_cut_graphs_are_valid_and_minimal(name: str) -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    whole = model_store.model_named(name).graph_bytes()
    full = onnx.load_model_from_string(whole)
    for wanted in [[output.name] for output in full.graph.output] + [[output.name for output in full.graph.output]]:
        data, initialisers = extract_subgraph(whole, wanted)
        model = onnx.load_model_from_string(data)
        assert [output.name for output in model.graph.output] == wanted
        assert [i.name for i in model.graph.initializer] == [
            i.name for i in full.graph.initializer if i.name in initialisers
        ]
        assert model.opset_import == full.opset_import
        # what networkless reachability says
        needed, nodes = set(wanted), []
        for node in reversed(full.graph.node):
            if needed & set(node.output):
                needed |= set(node.input)
                nodes.append(node)
        assert list(model.graph.node) == nodes[::-1]
        assert initialisers == {i.name for i in full.graph.initializer} & needed
    assert extract_subgraph(whole, wanted)[0] == whole


@pytest.mark.boundary
def test_cut_to_an_unknown_output() -> None:
    with pytest.raises(ValueError, match="no output 'pool3': use one of '64'"):
        extract_subgraph(model_store.model_named("inception-fid").graph_bytes(), ["pool3"])


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_decoding(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    picture = Image.fromarray(rgb)
    alpha = picture.copy()
    alpha.putalpha(100)
    gray = picture.convert("L")
    for name, image, expected in (
        ("rgb.png", picture, rgb),
        ("rgb.bmp", picture, rgb),
        ("alpha.png", alpha, rgb),
        ("gray.png", gray, np.repeat(np.asarray(gray)[..., None], 3, 2)),
        ("palette.png", picture.quantize(8), np.asarray(picture.quantize(8).convert("RGB"))),
    ):
        image.save(tmp_path / name)
        decoded = read_rgb(tmp_path / name)
        np.testing.assert_array_equal(decoded, expected, err_msg=name)
        assert decoded.dtype == np.uint8


# ---- weight of the import -----------------------------------------------------------------------------------------


@pytest.mark.property
def test_import_is_light() -> None:
    code = (
        "import sys, pixelgauge; pixelgauge.__version__; "
        "heavy = {'onnxruntime', 'torch', 'PIL', 'tqdm', 'urllib.request', 'scipy'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "assert pixelgauge.LPIPS.__module__ == 'pixelgauge.perceptual.lpips'; "
        "assert pixelgauge.InceptionFeatures.__module__ == 'pixelgauge.perceptual.inception'; "
        "assert not {'onnxruntime', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.boundary
def test_unknown_attribute() -> None:
    import pixelgauge

    with pytest.raises(AttributeError, match="no attribute 'LPIP'"):
        _ = pixelgauge.LPIP


@pytest.mark.boundary
def test_what_a_provider_says_of_its_options_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CUDA's graphs, which a graph with operators of the CPU cannot have."""

    def start(*_: object) -> None:
        raise RuntimeError("This session cannot use the graph capture feature\nas requested")

    weights = model_store.from_files("lpips-alex", random_weights("alex", tmp_path))
    plan = choose_providers([(CPU, {"enable_cuda_graph": "1"})])
    monkeypatch.setattr(sessions, "start", start)
    message = (
        r"does not start lpips-alex with the options \{'enable_cuda_graph': '1'\}: This session cannot use the graph"
    )
    with pytest.raises(ProviderError, match=message):
        Session(weights, plan, ["distance"]).session(1)
