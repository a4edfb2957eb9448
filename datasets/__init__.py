"""What phasebench measures: images, their symmetry variants, and their Fourier intensities.

ImageSet → Placement → Measurement. Nothing in this package knows a solver or a score.
"""

from datasets.errors import DatasetError
from datasets.forward import forward
from datasets.image_set import SPLITS, ImageSet, ImageSource
from datasets.images import load_images
from datasets.measurement import Measurement, measure
from datasets.variants import VARIANTS, Placement, Variant, place, placements

__all__ = [
    "SPLITS",
    "VARIANTS",
    "DatasetError",
    "ImageSet",
    "ImageSource",
    "Measurement",
    "Placement",
    "Variant",
    "forward",
    "load_images",
    "measure",
    "place",
    "placements",
]
