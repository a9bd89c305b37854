"""A generated stand-in for the competition's photos: drawn people in labelled clothes, in the Kaggle layout."""

from fashion_mmdet.datasets.sample.canvas import Object
from fashion_mmdet.datasets.sample.person import draw_person
from fashion_mmdet.datasets.sample.writer import make_sample

__all__ = ['Object', 'draw_person', 'make_sample']
