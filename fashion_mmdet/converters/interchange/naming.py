"""Names that the formats share."""

from collections.abc import Sequence
from pathlib import Path

from fashion_mmdet.classes import ATTRIBUTES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.images import SUFFIXES

FIRST_PART = 27  # categories from here on are garment parts, closures and decorations


def file_name(image_id: str) -> str:
    """Return the photo's file name: an ImageId may lack `.jpg`, as in 2020."""
    return image_id if Path(image_id).suffix.lower() in SUFFIXES else f'{image_id}.jpg'


def group_of(category: int) -> str:
    """Return what kind of thing a category is: garment, accessory or part."""
    return 'garment' if category < NUM_MAIN_CATEGORIES else 'accessory' if category < FIRST_PART else 'part'


def attribute_names(attributes: Sequence[int]) -> list[str]:
    """Return the names of attributes."""
    return [ATTRIBUTES[one] for one in attributes]


def hex_colour(rgb: tuple[int, int, int]) -> str:
    """Write a colour as labelling tools want it: #rrggbb."""
    return '#{:02x}{:02x}{:02x}'.format(*rgb)
