"""The true objects of a train.csv, looked up by image."""

import os

import numpy as np

from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.evaluation.predictions import Truth, resize_truth


class Truths:
    """The true objects of a CSV; an image's masks are read when it is asked for.

    Args:
        csv: CSV like train.csv.
        size: height and width of the masks; None for each photo's own.

    Attributes:
        index: index of the CSV; its `audit` holds what is wrong with the rows.
    """

    def __init__(self, csv: str | os.PathLike, size: tuple[int, int] | None = None) -> None:
        self.index, self._csv, self._size = open_index(csv), csv, size

    def __getitem__(self, image_id: str) -> Truth:
        """Return the objects of an image; ValueError where the CSV lacks it."""
        self.check(image_id)
        return truth_from_record(self.index.find(image_id), self._size)

    def check(self, *image_ids: str) -> None:
        """Raise ValueError for an image that the CSV lacks."""
        for image_id in image_ids:
            if image_id not in self.index:
                raise ValueError(f'{self._csv}: no image {image_id!r}')


def truth_from_record(record: Record, size: tuple[int, int] | None = None) -> Truth:
    """Convert an image's record, its masks resized as `cv2.resize(INTER_NEAREST)` does; None keeps the photo's size."""
    return resize_truth(
        Truth(
            image_id=record.image_id,
            size=(record.height, record.width),
            categories=np.array([instance.category for instance in record.instances], np.int64),
            masks=[instance.mask for instance in record.instances],
            attributes=[instance.attributes for instance in record.instances],
        ),
        size,
    )
