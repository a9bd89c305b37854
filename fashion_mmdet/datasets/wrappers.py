"""Labels through mmengine's and mmdet's dataset wrappers, which ask data sets for `get_cat_ids` but do not have it.

Importing this module gives it to them, so that class balancing sees through them, nested ones too.
"""

from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch.utils.data import Dataset


def _concatenated(self: ConcatDataset, idx: int) -> list[int]:
    part, idx = self._get_ori_dataset_idx(idx)
    return self.datasets[part].get_cat_ids(idx)


def _repeated(self: RepeatDataset, idx: int) -> list[int]:
    return self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))


def _mixed(self: MultiImageMixDataset, idx: int) -> list[int]:
    return self.dataset.get_cat_ids(idx)


for _wrapper, _get_cat_ids in (
    (ConcatDataset, _concatenated),
    (RepeatDataset, _repeated),
    (MultiImageMixDataset, _mixed),
):
    if not hasattr(_wrapper, 'get_cat_ids'):
        _wrapper.get_cat_ids = _get_cat_ids


def unwrap(dataset: Dataset) -> list[Dataset]:
    """List the data sets inside wrappers, each once; a data set that wraps none is its own list."""
    inner = getattr(dataset, 'datasets', None) or ([dataset.dataset] if hasattr(dataset, 'dataset') else [])
    return [leaf for part in inner for leaf in unwrap(part)] or [dataset]
