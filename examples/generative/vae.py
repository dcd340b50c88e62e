"""A variational autoencoder, from its bound to its metrics.

    python examples/generative/vae.py [--quick] [--output DIR] [--seed N]

It learns digits, and is judged while it learns: the evidence lower bound in its two parts, reconstructions by PSNR and
SSIM, samples by the Fréchet distance, precision and recall. Then it is asked what it has never seen: a digit that was
left out of training, and defects on photographs. Every network is exported to ONNX, and what is scored is what the
files give: `autoencoder.py` and the functions from `pixel_histogram` to `defect_maps` do not need JAX.

D. P. Kingma, M. Welling: Auto-encoding variational Bayes, ICLR 2014.
"""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax

import digit_classifier
import digits
import figures
import layers
import onnx_export
import photographs
import pixelgauge
from autoencoder import LATENT, Autoencoder, log_likelihood
from digits import to_levels, to_units
from outcome import Outcome
from sample_scores import classified, digit_features, sample_scores

DIGITS = {"widths": (16, 32), "latent": LATENT}
PATCHES = {"widths": (16, 32, 64), "latent": 64}


# ---- the model ------------------------------------------------------------------------------------------------------


def encoder(ops, weights, x):
    """Mean and log variance (N, D) of the latent of images (N, H, W, C) on 0 to 1."""
    for layer in weights["down"]:
        x = ops.leaky_relu(ops.conv(x, layer, stride=2))
    flat = ops.reshape(x, weights["mean"]["kernel"].shape[0])
    return ops.dense(flat, weights["mean"]), ops.dense(flat, weights["log_variance"])


def decoder(ops, weights, z):
    """Logits of the pixels of images, and the pixels: their sigmoid."""
    channels = weights["up"][0]["kernel"].shape[2]
    side = int((weights["start"]["bias"].size // channels) ** 0.5)
    x = ops.reshape(ops.leaky_relu(ops.dense(z, weights["start"])), side, side, channels)
    for layer in weights["up"][:-1]:
        x = ops.leaky_relu(ops.conv_transpose(x, layer))
    logits = ops.conv_transpose(x, weights["up"][-1])
    return logits, ops.sigmoid(logits)


def initial(key, side, channels, widths, latent):
    """Weights before training, for images of side x side: each of the widths is one halving of it."""
    keys = iter(jax.random.split(key, 2 * len(widths) + 3))
    sizes = (channels, *widths)
    flat = (side >> len(widths)) ** 2 * widths[-1]
    # a quarter of a transposed convolution's taps meet in each pixel, hence a gain of 8; the last layer starts small
    gains = dict.fromkeys(pairwise(sizes[:0:-1]), 8.0) | {(widths[0], channels): 0.1}
    return {
        "down": [layers.conv_weights(next(keys), 4, *pair) for pair in pairwise(sizes)],
        "mean": layers.dense_weights(next(keys), flat, latent, gain=1.0),
        "log_variance": layers.dense_weights(next(keys), flat, latent, gain=0.01),
        "start": layers.dense_weights(next(keys), latent, flat),
        "up": [layers.conv_weights(next(keys), 4, *pair, gains[pair]) for pair in pairwise(sizes[::-1])],
    }


def bound(weights, x, key):
    """The two terms of the evidence lower bound, means over images, in nats: log p(x|z), and KL(q(z|x) || p(z))."""
    mean, log_variance = encoder(layers, weights, x)
    z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)  # the reparameterised sample
    logits, _ = decoder(layers, weights, z)
    log_likelihood = (x * logits - jax.nn.softplus(logits)).sum((1, 2, 3))
    divergence = 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(1)
    return log_likelihood.mean(), divergence.mean()


OPTIMIZER = optax.scale_by_adam()


@jax.jit
def step(weights, state, x, key, rate):
    """One step up the bound; returns weights, the optimizer's state, and the bound's terms before it."""

    def loss(weights):
        log_likelihood, divergence = bound(weights, x, key)
        return divergence - log_likelihood, (log_likelihood, divergence)

    slopes, terms = jax.grad(loss, has_aux=True)(weights)
    changes, state = OPTIMIZER.update(slopes, state)
    return jax.tree.map(lambda weight, change: weight - rate * change, weights, changes), state, terms


def train(images, widths, latent, epochs, seed, batch_size=50):
    """Yield after each epoch the weights, and the bound's two terms as they were along it."""
    weights = initial(jax.random.key(seed), images.shape[1], images.shape[3], widths, latent)
    state = OPTIMIZER.init(weights)
    x, rng, keys = to_units(images), np.random.default_rng(seed), jax.random.key(seed + 1)
    for epoch in range(epochs):
        rate = 2e-3 * np.cos(np.pi / 2 * epoch / epochs) ** 2
        order, along = rng.permutation(len(x)), []
        for at in range(0, len(x) - batch_size + 1, batch_size):
            keys, key = jax.random.split(keys)
            weights, state, terms = step(weights, state, x[order[at : at + batch_size]], key, rate)
            along.append(terms)
        yield weights, *np.mean(along, axis=0)


def export(outcome, name, weights, images):
    """Write the encoder and the decoder as ONNX files that give what JAX gives, and return them for a user."""
    encoder_path, decoder_path = outcome.path(f"{name}_encoder.onnx"), outcome.path(f"{name}_decoder.onnx")
    x = to_units(images[:50])
    posterior = jax.jit(partial(encoder, layers))(weights, x)
    z = np.asarray(posterior[0])
    onnx_export.export(encoder_path, encoder, weights, x.shape[1:], "mean", "log_variance")
    onnx_export.export(decoder_path, decoder, weights, z.shape[1:], "logits", "pixels")
    differences = (
        onnx_export.require_equal(encoder_path, posterior, x),
        onnx_export.require_equal(decoder_path, jax.jit(partial(decoder, layers))(weights, z), z),
    )
    return Autoencoder(encoder_path, decoder_path), max(differences)


# ---- scores: the files, onnxruntime and pixelgauge ------------------------------------------------------------------


def pixel_histogram(train, held_out):
    """Nats of held-out digits under the share of white of each pixel: what knows no shapes, as a baseline."""
    white = (to_units(train).sum(0, dtype=np.float64) + 0.5) / (len(train) + 1)
    return -log_likelihood(to_units(held_out), np.log(white / (1 - white)))


def similarity(images, others):
    """Means over pairs of MSE, PSNR, and SSIM with its three factors."""
    parts = pixelgauge.ssim(images, others, components=True)
    return {
        "mse": np.mean(pixelgauge.mse(images, others)),
        "psnr": np.mean(pixelgauge.psnr(images, others)),
        "ssim": np.mean(pixelgauge.ssim(images, others)),
        "ssim.luminance": np.mean(parts.luminance),
        "ssim.contrast": np.mean(parts.contrast),
        "ssim.structure": np.mean(parts.structure),
    }


def detection(anomalous, scores):
    """How well scores tell what is anomalous, and the figures of the threshold that calls 5 % of the rest so."""
    auroc = pixelgauge.roc_auc_interval(anomalous, scores)
    precision = pixelgauge.average_precision_interval(anomalous, scores)
    point = pixelgauge.operating_point(anomalous, scores, fpr=0.05)
    return {
        "auroc": auroc[:3],
        "average_precision": precision[:3],
        "threshold": point.threshold,
        "sensitivity": tuple(point.sensitivity),
        "specificity": tuple(point.specificity),
        "precision": tuple(point.precision),
        "accuracy": point.confusion.accuracy,
    }


def pixel_detection(masks, maps, seed):
    """How well maps of scores show where defects are; intervals over images, whose pixels depend on each other."""
    image = np.repeat(np.arange(len(masks)), masks[0].size)
    auroc = pixelgauge.roc_auc_interval(masks.ravel(), maps.ravel(), cluster=image)
    rng, resampled = np.random.default_rng(seed), []
    for _ in range(200):
        drawn = rng.integers(0, len(masks), len(masks))
        resampled.append(pixelgauge.aupro(masks[drawn], maps[drawn]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {
        "auroc": auroc[:3],
        "auroc_if_pixels_were_independent": pixelgauge.roc_auc_interval(masks.ravel(), maps.ravel())[:3],
        "aupro": (pixelgauge.aupro(masks, maps), low, high),
    }


def defect_maps(patches, reconstructed):
    """Two maps (N, H, W) of how far each pixel is from its reconstruction: the error, and one less the index SSIM."""
    difference = np.abs(patches.astype(np.float32) - reconstructed).mean(-1)
    _, index = pixelgauge.ssim(patches, reconstructed, full=True, border="reflect")
    return {"error": difference, "ssim": 1 - index.mean(-1)}


# ---- the three questions --------------------------------------------------------------------------------------------


LOOKS = (1, 2, 4, 8, 15, 30)
"""Epochs after which the model is exported and scored."""


def learn_digits(outcome, train_digits, held_out, features):
    """Train on all digits, score along the way, and return the final model."""
    epochs = 4 if outcome.quick else max(LOOKS)
    real = features(held_out.images, gray="repeat")
    along, scored, strips = [], [], []
    training = train(train_digits.images, **DIGITS, epochs=epochs, seed=outcome.seed)
    for epoch, (weights, likelihood, divergence) in enumerate(training, 1):
        along.append((likelihood - divergence, likelihood, divergence))
        if epoch in LOOKS:
            model, difference = export(outcome, "digits", weights, held_out.images)
            likelihoods, divergences = model.bound(held_out.images, outcome.seed)
            similar = similarity(held_out.images, model.reconstruct(held_out.images))
            samples = model.sample(1000, outcome.seed)
            frechet = pixelgauge.frechet_interval(real, features(samples, gray="repeat"))
            scored.append((epoch, np.mean(likelihoods - divergences), similar["psnr"], similar["ssim"], *frechet[:3]))
            strips.append(samples[:16])

    for name, values in zip(("bound", "log_likelihood", "kl"), np.transpose(along), strict=True):
        outcome.curve(f"train.{name}", values)
    names = ("epoch", "bound", "psnr", "ssim", "frechet", "frechet.low", "frechet.high")
    for name, values in zip(names, np.transpose(scored), strict=True):
        outcome.curve(f"along.{name}", values)
    outcome.add("onnx.difference", difference)
    figures.grid(outcome.path("samples_along.png"), np.concatenate(strips), 16)
    draw_training(outcome.path("training.png"), np.array(along), np.array(scored))
    return model


def judge_digits(outcome, model, train_digits, held_out, features):
    """Score the trained model by all metrics, and return its samples."""
    likelihoods, divergences = model.bound(held_out.images, outcome.seed)
    nats = divergences - likelihoods
    baseline = pixel_histogram(train_digits.images, held_out.images)
    pixels = held_out.images[0].size
    outcome.add("held_out.bound", -nats.mean())
    outcome.add("held_out.log_likelihood", likelihoods.mean())
    outcome.add("held_out.kl", divergences.mean())
    outcome.add("held_out.bits_per_dim", pixelgauge.bits_per_dim(nats.mean(), pixels))
    outcome.add("pixel_histogram.bits_per_dim", pixelgauge.bits_per_dim(baseline.mean(), pixels))

    reconstructed, samples = model.reconstruct(held_out.images), model.sample(1000, outcome.seed)
    outcome.add_all("reconstruction", similarity(held_out.images, reconstructed))
    real = features(held_out.images, gray="repeat")
    for name, images in (("training_digits", train_digits.images[:1000]), ("samples", samples)):
        outcome.add_all(name, sample_scores(real, features(images, gray="repeat")))
    figures.grid(outcome.path("samples.png"), samples[:80], 16)
    pairs = np.concatenate([held_out.images[:16], reconstructed[:16]])
    figures.grid(outcome.path("reconstructions.png"), pairs, 16)
    return samples


def reject_a_digit(outcome, train_digits, held_out, digit):
    """Train without one digit, and tell it from the others by the bound; returns labels and scores."""
    epochs = 3 if outcome.quick else 12
    *_, (weights, _, _) = train(train_digits.without(digit).images, **DIGITS, epochs=epochs, seed=outcome.seed)
    model, _ = export(outcome, f"without_{digit}", weights, held_out.images)
    likelihoods, divergences = model.bound(held_out.images, outcome.seed)
    anomalous, scores = held_out.labels == digit, divergences - likelihoods
    outcome.add_all(f"left_out.{digit}", detection(anomalous, scores))
    return anomalous, scores


def find_defects(outcome):
    """Train on photographs' patches, reconstruct others by all metrics, and look for defects on them by pixel."""
    epochs = 2 if outcome.quick else 36
    patches = photographs.training_patches(500, outcome.seed)
    *_, (weights, _, _) = train(patches, **PATCHES, epochs=epochs, seed=outcome.seed)
    sound = photographs.held_out_patches()
    model, _ = export(outcome, "patches", weights, sound)
    reconstructed = model.reconstruct(sound)
    outcome.add_all("patches", similarity(sound, reconstructed))
    whole = [photographs.put_together(images) for images in (sound, reconstructed)]
    outcome.add("patches.ms_ssim", np.mean(pixelgauge.ms_ssim(*whole)))
    try:
        outcome.add("patches.lpips", np.mean(pixelgauge.LPIPS("alex")(sound, reconstructed)))
    except pixelgauge.ModelMissingError:
        print("patches.lpips is not scored: its weights are not there (pixelgauge models pull lpips-alex)")

    planted, masks = photographs.with_defects(sound, seed=0)
    reconstructed = model.reconstruct(planted)
    maps = defect_maps(planted, reconstructed)
    for name, found in maps.items():
        outcome.add_all(f"defects.{name}", pixel_detection(masks, found, outcome.seed))
    draw_defects(outcome.path("defects.png"), planted, reconstructed, maps, masks)


# ---- pictures -------------------------------------------------------------------------------------------------------


def draw_training(path, along, scored):
    """The bound and its two terms; reconstructions; samples."""
    figure, (bound_axes, similar_axes, frechet_axes) = figures.panels(3)
    epochs = np.arange(1, len(along) + 1)
    for values, label in zip(along.T, ("bound", "log p(x|z)", "KL"), strict=True):
        figures.curve(bound_axes, epochs, values, label)
    bound_axes.set(xlabel="epoch", ylabel="nats per digit, training", title="the bound and its terms")
    bound_axes.legend()
    epoch, _, psnr, ssim, frechet, low, high = scored.T
    figures.curve(similar_axes, epoch, ssim, "SSIM")
    figures.curve(similar_axes, epoch, psnr / 40, "PSNR / 40 dB")
    similar_axes.set(xlabel="epoch", ylim=(0, 1), title="reconstructions, held out")
    similar_axes.legend()
    figures.curve(frechet_axes, epoch, frechet, None, low, high)
    frechet_axes.set(xlabel="epoch", ylim=0, title="Fréchet distance of samples")
    figures.save(path, figure)


def draw_detection(path, found):
    """ROC and precision-recall curves of left-out digits, with the operating points."""
    figure, (roc_axes, precision_axes) = figures.panels(2, width=3.8, height=3.6)
    for digit, (anomalous, scores) in found.items():
        point = pixelgauge.operating_point(anomalous, scores, fpr=0.05)
        display = pixelgauge.RocCurveDisplay.from_predictions(anomalous, scores, name=f"digit {digit} unseen")
        display.plot(roc_axes, plot_chance_level=True, chance_level_kw={"label": None})
        precision, recall, _ = pixelgauge.precision_recall_curve(anomalous, scores)
        (line,) = precision_axes.plot(recall, precision, label=f"digit {digit} unseen")
        at = {"color": line.get_color(), "marker": "o"}
        roc_axes.plot(1 - point.specificity.proportion, point.sensitivity.proportion, **at)
        precision_axes.plot(point.sensitivity.proportion, point.precision.proportion, **at)
    precision_axes.axhline(np.mean(anomalous), color="0.7", linestyle="--", linewidth=1)
    precision_axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02), title="precision and recall")
    roc_axes.set(title="ROC")
    roc_axes.legend(loc="center", fontsize=8)
    precision_axes.legend()
    figures.save(path, figure)


def draw_defects(path, planted, reconstructed, maps, masks, count=8):
    """Patches, reconstructions, both maps and the truth, below each other."""
    shown = np.flatnonzero(masks.any((1, 2)))[:: max(1, np.count_nonzero(masks.any((1, 2))) // count)][:count]

    def gray(values):  # the highest hundredth of all is white
        return to_levels((values[shown] / np.quantile(values, 0.99))[..., np.newaxis]).repeat(3, -1)

    rows = [planted[shown], reconstructed[shown], *map(gray, maps.values()), gray(masks.astype(float))]
    figures.grid(path, np.concatenate(rows), len(shown), zoom=1)


def main():
    """Ask the three questions."""
    outcome = Outcome("vae", __doc__)
    train_digits, held_out = digits.load()
    if outcome.quick:
        train_digits = train_digits.first(2000)
    classifier = outcome.path("classifier.onnx")
    digit_classifier.export(classifier, digit_classifier.train(train_digits, seed=outcome.seed), held_out)
    outcome.add("classifier.accuracy", np.mean(classified(classifier, held_out.images) == held_out.labels))

    features = digit_features(classifier)
    model = learn_digits(outcome, train_digits, held_out, features)
    samples = judge_digits(outcome, model, train_digits, held_out, features)
    left_out = (2,) if outcome.quick else (2, 1)
    found = {digit: reject_a_digit(outcome, train_digits, held_out, digit) for digit in left_out}
    draw_detection(outcome.path("left_out.png"), found)
    find_defects(outcome)
    outcome.save(samples)


if __name__ == "__main__":
    main()
