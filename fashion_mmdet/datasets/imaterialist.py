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
from fashion_mmdet.datasets.headers import HeaderCache
from fashion_mmdet.datasets.image_list import ImageList
from fashion_mmdet.datasets.images import find_problem, is_safe_id, photo_path
from fashion_mmdet.datasets.index import Index, empty_batch
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.pipeline import order_steps
from fashion_mmdet.datasets.records import read_image_ids
from fashion_mmdet.datasets.split import stratified_split
from fashion_mmdet.utils.checks import COUNT, NATURAL, check_choice, check_flag, check_ids, check_number
from fashion_mmdet.utils.progress import track

SPLITS = ('train', 'val', 'all', 'test')


@DATASETS.register_module()
class IMaterialistDataset(BaseDetDataset):
    """Photos and masks of iMaterialist (Fashion) 2019, read from the competition's own CSV.

    Problems in the data are counted by kind in `audit` and logged with what was done about them (`audit.RULES`).
    The CSV is parsed once, to an index beside it that all workers and ranks map into memory (`index_store.open_index`);
    an image's dict is made when it is asked for. The sizes in the photos' headers are cached too (`headers`).

    Args:
        ann_file: train.csv; for `split='test'` a sample_submission.csv, whose images have no annotations.
        split: 'train', 'val' (stratified by class), 'all' or 'test'.
        val_fraction: share of the images in val.
        seed: seed of the split and of the subset; with the same seed train and val are disjoint.
        num_images: size of a random subset of the split; None for all.
        categories: category ids to keep, in the order of their labels; None for all 46.
        check_images: compare each file's header with the CSV; 45,625 headers take about a minute the first time.
        pipeline: transforms as a list, or by the names of `pipeline.PIPELINE_STEPS`.
        data_root, data_prefix, filter_cfg and so on: as in mmdet. `filter_cfg=dict(filter_empty_gt=True)` leaves out
            training images without an object. `serialize_data` has no effect: there is no list to serialize.

    Raises:
        ValueError: an unknown option, `proposal_file`, or a file that is not this CSV.
        FileNotFoundError: no CSV.
    """

    METAINFO: ClassVar[dict] = dict(classes=CATEGORIES, palette=PALETTE)

    def __init__(
        self,
        *args,
        split: str = 'all',
        val_fraction: float = 0.1,
        seed: int = 0,
        num_images: int | None = None,
        categories: Sequence[int] | None = None,
        check_images: bool = True,
        pipeline: Sequence[dict] | Mapping[str, dict | None] = (),
        **kwargs,
    ) -> None:
        check_choice('split', split, SPLITS)
        check_number('seed', seed, NATURAL)
        check_number('num_images', num_images, COUNT, optional=True)
        check_flag('check_images', check_images)
        if categories is not None:
            check_ids('categories', categories, len(CATEGORIES))
        if kwargs.get('proposal_file') is not None:
            raise ValueError(f'proposal_file={kwargs["proposal_file"]!r}: this data set takes no proposals from a file')
        kwargs['serialize_data'] = False
        self.split, self.val_fraction, self.seed = split, val_fraction, seed
        self.num_images, self.check_images = num_images, check_images
        self.category_ids = tuple(range(len(CATEGORIES))) if categories is None else tuple(categories)
        self.audit = Audit()
        if categories is not None:
            kwargs['metainfo'] = dict(
                classes=tuple(CATEGORIES[category] for category in categories),
                palette=tuple(PALETTE[category] for category in categories),
                **(kwargs.get('metainfo') or {}),
            )
        super().__init__(*args, pipeline=order_steps(pipeline), **kwargs)

    def load_data_list(self) -> ImageList:
        """Read and audit the CSV and choose the split; for the images' dicts see `ImageList`."""
        return self._list_test_images() if self.split == 'test' else self._list_annotated_images()

    def filter_data(self) -> ImageList:
        """Drop training images without an object where `filter_cfg` says so, then draw the subset."""
        images = self.data_list
        if not self.test_mode and (self.filter_cfg or {}).get('filter_empty_gt', False):
            images = images.take(np.flatnonzero(images.have_objects()))
        if self.num_images is not None and self.num_images < len(images):
            chosen = np.random.default_rng(self.seed).choice(len(images), self.num_images, replace=False)
            images = images.take(np.sort(chosen))
        self._log(len(images))
        if not len(images):
            self._refuse_empty(len(self.data_list))
        return images

    def get_data_info(self, idx: int) -> dict:
        """Make the dict of an image, with `sample_idx` as in mmdet."""
        self.full_init()
        return dict(self.data_list[idx], sample_idx=idx if idx >= 0 else len(self) + idx)

    def get_cat_ids(self, idx: int) -> list[int]:
        """List the labels of an image's objects, for samplers and mmdet's dataset wrappers."""
        self.full_init()
        return self.data_list.labels(idx)

    def _get_unserialized_subset(self, indices: int | Sequence[int]) -> ImageList:
        if isinstance(indices, int):
            return self.data_list[:indices] if indices >= 0 else self.data_list[indices:]
        return self.data_list.take(indices)

    def _list_annotated_images(self) -> ImageList:
        index = open_index(self.ann_file)
        self.audit.extend(index.audit)
        positions = np.arange(len(index))
        if not len(index):
            self._refuse_empty(0)
        # The split goes by the CSV alone: a file that is missing here must not split the other photos differently.
        if self.split != 'all':
            train, val = stratified_split(index.labels(), self.val_fraction, self.seed)
            positions = train if self.split == 'train' else val
        if self.check_images:
            with HeaderCache(self._folder) as headers:
                positions = [
                    position
                    for position in track(positions, 'photos')
                    if self._check(headers, index.image_id(position), index.heights[position], index.widths[position])
                ]
        return ImageList(index, positions, self._folder, self.category_ids)

    def _list_test_images(self) -> ImageList:
        with HeaderCache(self._folder) as headers:
            listed = track(read_image_ids(self.ann_file), 'photos')
            image_ids = [image_id for image_id in listed if self._check(headers, image_id)]
            sizes = [headers.read_size(photo_path(self._folder, image_id)) for image_id in image_ids]
        index = Index(empty_batch(image_ids, sizes), Audit())
        return ImageList(index, np.arange(len(index)), self._folder, self.category_ids)

    def _check(self, headers: HeaderCache, image_id: str, height: int | None = None, width: int | None = None) -> bool:
        if is_safe_id(image_id):
            problem = find_problem(photo_path(self._folder, image_id), height, width, headers.read_size)
        else:
            problem = 'unsafe_image_id', f'{self.ann_file}: {image_id[:80]!r}'
        if problem:
            self.audit.add(*problem)
        return problem is None

    @property
    def _folder(self) -> Path:
        return Path(self.data_prefix['img_path'])

    def _refuse_empty(self, listed: int) -> None:
        """Raise ValueError that says why no image is left; `listed` have passed the audit."""
        reasons = (
            f'none of {listed} has an object of the categories {list(self.category_ids)}'
            if listed
            else f'dropped: {self.audit.summary()}. The photos are looked for in {self._folder}: does FASHION_DATA '
            'name the right folder? If it does, repair the files or rows'
        )
        raise ValueError(f'{self.ann_file}: no image is left for split {self.split!r}: {reasons}')

    def _log(self, count: int) -> None:
        print_log(f'{self.ann_file}: {count} images for split {self.split!r}', logger='current')
        report = self.audit.report()
        if report:
            print_log(f'{self.ann_file}: the audit found\n{report}', logger='current')
