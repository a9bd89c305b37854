"""Resampling: images of rare or missed classes come more often."""

import itertools
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.datasets.wrappers import unwrap
from fashion_mmdet.utils.checks import COUNT, NATURAL, POSITIVE, Interval, check_choice, check_number
from fashion_mmdet.utils.tables import format_text

RULES = ('repeat_factor', 'sensitivity')


def repeat_factors(image_labels: Sequence[Sequence[int]], threshold: float) -> np.ndarray:
    """Say how often each image should come so that rare classes are seen more (LVIS, Gupta et al. 2019).

    A class in a share f of the images has the factor max(1, sqrt(threshold / f)); an image has its largest class's.

    Args:
        image_labels: the labels of each of N images, in any number.
        threshold: share of the images below which a class is repeated, in (0, 1].

    Returns:
        (N,) float, 1 or more.
    """
    images = [set(labels) for labels in image_labels]
    counts: dict[int, int] = {}
    for label in itertools.chain.from_iterable(images):
        counts[label] = counts.get(label, 0) + 1
    factors = {label: max(1.0, math.sqrt(threshold * len(images) / count)) for label, count in counts.items()}
    return np.array([max((factors[label] for label in labels), default=1.0) for labels in images])


def target_weights(image_labels: Sequence[Sequence[int]], targets: Sequence[int], factor: float) -> np.ndarray:
    """Weigh images that hold a target class `factor`, all others 1; (N,) float."""
    wanted = set(targets)
    return np.array([factor if wanted & set(labels) else 1.0 for labels in image_labels])


def draw(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw image indices so that image i comes `expected[i]` times on average and never further than 1 from it.

    Systematic sampling: one random offset, then equal steps along the summed expectations of the shuffled images.

    Args:
        expected: (N,) float; its sum is rounded up to the number of draws, which so is the same every time.
        rng: seeded.

    Returns:
        (ceil(sum),) int, in random order.
    """
    order = rng.permutation(len(expected))
    total = math.ceil(round(float(expected.sum()), 6))
    cumulative = np.cumsum(expected[order])
    positions = (np.arange(total) + rng.random()) * (cumulative[-1] / total)
    chosen = order[np.minimum(np.searchsorted(cumulative, positions, 'right'), len(order) - 1)]
    return rng.permutation(chosen)


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(Sampler):
    """Draws an epoch in which images of some classes come more often than others.

    Every process draws the same epoch from the seed and the epoch's number and takes its own part, so parts are
    disjoint, of equal length, and a resumed run goes on with the epoch it was in. Says once, in the log, what it does
    to the class frequencies.

    Args:
        dataset: with `get_cat_ids(index)`, or mmengine's and mmdet's wrappers of such ones with the same classes.
        rule: 'repeat_factor' (LVIS, by class frequency) or 'sensitivity' (target classes `factor` times as often).
        threshold: of `repeat_factors`.
        targets: category ids, or the path of the file that tools/sensitivity.py saves; for 'sensitivity'.
        factor: how many times as often a target's images come; for 'sensitivity'.
        num_images: length of an epoch over all processes; None for the number of images ('sensitivity') or the sum of
            the factors ('repeat_factor').
        seed: None for one that all processes agree on.

    Raises:
        ValueError: an unknown rule, targets that do not go with it, a number out of its range, or data sets with
            different classes.
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
        """Yield this process's part of the epoch."""
        indices = draw(self.expected, np.random.default_rng([self.seed, self.epoch])).tolist()
        padded = list(itertools.islice(itertools.cycle(indices), self.num_samples * self.world_size))
        return iter(padded[self.rank :: self.world_size])

    def __len__(self) -> int:
        """Count this process's images of an epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; mmengine calls this before each, after a resume too."""
        self.epoch = epoch


def find_classes(dataset) -> tuple[str, ...]:
    """Read the classes that all data sets inside wrappers share.

    Raises:
        ValueError: they do not share them: a label means another class in each.
    """
    first, *others = (tuple(part.metainfo['classes']) for part in unwrap(dataset))
    for number, other in enumerate(others, 2):
        if other != first:
            raise ValueError(
                f'train_dataloader.dataset: data set {number} has other classes than data set 1, or in '
                'another order; give all of them the same categories'
            )
    return first


def to_labels(categories: Sequence[int], dataset) -> list[int]:
    """Turn category ids into a data set's labels; a data set without `category_ids` labels by id.

    Raises:
        ValueError: the data set keeps some categories only, and not this one.
    """
    ids = getattr(dataset, 'category_ids', None)
    if ids is None:
        return list(categories)
    missing = [category for category in categories if category not in ids]
    if missing:
        raise ValueError(f'targets: the data set leaves out category {missing[0]}')
    return [ids.index(category) for category in categories]


def describe_shift(image_labels: Sequence[Sequence[int]], expected: np.ndarray, names: Sequence[str]) -> str:
    """Lay out each class's share of the images, as they are and as an epoch shows them."""
    holds = np.zeros((len(image_labels), len(names)), bool)
    for row, labels in zip(holds, image_labels, strict=True):
        row[list(set(labels))] = True
    before, after = holds.mean(axis=0), (holds * expected[:, None]).sum(axis=0) / expected.sum()
    rows = [row for row in zip(names, before, after, strict=True) if row[1]]
    return format_text(('share of the images', 'before', 'after'), rows)
