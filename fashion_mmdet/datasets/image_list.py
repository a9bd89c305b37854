"""The images of a split as a sequence of dicts, each made from the index when it is asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.index import Index


class ImageList(Sequence):
    """Images of an index in the form that mmdet wants; it holds and pickles as 8 bytes an image.

    An item is a dict of img_id, img_path, height, width and instances (bbox, bbox_label, mask, attributes,
    ignore_flag); a slice is an `ImageList`.

    Args:
        index: index of the CSV.
        positions: (N,) int, positions of the images in the index.
        folder: folder of the photos.
        category_ids: category of each label; objects of other categories are left out.
    """

    def __init__(
        self, index: Index, positions: Sequence[int] | np.ndarray, folder: Path, category_ids: tuple[int, ...]
    ) -> None:
        self._index, self._folder, self._category_ids = index, folder, category_ids
        self._positions = np.asarray(positions, np.int64)
        self._label_of = {category: label for label, category in enumerate(category_ids)}

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, item: int | slice) -> 'dict | ImageList':
        if isinstance(item, slice):
            return self.take(np.arange(len(self))[item])
        record = self._index.record(self._positions[item])
        instances = [
            dict(
                bbox=list(instance.bbox),
                bbox_label=self._label_of[instance.category],
                mask=instance.mask,
                attributes=instance.attributes,
                ignore_flag=0,
            )
            for instance in record.instances
            if instance.category in self._label_of
        ]
        return dict(
            img_id=record.image_id,
            img_path=str(photo_path(self._folder, record.image_id)),
            height=record.height,
            width=record.width,
            instances=instances,
        )

    def take(self, items: Sequence[int] | np.ndarray) -> 'ImageList':
        """Take the images at the given places of this list."""
        return ImageList(self._index, self._positions[np.asarray(items, np.int64)], self._folder, self._category_ids)

    def labels(self, item: int) -> list[int]:
        """List the labels of an image's objects."""
        categories = self._index.categories_of(self._positions[item])
        return [self._label_of[category] for category in categories if category in self._label_of]

    def have_objects(self) -> np.ndarray:
        """Tell which images hold an object of the categories; (N,) bool."""
        return self._index.labels()[self._positions][:, list(self._category_ids)].any(axis=1)
