"""What is done to pixels before they are scored, and several presets in one run: against the programs' own definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.images.luma import luma
from pixelgauge.images.resizing import KERNELS, resized
from tests.engine.runs import comparing


def pictures(count, seed=0, shape=(40, 36, 3), dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (count, *shape), dtype=dtype)


def rgb2ycbcr(picture):
    """Y as MATLAB's documentation and basicsr's bgr2ycbcr(y_only=True) have it, of 8 bits."""
    return np.dot(picture / 255.0, [65.481, 128.553, 24.966]) + 16.0


# ---- luma ------------------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_luma_is_that_of_the_definition_and_of_scikit_image():
    from skimage.color import rgb2ycbcr as of_skimage

    picture = pictures(1)[0]
    found = luma(picture, 255, "bt601")
    np.testing.assert_allclose(found, rgb2ycbcr(picture), rtol=0, atol=2e-13)  # sums of four terms below 256
    np.testing.assert_allclose(found, of_skimage(picture)[..., 0], rtol=0, atol=2e-13)
    assert luma(picture, 255, "bt601-rounded").dtype == np.uint8
    assert np.array_equal(luma(picture, 255, "bt601-rounded"), np.floor(rgb2ycbcr(picture) + 0.5))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("colour", "y"),  # ITU-R BT.601 at 8 bits: black 16, white 235, and the saturated bars
    [((0, 0, 0), 16), ((255, 255, 255), 235), ((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41),
     ((255, 255, 0), 210), ((0, 255, 255), 170), ((255, 0, 255), 106), ((191, 191, 191), 180)],
)  # fmt: skip
def test_published_values_of_bars(colour, y):
    assert luma(np.full((1, 1, 3), colour, np.uint8), 255, "bt601-rounded").tolist() == [[y]]


@pytest.mark.property
def test_ranges_scale_luma():
    picture = pictures(1)[0]
    y = luma(picture, 255, "bt601")
    np.testing.assert_allclose(luma(picture / 255, 1.0, "bt601"), y / 255, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(luma(picture.astype(np.uint16) * 257, 65535, "bt601"), y * 257, rtol=1e-14)
    assert luma(pictures(1, dtype=np.uint16)[0], 65535, "bt601-rounded").dtype == np.uint16


@pytest.mark.oracle
def test_psnr_and_ssim_of_luma_with_a_border_are_those_of_the_papers():
    x, y = pictures(3, 1), pictures(3, 2)
    for row, a, b in zip(pixelgauge.compare(x, y, luma="bt601", crop_border=4), x, y, strict=True):
        ya, yb = (rgb2ycbcr(image[4:-4, 4:-4]) for image in (a, b))
        assert row.values["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean((ya - yb) ** 2)), rel=1e-13)
        assert row.values["ssim"] == pytest.approx(pixelgauge.ssim(ya, yb, data_range=255), rel=1e-13)
    rows = pixelgauge.compare(x / 255, y / 255, luma="bt601", data_range=1.0, metrics="mse")
    assert next(rows).values["mse"] == pytest.approx(np.mean((rgb2ycbcr(x[0]) - rgb2ycbcr(y[0])) ** 2) / 255**2)


@pytest.mark.property
def test_gray_images_have_no_other_luma():
    x, y = pictures(2, 1, (30, 30)), pictures(2, 2, (30, 30))
    plain, of_luma = (list(pixelgauge.compare(x, y, channel_axis=None, luma=kind)) for kind in (None, "bt601"))
    assert [row.values for row in plain] == [row.values for row in of_luma]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"luma": "bt709"}, "luma='bt709' is not known: use one of 'bt601', 'bt601-rounded'"),
        ({"luma": "bt601", "gray": True}, "--gray and --luma are two ways to one channel"),
        ({"luma": "bt601", "metrics": "lpips"}, "--luma: lpips is of colour images"),
        ({"resize": "cubic"}, "resize='cubic' is not known: use one of 'nearest', 'box'"),
        ({"metrics": "ssim:skimag"}, "metrics='ssim:skimag' names no preset"),
        ({"metrics": "mse:skimage"}, "metrics='mse:skimage' has a variant, and mse has none: use mse"),
        ({"metrics": ("ssim:piq", "ssim:piq")}, "each once"),
        ({"metrics": "ssim:piq", "preset": "skimage"}, "--preset: every ssim among the metrics names its own"),
        ({"metrics": "sim:piq"}, "metrics='sim:piq' is not known"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        pixelgauge.compare(pictures(1), pictures(1), **options)


# ---- resize ----------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("kernel", KERNELS)
def test_resizing_is_pillows(kernel):
    picture = pictures(1)[0]
    want = Image.fromarray(picture).resize((50, 20), Image.Resampling[kernel.upper()])
    assert np.array_equal(resized(picture, 20, 50, kernel), np.asarray(want))
    assert np.array_equal(resized(picture[..., 0], 20, 50, kernel), np.asarray(want)[..., 0])
    wide = pictures(1, dtype=np.uint16)[0]
    for channel in range(3):
        of_float = Image.fromarray(wide[..., channel].astype(np.float32))
        exact = np.asarray(of_float.resize((50, 20), Image.Resampling[kernel.upper()]))
        found = resized(wide, 20, 50, kernel)
        assert found.dtype == np.uint16
        assert np.array_equal(found[..., channel], np.clip(np.rint(exact), 0, 65535))
        assert np.array_equal(resized(wide.astype(np.float32), 20, 50, kernel)[..., channel], exact)


@pytest.mark.oracle
def test_unequal_sizes_are_scored_where_a_kernel_is_named_and_the_row_says_so():
    x, y = pictures(1)[0], pictures(1, 2, (20, 18, 3))[0]
    assert next(pixelgauge.compare(x, y)).status == "mismatch"
    row = next(pixelgauge.compare(x, y, resize="bicubic"))
    up = np.asarray(Image.fromarray(y).resize((36, 40), Image.Resampling.BICUBIC))
    assert row.status == "ok"
    assert row.message == "TEST was resized from 20 x 18 to 40 x 36, bicubic"
    assert row.values == {"psnr": pixelgauge.psnr(x, up), "ssim": pixelgauge.ssim(x, up)}
    assert next(pixelgauge.compare(x, x, resize="bicubic")).message == ""
    assert next(pixelgauge.compare(x, y[..., 0], resize="box")).status == "mismatch"


# ---- presets -----------------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_several_presets_in_one_run():
    x = pictures(2, 1, (190, 190, 3))
    y = (x + pictures(2, 2, (190, 190, 3)).astype(np.float64) / 4).clip(0, 255).astype(np.uint8)
    names = ("ssim:skimage", "ms-ssim", "ssim", "ssim:wang2004", "ms-ssim:pytorch-msssim")
    run = pixelgauge.compare(x, y, metrics=names, preset="piq")
    for row, a, b in zip(run, x, y, strict=True):
        assert row.values == {
            "ssim:skimage": pixelgauge.ssim(a, b, preset="skimage"),
            "ms-ssim": pixelgauge.ms_ssim(a, b),
            "ssim": pixelgauge.ssim(a, b, preset="piq"),
            "ssim:wang2004": pixelgauge.ssim(a, b),
            "ms-ssim:pytorch-msssim": pixelgauge.ms_ssim(a, b, preset="pytorch-msssim"),
        }
        assert tuple(row.values) == names
    assert tuple(run.summary.compute()) == names
    assert run.fingerprint["metrics"]["ssim:skimage"] == "skimage"


@pytest.mark.property
def test_settings_name_what_is_set():
    text = str(comparing(metrics=("ssim:skimage", "ssim"), luma="bt601", resize="box"))
    settings = "ssim:skimage ssim=wang2004 range=dtype alpha=error gray=0 crop=0 luma=bt601 resize=box"
    assert text == f"pixelgauge {pixelgauge.__version__} {settings}"


@pytest.mark.cli
def test_columns_of_presets_and_options_of_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, picture in (("x.png", pictures(1)[0]), ("y.png", pictures(1, 2, (20, 18, 3))[0])):
        Image.fromarray(picture).save(name)
    options = [
        "--metrics",
        "ssim:skimage,ssim:wang2004",
        "--resize",
        "lanczos",
        "--luma",
        "bt601",
        "--crop-border",
        "2",
    ]
    assert main(["compare", "x.png", "y.png", *options]) == 0
    head, line, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["pair", "ssim:skimage", "ssim:wang2004"]
    assert len(line.split(" TEST was")[0].rstrip()) == len(head)
    assert " TEST was resized from 20 x 18 to 40 x 36, lanczos" in line
    assert main(["compare", "x.png", "y.png", *options, "--output", "rows.csv"]) == 0
    capsys.readouterr()
    assert (tmp_path / "rows.csv").read_text().split(",")[4:6] == ["ssim:skimage", "ssim:wang2004"]
    assert main(["compare", "x.png", "y.png", *options, "--output", "rows.csv", "--resume", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["summary"]) == ["ssim:skimage", "ssim:wang2004"]


# ---- pooled PSNR -------------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_pooled_psnr_is_that_of_all_pixels_together(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = [pictures(1, i, shape)[0] for i, shape in enumerate([(40, 36, 3), (20, 50, 3), (30, 30, 3)])]
    y = [x[0] ^ 3, x[1] ^ 40, x[2]]
    joined = [np.concatenate([image.ravel() for image in side]).astype(np.float64) for side in (x, y)]
    want = 10 * np.log10(255**2 / np.mean((joined[0] - joined[1]) ** 2))
    run = pixelgauge.compare(x, y, metrics="psnr")
    list(run)
    assert run.summary.pooled_psnr == pytest.approx(want, rel=1e-14)
    parts = [pixelgauge.compare(x[i:j], y[i:j], metrics="psnr") for i, j in ((0, 1), (1, 3))]
    [list(part) for part in parts]
    merged = pixelgauge.Summary.from_bytes(parts[0].summary.to_bytes())
    assert merged.pooled_psnr == parts[0].summary.pooled_psnr
    merged.merge(parts[1].summary)
    assert merged.pooled_psnr == pytest.approx(want, rel=1e-14)

    for side, images in (("x", x), ("y", y)):
        (tmp_path / side).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / side / f"{i}.png")
    assert main(["compare", "x", "y", "--metrics", "psnr", "--psnr", "pooled", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["summary"]["psnr"]
    assert found["pooled"] == pytest.approx(want, rel=1e-14)
    assert main(["compare", "x", "y", "--psnr", "pooled"]) == 0
    assert f"psnr dB of all pixels together {want:.4f}".split() in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


@pytest.mark.boundary
def test_pooled_psnr_of_nothing_of_identical_images_and_of_rows_without_pixels(capsys):
    summary = pixelgauge.Summary({"psnr": True})
    assert summary.pooled_psnr is None
    x = pictures(2)
    run = pixelgauge.compare(x, x, metrics="psnr")
    list(run)
    assert run.summary.pooled_psnr == np.inf
    summary.update(pixelgauge.ScoreRow("a", "a", "ok", "", {"psnr": 30.0}))
    summary.merge(run.summary)
    assert summary.pooled_psnr is None
    assert main(["compare", "x", "y", "--psnr", "pooled", "--metrics", "ssim"]) == 2
    assert "--psnr pooled is for psnr" in capsys.readouterr().err
