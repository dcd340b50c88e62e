"""An autoregressive model of digits: likelihood in bits per dimension, samples, completions, and outliers it likes.

    p(x) = prod p(x_i | x_<i),

pixel by pixel in reading order, each a choice among eight levels of gray. A convolution whose kernel is masked sees
only what comes before a pixel (van den Oord et al. 2016). Every score is on held-out digits, through the exported
network and onnxruntime.
"""

import zlib
from functools import partial

import jax
import numpy as np
import onnxruntime
import optax

import digit_classifier
import digits
import figures
import layers
import onnx_export
import pixelgauge
from outcome import Outcome
from sample_scores import classified, digit_features, sample_scores, told_apart

LEVELS, SIDE, PIXELS = 8, 28, 28 * 28
REACH = 10
"""A pixel's distribution depends on the 10 rows above it and the 10 columns to each side: 220 pixels."""
CHANNELS = 96

MASK = np.ones((REACH + 1, 2 * REACH + 1, 1, 1), np.float32)
MASK[REACH, REACH:] = 0  # in its own row a pixel sees those to its left alone


# ---- the network ----------------------------------------------------------------------------------------------------


def network(ops, weights, x, place):
    """Logits (N, H, W, LEVELS) of pixels, from `surrounded` ones (N, H + REACH, W + 2 REACH, 1) and their places."""
    context = {"kernel": weights["context"]["kernel"] * MASK, "bias": weights["context"]["bias"]}
    seen = ops.add(ops.conv(x, context, padding="VALID"), ops.dense(place, weights["place"]))
    hidden = ops.relu(seen)
    for name in ("residual1", "residual2"):
        hidden = ops.add(hidden, ops.relu(ops.dense(hidden, weights[name])))
    return ops.dense(hidden, weights["logits"])


def initial(key):
    """Weights before training."""
    keys = jax.random.split(key, 5)
    context = layers.conv_weights(keys[0], 1, 1, CHANNELS)
    context["kernel"] = jax.random.normal(keys[0], (*MASK.shape[:3], CHANNELS)) * (2 / MASK.sum()) ** 0.5
    return {
        "context": context,
        "place": layers.dense_weights(keys[1], 5, CHANNELS),
        "residual1": layers.dense_weights(keys[2], CHANNELS, CHANNELS),
        "residual2": layers.dense_weights(keys[3], CHANNELS, CHANNELS),
        "logits": layers.dense_weights(keys[4], CHANNELS, LEVELS, gain=1.0),
    }


def to_eight(images):
    """8-bit images (N, 28, 28, 1) as levels 0 to 7, integers (N, 28, 28)."""
    return (images[..., 0] // (256 // LEVELS)).astype(np.int32)


def to_images(levels):
    """Levels 0 to 7 as 8-bit images (N, 28, 28, 1)."""
    return digits.to_levels(levels[..., None] / (LEVELS - 1))


def surrounded(levels):
    """Input of the network: levels on 0 to 1, in a frame of nothing on the left, on the right and above."""
    framed = np.pad(levels, ((0, 0), (REACH, 0), (REACH, REACH)))
    return (framed[..., None] / np.float32(LEVELS - 1)).astype(np.float32)


def places(count):
    """Where each pixel is, (count, 28, 28, 5): row and column on -1 to 1, their squares and their product."""
    row, column = np.meshgrid(*[np.linspace(-1, 1, SIDE, dtype=np.float32)] * 2, indexing="ij")
    return np.broadcast_to(np.stack([row, column, row**2, column**2, row * column], -1), (count, SIDE, SIDE, 5))


def loss(weights, x, place, levels):
    """Mean negative log-likelihood of a pixel, in nats."""
    logits = network(layers, weights, x, place)
    return optax.softmax_cross_entropy_with_integer_labels(logits, levels).mean()


def train(levels, epochs, seed, batch_size=32):
    """Yield (epoch, weights) before training and after each epoch."""
    rng, weights = np.random.default_rng(seed), initial(jax.random.key(seed))
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, epochs * (len(levels) // batch_size)))
    state, place = optimizer.init(weights), places(batch_size)

    @jax.jit
    def step(weights, state, x, levels):
        changes, state = optimizer.update(jax.grad(loss)(weights, x, place, levels), state)
        return optax.apply_updates(weights, changes), state

    yield 0, weights
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(levels))
        for at in range(0, len(levels) - batch_size + 1, batch_size):
            batch = levels[order[at : at + batch_size]]
            weights, state = step(weights, state, surrounded(batch), batch)
        yield epoch, weights


def export(path, weights, levels):
    """Write the network for pictures of any size, which one pixel's surroundings are too; its difference from JAX."""
    graph = onnx_export.Graph()
    x, place = graph.input("x", "framed_height", "framed_width", 1), graph.input("place", "height", "width", 5)
    graph.save(path, logits=network(graph, weights, x, place))
    inputs = surrounded(levels), places(len(levels))
    return onnx_export.require_equal(path, jax.jit(partial(network, layers))(weights, *inputs), *inputs)


# ---- likelihood, samples and completions: onnxruntime and pixelgauge alone ------------------------------------------


def bits(path, levels):
    """Bits per dimension of each image (N,)."""
    (logits,) = onnx_export.run(path, surrounded(levels), places(len(levels)), batch_size=50)
    chosen = np.take_along_axis(logits, levels[..., None], -1)[..., 0]
    nll = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1) - chosen
    return pixelgauge.bits_per_dim(nll.sum((1, 2), dtype=np.float64), PIXELS)


def baseline_bits(training, levels):
    """Bits per dimension of each image if every pixel had the training digits' histogram there, one count added."""
    counts = np.stack([(training == level).sum(0) for level in range(LEVELS)], -1) + 1.0
    costs = -np.log(counts / counts.sum(-1, keepdims=True))
    chosen = np.take_along_axis(costs[None], levels[..., None], -1)[..., 0]
    return pixelgauge.bits_per_dim(chosen.sum((1, 2)), PIXELS)


def draw(path, start, row, rng):
    """Levels of images (N, 28, 28) of which the rows from `row` on are drawn, pixel by pixel.

    Of each image the network is given only what surrounds the pixel that is next.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    framed, place = surrounded(start), places(len(start))
    for i, j in np.ndindex(SIDE - row, SIDE):
        i += row
        around = framed[:, i : i + REACH + 1, j : j + 2 * REACH + 1]
        (logits,) = session.run(None, {"x": around, "place": place[:, i : i + 1, j : j + 1]})
        noise = rng.gumbel(size=(len(start), LEVELS))  # the largest of logits + Gumbel noise is a draw of the softmax
        framed[:, i + REACH, j + REACH, 0] = (logits[:, 0, 0] + noise).argmax(-1) / np.float32(LEVELS - 1)
    return np.rint(framed[:, REACH:, REACH:-REACH, 0] * (LEVELS - 1)).astype(np.int32)


def mean_interval(values):
    """Mean with 1.96 standard errors to each side."""
    error = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values), np.mean(values) - error, np.mean(values) + error


# ---- outliers, and what likelihood makes of them --------------------------------------------------------------------


def outliers(levels, rng):
    """Images that are no digits of this kind, {name: levels (N, 28, 28)}; the last three are simpler than digits."""
    halves = (levels.reshape(-1, 14, 2, 14, 2).sum((2, 4)) // 4).astype(np.int32)
    return {
        "noise": rng.integers(0, LEVELS, levels.shape, np.int32),
        "inverted": LEVELS - 1 - levels,
        "turned": np.rot90(levels, axes=(1, 2)),
        "thin": np.minimum(levels, np.minimum(np.roll(levels, 1, 1), np.roll(levels, 1, 2))),
        "small": np.pad(halves, ((0, 0), (7, 7), (7, 7))),
        "blank": np.zeros_like(levels),
    }


def compressed_bits(levels):
    """Bits per dimension that zlib takes for each image: its complexity, from no model of digits."""
    return np.array([8 * len(zlib.compress(image.astype(np.uint8).tobytes(), 9)) / PIXELS for image in levels])


def judge_outliers(outcome, path, training, held_out):
    """AUROC of three scores between outliers and held-out digits: 1 finds them all, below 1/2 prefers them."""
    typical = bits(path, training[: len(held_out)]).mean()
    sets = {"digits": held_out, **outliers(held_out, np.random.default_rng(outcome.seed))}
    costs = {name: bits(path, levels) for name, levels in sets.items()}
    zipped = {name: compressed_bits(levels) for name, levels in sets.items()}
    scores = {
        "likelihood": costs,
        "typicality": {name: np.abs(cost - typical) for name, cost in costs.items()},
        "complexity": {name: cost - zipped[name] for name, cost in costs.items()},
    }
    outcome.add("outliers.correlation_with_zlib", np.corrcoef(costs["digits"], zipped["digits"])[0, 1])
    for name in list(sets)[1:]:
        outcome.add(f"outliers.{name}.bits", costs[name].mean())
        for score, of in scores.items():
            outcome.add(f"outliers.{name}.{score}_auroc", told_apart(of[name], of["digits"]))
    figures.grid(outcome.path("outliers.png"), np.concatenate([to_images(x[:10]) for x in sets.values()]), columns=10)
    figure, (axes,) = figures.panels(1, width=6)
    for name, cost in costs.items():
        if name not in ("noise", "inverted", "blank"):
            axes.hist(cost, bins=np.linspace(0, 1, 61), histtype="step", label=name)
    axes.set(xlabel="bits per dimension", ylabel="images")
    axes.legend(frameon=False)
    figures.save(outcome.path("outliers_bits.png"), figure)


# ---- completion of half-seen digits ---------------------------------------------------------------------------------


def judge_completions(outcome, path, classifier, training, held_out, count, draws=8):
    """SSIM and squared error of the lower half, given the upper; and whether the classifier still sees the digit."""
    whole = to_eight(held_out.images[:count])
    half = SIDE // 2
    start = np.where(np.arange(SIDE)[:, None] < half, whole, 0)
    drawn = draw(path, np.repeat(start, draws, axis=0), half, np.random.default_rng(outcome.seed))
    drawn = drawn.reshape(count, draws, SIDE, SIDE)
    upper = training[:, :half].reshape(len(training), -1)
    distances = [np.square(upper - image[:half].ravel()).sum(1) for image in whole]
    nearest = np.where(np.arange(SIDE)[:, None] < half, whole, training[np.argmin(distances, axis=1)])
    completed = {"nothing": start, "one_draw": drawn[:, 0], "mean_of_draws": drawn.mean(1), "nearest_digit": nearest}
    truth = to_images(whole)
    for name, levels in completed.items():
        images = to_images(levels)
        outcome.add(f"completion.{name}.ssim", mean_interval(pixelgauge.ssim(truth[:, half:], images[:, half:])))
        outcome.add(f"completion.{name}.mse", mean_interval(pixelgauge.mse(truth[:, half:], images[:, half:])))
        recognised = int(np.sum(classified(classifier, images) == held_out.labels[:count]))
        outcome.add(f"completion.{name}.recognised", tuple(pixelgauge.proportion_interval(recognised, count)))
    rows = [truth, *map(to_images, completed.values()), *(to_images(drawn[:, i]) for i in (1, 2))]
    figures.grid(outcome.path("completions.png"), np.concatenate([row[:20] for row in rows]), columns=20)


# ---- the run --------------------------------------------------------------------------------------------------------


def main():
    outcome = Outcome("autoregressive", __doc__)
    training, held_out = digits.load()
    if outcome.quick:
        training, held_out = training.first(1000), held_out.first(400)
    epochs, judged, completions = (2, (2,), 40) if outcome.quick else (12, (1, 3, 12), 200)
    learnt, kept = to_eight(training.images), to_eight(held_out.images)

    classifier, path = outcome.path("classifier.onnx"), outcome.path("autoregressive.onnx")
    digit_classifier.export(classifier, digit_classifier.train(training), held_out)
    features = digit_features(classifier)
    real = features(to_images(kept), gray="repeat")  # eight levels too: samples have no others
    outcome.add_all("training_digits", sample_scores(real, features(to_images(learnt), gray="repeat")))

    outcome.add("baseline_bits", mean_interval(baseline_bits(learnt, kept)))
    curves = {"bits": [], "bits_training": []}
    for epoch, weights in train(learnt, epochs, outcome.seed):
        difference = export(path, weights, kept[:50])
        curves["bits"].append(bits(path, kept).mean())
        curves["bits_training"].append(bits(path, learnt[: len(kept)]).mean())
        if epoch in judged:
            drawn = draw(path, np.zeros_like(kept), 0, np.random.default_rng(outcome.seed))
            samples = to_images(drawn)
            outcome.add_all(f"epoch_{epoch}", sample_scores(real, features(samples, gray="repeat")))
            figures.grid(outcome.path(f"samples_{epoch}.png"), samples[:100], columns=20)
    outcome.add("onnx_difference", difference)
    for name, values in curves.items():
        outcome.curve(name, values)
    outcome.add("bits_held_out", mean_interval(bits(path, kept)))
    outcome.add("bits_samples", mean_interval(bits(path, drawn)))
    draw_bits(outcome.path("bits.png"), curves, outcome.figures["baseline_bits"][0])

    judge_outliers(outcome, path, learnt, kept)
    judge_completions(outcome, path, classifier, learnt, held_out, completions)
    outcome.save(samples)


def draw_bits(path, curves, baseline):
    """Bits per dimension along training, and those of the histograms."""
    figure, (axes,) = figures.panels(1, width=5)
    for name, values in curves.items():
        figures.curve(axes, np.arange(1, len(values)), values[1:], {"bits": "held out"}.get(name, "training"))
    axes.axhline(baseline, color="black", linestyle=":", label="histogram of each pixel")
    axes.set(xlabel="epoch", ylabel="bits per dimension")
    axes.legend(frameon=False)
    figures.save(path, figure)


if __name__ == "__main__":
    main()
