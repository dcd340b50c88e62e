"""A file a reader or a family of them; TARGETS has every target by name, in the order they are run."""

from . import (
    archives,
    arrays,
    checkpoints,
    features,
    graphs,
    histograms,
    images,
    models,
    pairs,
    rows,
    statistics,
    summaries,
    tables,
)

TARGETS = {
    target.name: target
    for module in (
        arrays,
        archives,
        checkpoints,
        statistics,
        features,
        histograms,
        images,
        tables,
        rows,
        pairs,
        summaries,
        models,
        graphs,
    )
    for target in module.TARGETS
}
