"""The three models side by side, and what each metric forgives.

    python examples/generative/compare_models.py [--output DIR]

reads what `vae.py`, `gan.py` and `autoregressive.py` left in the folders beside DIR (default
`generative/compare_models`), and needs no JAX. Three tables: samples of the models, and of two that only copy; digits
that were changed, by SSIM and by the Fréchet distance; images that are no digits, by the VAE's bound.
"""

import json
import sys

import numpy as np

import digits
import figures
import pixelgauge
from autoencoder import Autoencoder
from outcome import Outcome
from sample_scores import classified, digit_features, sample_scores, told_apart

MODELS = ("vae", "gan", "autoregressive")


def squared_distances(images, others):
    """Sums over pixels (N, M), in squared levels: whole numbers, which float64 holds exactly."""
    x, y = (some.reshape(len(some), -1).astype(np.float64) for some in (images, others))
    return (x**2).sum(1)[:, np.newaxis] - 2 * x @ y.T + (y**2).sum(1)


def nearest_distances(images, learnt):
    """Root mean square distance of each image from the nearest of some others, in levels."""
    return np.sqrt(squared_distances(images, learnt).min(1) / images[0].size)


def shifted(images, columns):
    """Images moved to the right."""
    return np.roll(images, columns, axis=2)  # the digits' margins are empty


def blurred(images, sigma):
    """Images under a Gaussian."""
    taps = np.exp(-0.5 * (np.arange(-6, 7) / sigma) ** 2)
    found = images.astype(np.float64)
    for axis in (1, 2):
        found = np.apply_along_axis(np.convolve, axis, found, taps / taps.sum(), mode="same")
    return digits.to_levels(found / 255)


def noisy(images, sigma, rng):
    """Images with normal noise, in levels."""
    return digits.to_levels((images + rng.normal(0, sigma, images.shape)) / 255)


def two_levels(images):
    """Images in black and white."""
    return np.where(images > 127, 255, 0).astype(np.uint8)


def nearest_of_label(held_out, learnt):
    """For each digit the nearest training digit of the same label: sharp, and another."""
    found = np.empty_like(held_out.images)
    for label in range(10):
        these, those = held_out.only(label).images, learnt.only(label).images
        found[held_out.labels == label] = those[np.argmin(squared_distances(these, those), axis=1)]
    return found


def judge_samples(outcome, sets, learnt, held_out, features):
    """Score sets of samples by features, and by how near to a training digit they are; returns all by name."""
    real, usual = features(held_out.images, gray="repeat"), nearest_distances(held_out.images, learnt.images)
    scores = {}
    for name, samples in sets.items():
        near = nearest_distances(samples, learnt.images)
        found = sample_scores(real, features(samples, gray="repeat"))
        # 0.5: as far from the training digits as held-out ones are; 1: every sample is nearer than any of those
        found["copied"] = told_apart(-near, -usual)
        outcome.add_all(f"samples.{name}", found)
        scores[name] = found
    return scores


def judge_changes(outcome, changes, held_out, features, classifier):
    """Score changed digits against what they were, one by one and as a set."""
    real = features(held_out.images, gray="repeat")
    for name, images in changes.items():
        found = {
            "ssim": np.mean(pixelgauge.ssim(held_out.images, images)),
            "psnr": np.mean(pixelgauge.psnr(held_out.images, images)),
            "frechet": pixelgauge.frechet_interval(real, features(images, gray="repeat"))[:3],
            "recognised": np.mean(classified(classifier, images) == held_out.labels),
        }
        outcome.add_all(f"changed.{name}", found)


def judge_likelihood(outcome, model, others, held_out):
    """Nats that the VAE asks for images of all kinds, and how well that tells them from held-out digits."""

    def nats(images):
        likelihoods, divergences = model.bound(images, outcome.seed)
        return divergences - likelihoods

    usual = nats(held_out.images)
    outcome.add("likelihood.held_out.bits_per_dim", pixelgauge.bits_per_dim(usual.mean(), held_out.images[0].size))
    for name, images in others.items():
        found = nats(images)
        outcome.add(f"likelihood.{name}.bits_per_dim", pixelgauge.bits_per_dim(found.mean(), images[0].size))
        outcome.add(f"likelihood.{name}.auroc", told_apart(found, usual))


def draw(path, scores):
    """A panel a metric, a line a set of samples."""
    titles = {
        "frechet": "Fréchet distance",
        "precision": "precision",
        "recall": "recall",
        "coverage": "coverage",
        "copied": "copied (AUROC)",
    }
    figure, panels = figures.panels(len(titles), width=2.9, height=2.4)
    names = list(scores)[::-1]
    for place, (axes, (metric, title)) in enumerate(zip(panels, titles.items(), strict=True)):
        values = np.array([scores[name][metric] for name in names])
        axes.hlines(range(len(names)), values[:, 1], values[:, 2])
        axes.plot(values[:, 0], range(len(names)), "o", markersize=4)  # beside its interval where it has a bias
        axes.set(title=title, yticks=range(len(names)), yticklabels=[] if place % figures.IN_A_ROW else names)
        axes.set_xlim(left=0)
    figures.save(path, figure)


def read(folder):
    """Samples and figures of each model, or what to run."""
    missing = [name for name in MODELS if not (folder / name / "figures.json").exists()]
    if missing:
        commands = "\n".join(f"  python examples/generative/{name}.py --output {folder / name}" for name in missing)
        sys.exit(f"{folder} holds nothing of {', '.join(missing)} yet:\n{commands}")
    return (
        {name: np.load(folder / name / "samples.npy") for name in MODELS},
        {name: json.loads((folder / name / "figures.json").read_text(encoding="utf-8")) for name in MODELS},
    )


def main():
    """Make the three tables and the figure."""
    outcome = Outcome("compare_models", __doc__, trains=False)
    folder = outcome.folder.parent
    samples, known = read(folder)
    learnt, held_out = digits.load()
    rng = np.random.default_rng(outcome.seed)
    classifier = folder / "vae" / "classifier.onnx"
    features = digit_features(classifier)
    model = Autoencoder(folder / "vae" / "digits_encoder.onnx", folder / "vae" / "digits_decoder.onnx")

    for name, figure in (
        ("vae", "held_out.bits_per_dim"),
        ("vae", "pixel_histogram.bits_per_dim"),
        ("gan", "final.value"),
        ("autoregressive", "bits_held_out"),
        ("autoregressive", "baseline_bits"),
    ):
        outcome.add(f"{name}.{figure}", known[name][figure])

    copies = learnt.images[:1000]
    sets = samples | {"training digits": copies, "fifty of them": np.tile(copies[:50], (20, 1, 1, 1))}
    scores = judge_samples(outcome, sets, learnt, held_out, features)
    draw(outcome.path("samples.png"), scores)
    figures.grid(outcome.path("samples_grid.png"), np.concatenate([some[:20] for some in sets.values()]), 20)

    changes = {
        "vae_reconstruction": model.reconstruct(held_out.images),
        "blurred": blurred(held_out.images, 1.0),
        "noisy": noisy(held_out.images, 40, rng),
        "shifted_1": shifted(held_out.images, 1),
        "shifted_2": shifted(held_out.images, 2),
        "another_of_its_kind": nearest_of_label(held_out, learnt),
    }
    judge_changes(outcome, changes, held_out, features, classifier)
    rows = [held_out.images[:20], *(images[:20] for images in changes.values())]
    figures.grid(outcome.path("changed.png"), np.concatenate(rows), 20)

    others = {
        "blurred": changes["blurred"],
        "noisy": changes["noisy"],
        "blank": np.zeros_like(held_out.images[:50]),
        "upside_down": held_out.images[:, ::-1],
        "own_samples": samples["vae"],
        "own_samples_in_two_levels": two_levels(samples["vae"]),
        "digits_in_two_levels": two_levels(held_out.images),
    }
    judge_likelihood(outcome, model, others, held_out)
    # Theis et al. 2016: noise in 99 samples of 100 costs a likelihood no more than log 100 nats
    outcome.add("likelihood.of_99_percent_noise_costs_at_most", pixelgauge.bits_per_dim(np.log(100), copies[0].size))
    outcome.save()


if __name__ == "__main__":
    main()
