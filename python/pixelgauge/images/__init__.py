"""Anything that holds pixels to canonical arrays: what is in memory (`arrays`), files and encoded data (`decoding`)."""

from pixelgauge.images.arrays import (
    Array,
    Images,
    as_array,
    canonical_images,
    canonical_pair,
    value_range_bounds,
    value_range_length,
)
from pixelgauge.images.decoding import (
    ALPHA_CHOICES,
    FILE_EXTENSIONS,
    ImageFileError,
    alpha_background,
    decoders,
    image_files,
    is_file,
    is_picture,
    path_name,
    read_image,
    read_picture,
)
from pixelgauge.images.samples import to_gray

__all__ = [
    "ALPHA_CHOICES",
    "FILE_EXTENSIONS",
    "Array",
    "ImageFileError",
    "Images",
    "alpha_background",
    "as_array",
    "canonical_images",
    "canonical_pair",
    "decoders",
    "image_files",
    "is_file",
    "is_picture",
    "path_name",
    "read_image",
    "read_picture",
    "to_gray",
    "value_range_bounds",
    "value_range_length",
]
