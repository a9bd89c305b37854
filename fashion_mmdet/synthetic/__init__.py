"""A generated stand-in for the competition's photos: drawn people in labelled clothes, in the Kaggle layout."""

from fashion_mmdet.synthetic.canvas import Object
from fashion_mmdet.synthetic.person import draw_person
from fashion_mmdet.synthetic.writer import make_sample

__all__ = ['Object', 'draw_person', 'make_sample']
