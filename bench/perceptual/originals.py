"""The programs in PyTorch that LPIPS and Inception's features are from, with the same weights, on the device that ours takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call
from bench.networks.weights import drawn
from bench.programs import program, torch_on_our_device, torch_program


def loaded_lpips(net: str) -> Any:
    """The lpips package's network with the drawn weights."""
    lpips = torch_program("lpips")
    torch, device = torch_on_our_device()
    with contextlib.redirect_stdout(io.StringIO()):
        network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    roles, state = drawn(f"lpips-{net}"), network.state_dict()
    for key in state:
        if key.startswith("net.slice"):  # net.slice1.3.weight is features.3.weight
            state[key] = torch.from_numpy(roles["backbone"]["features." + key.split(".", 2)[2]])
        elif key.startswith("lin") and not key.startswith("lins"):
            state[key] = torch.from_numpy(roles["heads"][key])
        elif key.startswith("lins."):
            state[key] = torch.from_numpy(roles["heads"][f"lin{key.split('.')[1]}.model.1.weight"])
    network.load_state_dict(state)
    return network.to(device)


def lpips(net: str, draw: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Callable[[], Call]:
    """Prepare it; its input is made of the pixels beforehand, and is on its way to the device in the call."""

    def prepare() -> Call:
        network = loaded_lpips(net)
        torch, device = torch_on_our_device()
        x, y = (
            torch.from_numpy(
                np.moveaxis(np.atleast_3d(image), -1, -3).reshape(-1, 3, *image.shape[-3:-1]) / np.float32(127.5) - 1
            )
            for image in draw()
        )

        def call() -> np.ndarray:
            with torch.inference_mode():
                distances: np.ndarray = network(x.to(device), y.to(device)).cpu().numpy().ravel()
                return distances

        return call

    return prepare


def loaded_inception() -> Any:
    """pytorch-fid's network with the drawn weights."""
    inception = torch_program("pytorch_fid.inception")
    torch, device = torch_on_our_device()
    state = {name: torch.from_numpy(value) for name, value in drawn("inception-fid")["backbone"].items()}
    norms = [name.removesuffix(".weight") for name in state if name.endswith("bn.weight")]
    counts = {f"{norm}.num_batches_tracked": torch.tensor(0) for norm in norms}
    inception.load_state_dict_from_url = lambda *_, **__: {**state, **counts}
    return inception.InceptionV3().eval().to(device)


def inception(draw: Callable[[], np.ndarray], *, channels_last: bool) -> Callable[[], Call]:
    """Prepare the network alone: tensors in, features out, resizing included."""

    def prepare() -> Call:
        network = loaded_inception()
        torch, device = torch_on_our_device()
        images = torch.from_numpy(draw().transpose(0, 3, 1, 2).astype(np.float32) / 255)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images = images.contiguous(memory_format=layout)

        def call() -> np.ndarray:
            with torch.inference_mode():
                features: np.ndarray = network(images.to(device))[0].cpu().numpy().reshape(len(images), -1)
                return features

        return call

    return prepare


def pytorch_fid(write: Callable[[Path], Sequence[str]], folder: Path, workers: int) -> Call:
    """The program as it is run, with its own batch size and workers: files in, features out."""
    activations = torch_program("pytorch_fid.fid_score").get_activations
    program("torch")
    network = loaded_inception()
    _, device = torch_on_our_device()
    files = list(write(folder))

    def call() -> Any:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            return activations(files, network, batch_size=50, dims=2048, device=device, num_workers=workers)

    return call
