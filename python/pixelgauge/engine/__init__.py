"""The batch engine: pairs of files to rows of scores, sets of images to distances."""
