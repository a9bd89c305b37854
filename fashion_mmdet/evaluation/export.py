"""Predictions in the form of annotated images, for the converters."""

from fashion_mmdet.datasets.records import Instance, Record
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.masks.rle import bounding_box, coco_to_runs


def to_record(prediction: Prediction) -> Record:
    """Return a prediction as an annotated image whose objects carry their scores."""
    height, width = prediction.size
    instances = [
        Instance(int(category), attributes, mask, bounding_box(coco_to_runs(mask), height), float(score))
        for category, attributes, mask, score in zip(
            prediction.categories, prediction.attributes, prediction.masks, prediction.scores, strict=True
        )
    ]
    return Record(prediction.image_id, height, width, instances)
