"""The iMaterialist data set as mmdet sees it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from fashion_mmdet.classes import CATEGORIES, PALETTE
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.images import find_problem, read_size
from fashion_mmdet.datasets.records import Record, read_image_ids, read_records
from fashion_mmdet.datasets.split import stratified_split

SPLITS = ('train', 'val', 'all', 'test')

# mmengine sorts the keys of a config that it dumps: the order of a pipeline by name has to stand here.
PIPELINE_STEPS = (
    'load', 'annotations', 'resize', 'attributes', 'rotate', 'crop', 'filter', 'flip', 'color', 'blur', 'pack')


def order_steps(pipeline: Sequence[dict] | Mapping[str, dict | None]) -> list[dict]:
    """Put a pipeline's steps in order; one given as a list is in order already.

    Raises:
        ValueError: a step's name is not in `PIPELINE_STEPS`.
    """
    if not isinstance(pipeline, Mapping):
        return list(pipeline)
    unknown = set(pipeline) - set(PIPELINE_STEPS)
    if unknown:
        raise ValueError(f'pipeline step {sorted(unknown)[0]!r}: one of {", ".join(PIPELINE_STEPS)}; or give the '
                         'pipeline as a list')
    return [pipeline[name] for name in PIPELINE_STEPS if pipeline.get(name)]


@DATASETS.register_module()
class IMaterialistDataset(BaseDetDataset):
    """Photos and masks of iMaterialist (Fashion) 2019, from the competition's own CSV.

    Every problem in the data is counted and logged by kind, with what was done about it (`audit.RULES`); after
    loading, `audit` holds the counts.

    Args:
        ann_file: train.csv; for `split='test'` a sample_submission.csv, whose images have no annotations.
        split: 'train', 'val' (stratified by class), 'all', or 'test'.
        val_fraction: share of the images in val.
        seed: of the split and of the subset; the same seed gives train and val that do not meet.
        num_images: a random subset of so many images of the split; None for all.
        categories: category ids to keep, in the order of their labels; None for all 46.
        check_images: compare each file's header with the CSV. Reading 45,625 headers takes about a minute.
        pipeline: transforms as a list, or by name, so that a config can replace one step; they then go in the order of
            `PIPELINE_STEPS`, and one that is None is left out.
        data_root, data_prefix, filter_cfg and so on: as in mmdet. `filter_cfg=dict(filter_empty_gt=True)` leaves out
            training images without an object.

    Raises:
        ValueError: an unknown option, or a file that is not this CSV.
        FileNotFoundError: no CSV.
    """

    METAINFO: ClassVar[dict] = dict(classes=CATEGORIES, palette=PALETTE)

    def __init__(self, *args, split: str = 'all', val_fraction: float = 0.1, seed: int = 0,
                 num_images: int | None = None, categories: Sequence[int] | None = None, check_images: bool = True,
                 pipeline: Sequence[dict] | Mapping[str, dict | None] = (), **kwargs) -> None:
        if split not in SPLITS:
            raise ValueError(f'split={split!r}: one of {", ".join(SPLITS)}')
        if num_images is not None and num_images < 1:
            raise ValueError(f'num_images={num_images}: a positive number, or None for all')
        if categories is not None and not set(categories) <= set(range(len(CATEGORIES))):
            raise ValueError(f'categories={list(categories)}: ids from 0 to {len(CATEGORIES) - 1}')
        self.split, self.val_fraction, self.seed = split, val_fraction, seed
        self.num_images, self.check_images = num_images, check_images
        self.category_ids = tuple(range(len(CATEGORIES))) if categories is None else tuple(categories)
        self.audit = Audit()
        if categories is not None:
            kwargs['metainfo'] = dict(
                classes=tuple(CATEGORIES[category] for category in categories),
                palette=tuple(PALETTE[category] for category in categories),
                **(kwargs.get('metainfo') or {}))
        super().__init__(*args, pipeline=order_steps(pipeline), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the CSV, audit it, choose the split.

        Returns:
            A dict an image: img_id, img_path, height, width, instances (bbox, bbox_label, mask, attributes,
            ignore_flag).
        """
        return self._list_test_images() if self.split == 'test' else self._list_annotated_images()

    def filter_data(self) -> list[dict]:
        """Leave out training images without an object where `filter_cfg` says so, then draw the subset."""
        images = self.data_list
        if not self.test_mode and (self.filter_cfg or {}).get('filter_empty_gt', False):
            images = [image for image in images if image['instances']]
        if self.num_images is not None and self.num_images < len(images):
            chosen = np.random.default_rng(self.seed).choice(len(images), self.num_images, replace=False)
            images = [images[index] for index in np.sort(chosen)]
        self._log(len(images))
        return images

    def get_cat_ids(self, idx: int) -> list[int]:
        """List the labels of an image's objects, for samplers and mmdet's dataset wrappers."""
        return [instance['bbox_label'] for instance in self.get_data_info(idx)['instances']]

    def _list_annotated_images(self) -> list[dict]:
        records, audit = read_records(self.ann_file)
        self.audit.extend(audit)
        # The split goes by the CSV alone: a file that is missing here must not deal the other photos anew.
        if self.split != 'all':
            labels = np.zeros((len(records), len(CATEGORIES)), bool)
            for row, record in zip(labels, records, strict=True):
                row[[instance.category for instance in record.instances]] = True
            train, val = stratified_split(labels, self.val_fraction, self.seed)
            records = [records[index] for index in (train if self.split == 'train' else val)]
        if self.check_images:
            records = [record for record in records if self._check_image(record)]
        return [self._to_dict(record) for record in records]

    def _check_image(self, record: Record) -> bool:
        problem = find_problem(self._image_path(record.image_id), record.height, record.width)
        if problem:
            self.audit.add(*problem)
        return problem is None

    def _list_test_images(self) -> list[dict]:
        images = []
        for image_id in read_image_ids(self.ann_file):
            path = self._image_path(image_id)
            problem = find_problem(path)
            if problem:
                self.audit.add(*problem)
                continue
            height, width = read_size(path)
            images.append(dict(img_id=image_id, img_path=str(path), height=height, width=width, instances=[]))
        return images

    def _to_dict(self, record: Record) -> dict:
        labels = {category: label for label, category in enumerate(self.category_ids)}
        instances = [
            dict(bbox=list(instance.bbox), bbox_label=labels[instance.category], mask=instance.mask,
                 attributes=instance.attributes, ignore_flag=0)
            for instance in record.instances if instance.category in labels]
        return dict(img_id=record.image_id, img_path=str(self._image_path(record.image_id)), height=record.height,
                    width=record.width, instances=instances)

    def _image_path(self, image_id: str) -> Path:
        return Path(self.data_prefix['img_path']) / image_id

    def _log(self, count: int) -> None:
        print_log(f'{self.ann_file}: {count} images for split {self.split!r}', logger='current')
        report = self.audit.report()
        if report:
            print_log(f'{self.ann_file}: the audit found\n{report}', logger='current')
