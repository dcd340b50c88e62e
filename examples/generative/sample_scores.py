"""How samples of a model are judged, through pixelgauge and onnxruntime alone: as a user without JAX would."""

import numpy as np

import pixelgauge


def digit_features(path):
    """The classifier's features of images: `features(images, gray="repeat")` is (N, 16)."""
    return pixelgauge.OnnxFeatures(path, output="features", layout="nhwc", mean=0, std=1, batch_size=50)


def classified(path, images):
    """Digits that the classifier sees in images (N, 28, 28, 1)."""
    logits = pixelgauge.OnnxFeatures(path, output="logits", layout="nhwc", mean=0, std=1, batch_size=50)
    return np.argmax(logits(images, gray="repeat"), axis=1)


def told_apart(these, others):
    """AUROC and its interval of scores that should be higher of these: 1/2 where they tell nothing."""
    is_one_of_these = np.repeat([1, 0], [len(these), len(others)])
    return pixelgauge.roc_auc_interval(is_one_of_these, np.concatenate([these, others]))[:3]


def density_coverage(real, samples):
    """Density and coverage, each with its interval; both 0, and without one, where no sample is near any real image.

    So it can be before training. Nothing tells then how far they are from the next, and pixelgauge gives no interval.
    """
    if pixelgauge.density_coverage(real, samples).density == 0:
        return (0.0, np.nan, np.nan), (0.0, np.nan, np.nan)
    return pixelgauge.density_coverage_interval(real, samples)


def sample_scores(real, samples):
    """Distances, precision, recall, density and coverage of two sets of features, each with its 95 % interval.

    A dictionary {name: (value, low, high)}.
    """
    frechet = pixelgauge.frechet_interval(real, samples)
    kernel = pixelgauge.kernel_distance_interval(real, samples)
    precision, recall = pixelgauge.precision_recall_interval(real, samples)
    density, coverage = density_coverage(real, samples)
    return {
        "frechet": (frechet.distance, frechet.low, frechet.high),
        "kernel_distance": (kernel.distance, kernel.low, kernel.high),
        "precision": tuple(precision),
        "recall": tuple(recall),
        "density": tuple(density),
        "coverage": tuple(coverage),
    }
