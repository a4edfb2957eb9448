"""What phasebench measures: images, their symmetry variants, and their Fourier intensities.

ImageSet → Placement → Measurement, or PatternSet → Measurement where somebody else has measured. Nothing in this
package knows a solver or a score.
"""

from datasets.errors import DatasetError
from datasets.forward import forward
from datasets.image_set import SPLITS, ImageSet, ImageSource
from datasets.images import load_data, load_images
from datasets.measurement import Measurement, measure
from datasets.pattern_set import PatternSet, PatternSource
from datasets.variants import VARIANTS, Placement, Variant, place, placements

__all__ = [
    "SPLITS",
    "VARIANTS",
    "DatasetError",
    "ImageSet",
    "ImageSource",
    "Measurement",
    "PatternSet",
    "PatternSource",
    "Placement",
    "Variant",
    "forward",
    "load_data",
    "load_images",
    "measure",
    "place",
    "placements",
]
