"""Networks as data: manifest, checkpoints, conversion, cache, downloads, graphs."""
