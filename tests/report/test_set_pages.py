"""``distance --report``: what the page shows of images, features and statistics, and what it says it cannot show."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.frechet_interval import frechet_interval
from pixelgauge.engine.extraction import Inception
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.report.nearest import nearest_real
from pixelgauge.report.principal import principal_plane
from tests.engine.stand_in import Small, pictures, run
from tests.report.test_ranking_pages import Page, require_self_contained

HOSTILE = "<b onclick=x>'\"&\u202eשלום.png"


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders real/ of 30 images and fake/ of 25, one of which is a copy, and a network in Inception's place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Inception, "network", property(lambda self: Small(self, list(self.outputs))))
    for name, count, seed in (("real", 30, 1), ("fake", 24, 2)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures(count, seed)):
            Image.fromarray(picture).save(tmp_path / name / (f"{i:03}.png" if i else HOSTILE))
    shutil.copy(tmp_path / "real" / "005.png", tmp_path / "fake" / "copy.png")
    return tmp_path


@pytest.mark.cli
def test_images_have_every_section(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = ("--metrics", "fid,kid,prdc,is,sfid", "--kid-subset-size", "10", "--splits", "2", "--explain")
    code, out, err = run(capsys, "distance", "real", "fake", *metrics, "--report", "r.html")
    assert (code, err) == (0, "")
    page = Page(sets / "r.html")
    require_self_contained(page)
    assert page.sections == ["figures", "presets", "samples", "neighbours", "map", "made-with"]
    fid = float(re.search(r"fid +(\S+)", out)[1])  # type: ignore[index]
    assert f"FID {fid:.5g}" in page.text
    assert "an interval of the distance takes at least 100" in page.text  # of 10 features
    assert "1 has the very features of a real one: copies." in page.text
    assert sum(tag == "img" for tag, _ in page.elements) == 24 + 24 + 8 * 5
    assert "\u2068" not in "".join(str(attrs.get("alt")) for _, attrs in page.elements)


@pytest.mark.cli
def test_statistics_say_what_they_cannot_show(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = np.random.default_rng(0).normal(size=(400, 10))
    FeatureStats(10).update(features).save("stats.npz")
    np.save("features.npy", features[:200] + 0.1)
    code, _, err = run(capsys, "distance", "stats.npz", "features.npy", "--report", "r.html")
    assert (code, err) == (0, "")
    page = Page(sets / "r.html")
    require_self_contained(page)
    assert page.sections == ["figures", "not-shown", "made-with"]
    assert "A holds statistics, a mean and a covariance" in page.text
    assert "B holds features: its pictures are not in the file" in page.text
    interval = frechet_interval(features[:200] + 0.1, FeatureStats.load("stats.npz"))
    assert f"{interval.high:.4g}]" in page.text
    assert "95% interval of the distance of B's population from the very statistics of A, taken as fixed" in page.text
    assert "distance of the populations" not in page.text


@pytest.mark.cli
def test_two_statistics_say_why_there_is_no_interval(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a.npz", 0), ("b.npz", 1)):
        FeatureStats(10).update(np.random.default_rng(seed).normal(size=(400, 10))).save(name)
    assert run(capsys, "distance", "a.npz", "b.npz", "--report", "r.html")[0] == 0
    page = Page(sets / "r.html")
    assert "no interval: A and B hold statistics alone, and it takes the features of one side's samples" in page.text
    assert "sampling error" not in page.text


@pytest.mark.cli
def test_features_have_neighbours_and_a_map_without_pictures(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 60, 10))
    np.save("a.npy", a)
    np.save("b.npy", b)
    code, _, err = run(capsys, "distance", "a.npy", "b.npy", "--metrics", "fid,is", "--report", "r.html")
    assert code == 1
    assert "is needs Inception's output" in err
    page = Page(sets / "r.html")
    assert page.sections == ["figures", "neighbours", "map", "not-shown", "made-with"]
    assert "is needs Inception's output" in page.text
    nearest = nearest_real(a, b, 0)
    assert f", at {nearest.distances[nearest.examples(0)[0][0], 0]:.4g}" in page.text
    closer = int((nearest.distances[:, 0] < nearest.among_real.min()).sum())
    assert f"two real samples is {nearest.among_real.min():.4g}, of 60 that were asked; {closer} of 60" in page.text
    made_with = page.text[page.text.rindex("preset") - 300 :]
    assert "presetnot known" in made_with  # a file of features does not say its preset
    assert "samples of A60" in made_with
    assert "frechet rank of B10" in made_with


@pytest.mark.boundary
def test_a_page_that_cannot_be_written_is_refused_before_the_work(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sets / "r.html").write_text("kept")
    code, out, err = run(capsys, "distance", "real", "fake", "--report", "r.html")
    assert (code, out) == (2, "")
    assert "r.html: exists and is no report of pixelgauge" in err
    assert (sets / "r.html").read_text() == "kept"
    for _ in range(2):  # a report is replaced by another
        assert run(capsys, "distance", "real", "fake", "--report", "s.html")[0] == 0
    assert (sets / "s.html").read_text().startswith("<!doctype html>")


@pytest.mark.cli
def test_figures_are_not_lost_with_an_image_that_went_away(
    sets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FeatureSource.pixels

    def gone(source: FeatureSource, numbers: list[int]) -> Any:
        (sets / "fake" / "003.png").unlink(missing_ok=True)
        return whole(source, numbers)

    monkeypatch.setattr(FeatureSource, "pixels", gone)
    code, out, err = run(capsys, "distance", "real", "fake", "--report", "r.html")
    assert code == 2
    assert out.startswith("fid ")
    assert "003.png" in err
    assert not (sets / "r.html").exists()


@pytest.mark.cli
def test_the_page_changes_no_figure(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = run(capsys, "distance", "real", "fake", "--json")[1]
    with_page = run(capsys, "distance", "real", "fake", "--json", "--report", "r.html")[1]
    assert with_page == plain


@pytest.mark.property
def test_pictures_of_a_source_are_those_it_holds(sets: Path) -> None:
    images = [np.asarray(Image.open(sets / "real" / f"{i:03}.png")) for i in (3, 7)]
    assert all(map(np.array_equal, FeatureSource("real", "A").pixels([2, 6]), images))
    floats = np.stack([picture / 255 for picture in pictures(5, 3, (9, 8))]).astype(np.float32)
    found = list(FeatureSource(floats, "A", data_range=1.0).pixels([4, 0]))
    assert [x.dtype for x in found] == [np.uint8, np.uint8]
    assert np.array_equal(found[1], np.rint(floats[0] * 255).astype(np.uint8))


@pytest.mark.oracle
def test_neighbours_are_those_of_all_distances() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(700, 5)).astype(np.float32), random.normal(size=(40, 5)).astype(np.float32)
    fake[3] = real[11]
    found = nearest_real(real, fake, 0)
    distances = np.linalg.norm(fake[:, None].astype(float) - real[None].astype(float), axis=2)
    assert np.array_equal(found.places, np.argsort(distances, axis=1, kind="stable")[:, :4])
    assert np.allclose(found.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-12)
    assert found.distances[3, 0] == 0
    own = np.linalg.norm(real[:, None].astype(float) - real[None].astype(float), axis=2)
    np.fill_diagonal(own, np.inf)
    assert np.allclose(found.among_real, own.min(axis=1), rtol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(60, 5), (20, 90)])
def test_the_plane_is_that_of_the_singular_vectors(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    a, b = (random.normal(size=shape) * np.linspace(3, 1, shape[1]) + shift for shift in (0, 1))
    plane = principal_plane(a, b, 0)
    both = np.concatenate([a, b])
    _, values, vectors = np.linalg.svd((both - (a.mean(0) + b.mean(0)) / 2) / np.sqrt(len(a)), full_matrices=False)
    expected = (a - (a.mean(0) + b.mean(0)) / 2) @ vectors[:2].T
    assert np.allclose(np.abs(plane.a), np.abs(expected))
    assert np.allclose(plane.shares, values[:2] ** 2 / (values**2).sum())


@pytest.mark.boundary
@pytest.mark.parametrize("value", [np.zeros((4, 3)), np.ones((3, 1)), np.full((5, 2), 1e60)])
def test_features_without_spread_have_a_plane(value: Any) -> None:
    plane = principal_plane(value, value, 0)
    assert np.isfinite(plane.a).all()
    assert plane.a.shape == (len(value), 2)
