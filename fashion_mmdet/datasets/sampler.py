"""Sample images of rare or missed classes more often."""

import itertools
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Dataset, Sampler

from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.utils.checks import COUNT, NATURAL, POSITIVE, Interval, check_choice, check_number
from fashion_mmdet.utils.tables import format_text

RULES = ('repeat_factor', 'sensitivity')


def _concat_cat_ids(self: ConcatDataset, idx: int) -> list[int]:
    part, idx = self._get_ori_dataset_idx(idx)
    return self.datasets[part].get_cat_ids(idx)


# Dataset wrappers ask their data sets for `get_cat_ids` but lack it: class balancing could not see through nested ones.
for _wrapper, _get_cat_ids in (
    (ConcatDataset, _concat_cat_ids),
    (RepeatDataset, lambda self, idx: self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))),
    (MultiImageMixDataset, lambda self, idx: self.dataset.get_cat_ids(idx)),
):
    if not hasattr(_wrapper, 'get_cat_ids'):
        _wrapper.get_cat_ids = _get_cat_ids


def unwrap(dataset: Dataset) -> list[Dataset]:
    """List the data sets inside wrappers, each once; one that wraps none gives itself."""
    inner = getattr(dataset, 'datasets', None) or ([dataset.dataset] if hasattr(dataset, 'dataset') else [])
    return [leaf for part in inner for leaf in unwrap(part)] or [dataset]


def repeat_factors(image_labels: Sequence[Sequence[int]], threshold: float) -> np.ndarray:
    """Compute how often to show each of N images so that rare classes are seen more (LVIS, Gupta et al. 2019).

    A class in a share f of the images has the factor max(1, sqrt(threshold / f)); an image that of its rarest class.

    Returns:
        (N,) float, at least 1.
    """
    images = [set(labels) for labels in image_labels]
    counts: dict[int, int] = {}
    for label in itertools.chain.from_iterable(images):
        counts[label] = counts.get(label, 0) + 1
    factors = {label: max(1.0, math.sqrt(threshold * len(images) / count)) for label, count in counts.items()}
    return np.array([max((factors[label] for label in labels), default=1.0) for labels in images])


def target_weights(image_labels: Sequence[Sequence[int]], targets: Sequence[int], factor: float) -> np.ndarray:
    """Return the weights of images, (N,) float: `factor` with a target class, else 1."""
    wanted = set(targets)
    return np.array([factor if wanted & set(labels) else 1.0 for labels in image_labels])


def draw(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw image indices so that image i comes `expected[i]` times on average, and never deviates by more than 1.

    Systematic sampling: one random offset, then equal steps along the summed expectations of the shuffled images.

    Returns:
        (ceil(sum of expected),) int, in random order.
    """
    order = rng.permutation(len(expected))
    total = math.ceil(round(float(expected.sum()), 6))
    cumulative = np.cumsum(expected[order])
    positions = (np.arange(total) + rng.random()) * (cumulative[-1] / total)
    chosen = order[np.minimum(np.searchsorted(cumulative, positions, 'right'), len(order) - 1)]
    return rng.permutation(chosen)


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(Sampler):
    """Draw epochs in which images of some classes come more often than others.

    Every process draws the same epoch from the seed and the epoch's number and takes its own part: parts are disjoint
    and of equal length, and a resumed training goes on with its epoch. The shift of class frequencies is logged.

    Args:
        dataset: data set with `get_cat_ids(index)`, or mmengine's and mmdet's wrappers of such with the same classes.
        rule: 'repeat_factor' (LVIS, by class frequency) or 'sensitivity' (target classes `factor` times as often).
        threshold: share of the images below which a class is repeated, in (0, 1]; for 'repeat_factor'.
        targets: category ids, or the file that tools/sensitivity.py saves; for 'sensitivity'.
        factor: how many times as often the images of a target come; for 'sensitivity'.
        num_images: length of an epoch over all processes; None for the number of images ('sensitivity') or the sum of
            the factors ('repeat_factor').
        seed: seed of the draws; None for one that all processes agree on.
    """

    def __init__(
        self,
        dataset,
        rule: str = 'repeat_factor',
        threshold: float = 0.05,
        targets: Sequence[int] | str | os.PathLike | None = None,
        factor: float = 3.0,
        num_images: int | None = None,
        seed: int | None = None,
    ) -> None:
        check_choice('rule', rule, RULES)
        if (rule == 'sensitivity') != (targets is not None):
            raise ValueError(f"rule={rule!r}: targets go with rule='sensitivity', and only with it")
        check_number('threshold', threshold, Interval(0, 1, open_low=True))
        check_number('factor', factor, POSITIVE)
        check_number('num_images', num_images, COUNT, optional=True)
        check_number('seed', seed, NATURAL, optional=True)
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        classes = find_classes(dataset)
        labels = [list(dataset.get_cat_ids(index)) for index in range(len(dataset))]
        if rule == 'repeat_factor':
            expected = repeat_factors(labels, threshold)
        else:
            weights = target_weights(labels, to_labels(read_targets(targets), unwrap(dataset)[0]), factor)
            expected = weights * (len(labels) / weights.sum())
        if num_images is not None:
            expected = expected * (num_images / expected.sum())
        self.expected = expected
        self.num_samples = math.ceil(math.ceil(round(float(expected.sum()), 6)) / self.world_size)
        print_log(f'{type(self).__name__}, {rule}:\n{describe_shift(labels, expected, classes)}', logger='current')

    def __iter__(self) -> Iterator[int]:
        """Iterate over the part of this process."""
        indices = draw(self.expected, np.random.default_rng([self.seed, self.epoch])).tolist()
        padded = list(itertools.islice(itertools.cycle(indices), self.num_samples * self.world_size))
        return iter(padded[self.rank :: self.world_size])

    def __len__(self) -> int:
        """Return the number of images of this process."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; mmengine calls this before each, after a resume too."""
        self.epoch = epoch


def find_classes(dataset) -> tuple[str, ...]:
    """Return the classes that all data sets inside wrappers share; ValueError where they differ."""
    first, *others = (tuple(part.metainfo['classes']) for part in unwrap(dataset))
    for number, other in enumerate(others, 2):
        if other != first:
            raise ValueError(
                f'train_dataloader.dataset: data set {number} has other classes than data set 1, or in '
                'another order; give all of them the same categories'
            )
    return first


def to_labels(categories: Sequence[int], dataset) -> list[int]:
    """Convert category ids to labels of a data set; ValueError where it leaves one out."""
    ids = getattr(dataset, 'category_ids', None)
    if ids is None:
        return list(categories)
    missing = [category for category in categories if category not in ids]
    if missing:
        raise ValueError(f'targets: the data set leaves out category {missing[0]}')
    return [ids.index(category) for category in categories]


def describe_shift(image_labels: Sequence[Sequence[int]], expected: np.ndarray, names: Sequence[str]) -> str:
    """Format each class's share of the images, in the data set and in an epoch."""
    holds = np.zeros((len(image_labels), len(names)), bool)
    for row, labels in zip(holds, image_labels, strict=True):
        row[list(set(labels))] = True
    before, after = holds.mean(axis=0), (holds * expected[:, None]).sum(axis=0) / expected.sum()
    rows = [row for row in zip(names, before, after, strict=True) if row[1]]
    return format_text(('share of the images', 'before', 'after'), rows)
