"""Files of strangers and of our own: read within bounds (`reading`, `npy`, `archive`, `pickles`), written whole or not at all."""
