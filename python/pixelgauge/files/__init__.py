"""Files of strangers and of our own: read within bounds, written whole or not at all."""
