"""A generative adversarial network on digits: the game's value along training, and a collapse on purpose.

The discriminator D says how likely an image is real, the generator G makes images of noise z, and they play for

    V(D, G) = E log D(x) + E log(1 - D(G(z))),

which D wants large and G small. Where G's images are as the real ones, the best D says 1/2 of all, and V = -log 4
(Goodfellow et al. 2014). Every score is on held-out digits, through the exported networks and onnxruntime.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import digit_classifier
import digits
import figures
import layers
import onnx_export
import pixelgauge
from outcome import Outcome
from sample_scores import classified, digit_features, sample_scores, told_apart

NOISE = 64
EQUILIBRIUM = -np.log(4)
BETTER = {"frechet": -1, "kernel_distance": -1, "precision": 1, "recall": 1, "density": 1, "coverage": 1}
"""Whether more is better (1) or worse (-1). The players' own figures, the value and the AUROC, say neither."""


# ---- the two networks, and a move of each -------------------------------------------------------------------------


def generator(ops, weights, z):
    """Images (N, 28, 28, 1) on 0 to 1 of noise (N, NOISE)."""
    hidden = ops.reshape(ops.relu(ops.dense(z, weights["dense"])), 7, 7, 64)
    hidden = ops.pixel_shuffle(ops.relu(ops.conv(hidden, weights["conv1"])))
    return ops.sigmoid(ops.pixel_shuffle(ops.conv(hidden, weights["conv2"])))


def discriminator(ops, weights, x):
    """Logits (N, 1) that images are real: D(x) is their sigmoid."""
    hidden = ops.leaky_relu(ops.conv(x, weights["conv1"], stride=2))
    hidden = ops.leaky_relu(ops.conv(hidden, weights["conv2"], stride=2))
    return ops.dense(ops.reshape(hidden, 7 * 7 * 64), weights["dense"])


class Game(NamedTuple):
    """Weights of both players, and what Adam keeps of each."""

    generator: dict
    discriminator: dict
    generator_state: tuple
    discriminator_state: tuple


GENERATOR_ADAM, DISCRIMINATOR_ADAM = optax.adam(5e-4, b1=0.5), optax.adam(2e-4, b1=0.5)


def new_game(seed):
    """Both players before training."""
    keys = jax.random.split(jax.random.key(seed), 6)
    first = {
        "dense": layers.dense_weights(keys[0], NOISE, 7 * 7 * 64),
        "conv1": layers.conv_weights(keys[1], 3, 64, 4 * 32),
        "conv2": layers.conv_weights(keys[2], 3, 32, 4, gain=1.0),
    }
    second = {
        "conv1": layers.conv_weights(keys[3], 4, 1, 32),
        "conv2": layers.conv_weights(keys[4], 4, 32, 64),
        "dense": layers.dense_weights(keys[5], 7 * 7 * 64, 1, gain=1.0),
    }
    return Game(first, second, GENERATOR_ADAM.init(first), DISCRIMINATOR_ADAM.init(second))


def discriminator_loss(weights, real, fake):
    """-V, which D makes small: -log D is the softplus of -logits, -log(1 - D) that of logits."""
    logits = partial(discriminator, layers, weights)
    return jnp.mean(jax.nn.softplus(-logits(real))) + jnp.mean(jax.nn.softplus(logits(fake)))


def generator_loss(weights, opponent, z):
    """-E log D(G(z)): its gradient does not vanish where D is sure, as that of log(1 - D) would (the same paper)."""
    return jnp.mean(jax.nn.softplus(-discriminator(layers, opponent, generator(layers, weights, z))))


@partial(jax.jit, static_argnames="discriminator_learns")
def move(game, real, key, discriminator_learns=True):
    """The game after one step of both on a batch, or of the generator alone."""
    z = jax.random.normal(key, (len(real), NOISE))
    gradient = jax.grad(generator_loss)(game.generator, game.discriminator, z)
    change, state = GENERATOR_ADAM.update(gradient, game.generator_state)
    moved = game._replace(generator=optax.apply_updates(game.generator, change), generator_state=state)
    if not discriminator_learns:
        return moved
    gradient = jax.grad(discriminator_loss)(game.discriminator, real, generator(layers, game.generator, z))
    change, state = DISCRIMINATOR_ADAM.update(gradient, game.discriminator_state)
    return moved._replace(discriminator=optax.apply_updates(game.discriminator, change), discriminator_state=state)


def play(game, images, steps, every, seed, discriminator_learns=True, batch_size=64):
    """Yield (step, game) at 0 and after `every` steps each, to the last."""
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    yield 0, game
    for step in range(1, steps + 1):
        real = images[rng.integers(0, len(images), batch_size)]
        game = move(game, real, jax.random.fold_in(key, step), discriminator_learns)
        if step % every == 0:
            yield step, game


# ---- scores: onnxruntime and pixelgauge alone ---------------------------------------------------------------------


class Judge:
    """What exported players are scored by: held-out digits, as many training digits, and the classifier's features."""

    def __init__(self, classifier, held_out, training, seed):
        self.classifier = classifier
        self.held_out, self.training = digits.to_units(held_out), digits.to_units(training)
        self.features = digit_features(classifier)
        self.real = self.features(held_out, gray="repeat")
        self.z = np.random.default_rng(seed).standard_normal((len(held_out), NOISE), np.float32)

    def __call__(self, generator_file, discriminator_file):
        """Scores {name: (value, low, high)}, and the samples (N, 28, 28, 1) uint8."""
        (fake,) = onnx_export.run(generator_file, self.z)
        real, learnt, made = (
            onnx_export.run(discriminator_file, x)[0][:, 0].astype(np.float64)
            for x in (self.held_out, self.training, fake)
        )
        samples = digits.to_levels(fake)
        scores = {
            "value": value_interval(real, made),
            "value_training": value_interval(learnt, made),
            "auroc": told_apart(real, made),  # 1/2 where D cannot tell them
            **sample_scores(self.real, self.features(samples, gray="repeat")),
        }
        return scores, samples


def value_interval(real_logits, fake_logits):
    """V(D, G) in nats with 1.96 standard errors of the two means."""
    value = pixelgauge.gan_value(real_logits, fake_logits)
    variances = [np.logaddexp(0, logits).var() / len(logits) for logits in (-real_logits, fake_logits)]
    error = 1.96 * np.sqrt(sum(variances))
    return value, value - error, value + error


def first_alarm(name, scores):
    """Index of the first score that an onlooker would call a change for the worse, or None.

    The rule, fixed beforehand: its interval and the next one's lie wholly on the worse side of the first interval; for
    the players' own figures, of which no side is the worse, wholly outside it.
    """
    _, low, high = scores[0][name]
    below, above = [s[name][2] < low for s in scores], [s[name][1] > high for s in scores]
    sides = {1: [below], -1: [above], 0: [below, above]}[BETTER.get(name, 0)]
    return next((i for i in range(len(scores) - 1) if any(side[i] and side[i + 1] for side in sides)), None)


# ---- the run --------------------------------------------------------------------------------------------------------


def export(outcome, game):
    """Write both players; returns the files."""
    files = outcome.path("generator.onnx"), outcome.path("discriminator.onnx")
    onnx_export.export(files[0], generator, game.generator, (NOISE,), "images")
    onnx_export.export(files[1], discriminator, game.discriminator, (28, 28, 1), "logits")
    return files


def watched(outcome, judge, games):
    """Scores along a run: the steps, the scores of each, the last samples and the last game."""
    steps, scores = [], []
    for step, game in games:
        found, samples = judge(*export(outcome, game))
        steps.append(step)
        scores.append(found)
    return steps, scores, samples, game


def collapse(outcome, judge, images, game, steps, every):
    """Two ways on from one game: as before, and with a frozen discriminator; and when each score first sees it.

    Goodfellow et al. warn of the second: a generator that trains too long against the same discriminator maps ever more
    noise to the few images that this one likes best.
    """
    for name, learns in (("healthy", True), ("frozen", False)):
        games = play(game, images, steps, every, outcome.seed + 1, discriminator_learns=learns)
        at, scores, samples, _ = watched(outcome, judge, games)
        figures.grid(outcome.path(f"{name}.png"), samples[:40], columns=10)
        counts = np.bincount(classified(judge.classifier, samples), minlength=10)
        outcome.add(f"{name}.commonest_digit", counts.max() / len(samples))
        outcome.add(f"{name}.vendi", pixelgauge.vendi_score(judge.features(samples, gray="repeat")))
        for metric in scores[0]:
            outcome.curve(f"{name}.{metric}", [score[metric][0] for score in scores])
            alarm = first_alarm(metric, scores)
            outcome.add(f"{name}.{metric}.first_alarm", np.nan if alarm is None else at[alarm])
        draw(outcome.path(f"{name}_curves.png"), at, scores)


def draw(path, steps, scores):
    """Every score along a run with its interval: the players' own in the first two panels."""
    groups = (
        ("V(D, G), nats", ("value", "value_training")),
        ("AUROC of D", ("auroc",)),
        ("Fréchet distance", ("frechet",)),
        ("kernel distance", ("kernel_distance",)),
        ("shares", ("precision", "recall", "density", "coverage")),
    )
    figure, axes = figures.panels(len(groups), width=2.6)
    for panel, (title, names) in zip(axes, groups, strict=True):
        for name in names:
            value, low, high = np.transpose([score[name] for score in scores])
            figures.curve(panel, steps, value, name.replace("_", " "), low, high)
        panel.set(title=title, xlabel="step")
        if len(names) > 1:
            panel.legend(frameon=False)
    axes[0].axhline(EQUILIBRIUM, color="black", linestyle=":")
    axes[1].axhline(0.5, color="black", linestyle=":")
    for panel in axes[2:4]:
        panel.set_yscale("symlog", linthresh=0.1)
    figures.save(path, figure)


def main():
    outcome = Outcome("gan", __doc__)
    training, held_out = digits.load()
    if outcome.quick:
        training, held_out = training.first(1000), held_out.first(400)
    steps, every, collapse_steps, collapse_every = (1000, 500, 40, 20) if outcome.quick else (6000, 500, 300, 10)

    classifier = outcome.path("classifier.onnx")
    weights = digit_classifier.train(training)
    outcome.add("classifier_onnx_difference", digit_classifier.export(classifier, weights, held_out))
    outcome.add("classifier_accuracy", np.mean(classified(classifier, held_out.images) == held_out.labels))
    judge = Judge(classifier, held_out.images, training.first(len(held_out.labels)).images, outcome.seed)
    outcome.add_all("training_digits", sample_scores(judge.real, judge.features(training.images, gray="repeat")))

    images = digits.to_units(training.images)
    games = play(new_game(outcome.seed), images, steps, every, outcome.seed)
    at, scores, samples, game = watched(outcome, judge, games)
    differences = equal_to_jax(export(outcome, game), game, judge)
    outcome.add("onnx_difference", max(differences))
    outcome.add("equilibrium", EQUILIBRIUM)
    for name in scores[0]:
        outcome.curve(f"training.{name}", [score[name][0] for score in scores])
    outcome.add_all("final", scores[-1])
    outcome.add("final.jensen_shannon_at_least", (scores[-1]["value"][0] - EQUILIBRIUM) / 2)
    draw(outcome.path("curves.png"), at, scores)
    figures.grid(outcome.path("samples.png"), samples[:100], columns=20)

    collapse(outcome, judge, images, game, collapse_steps, collapse_every)
    export(outcome, game)  # the trained players, over those that went on
    outcome.save(samples)


def equal_to_jax(files, game, judge):
    """Largest differences of the two files from JAX; an error above 1e-5."""
    z, x = judge.z[:100], judge.held_out[:100]
    images = jax.jit(partial(generator, layers))(game.generator, z)
    logits = jax.jit(partial(discriminator, layers))(game.discriminator, x)
    return onnx_export.require_equal(files[0], images, z), onnx_export.require_equal(files[1], logits, x)


if __name__ == "__main__":
    main()
