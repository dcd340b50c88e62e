"""Sets of features against each other: statistics and their files, Fréchet and kernel distances, neighbours."""
