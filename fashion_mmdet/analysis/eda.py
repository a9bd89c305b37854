"""Statistics of a train.csv: sizes, labels, categories, attributes, areas; and a random draw of its images."""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.records import Record, Row
from fashion_mmdet.masks import rle


@dataclass(frozen=True, slots=True)
class Tables:
    """Annotations of a train.csv without the masks: N images, M objects, K attributes of objects; arrays of int64.

    Attributes:
        image_ids: N file names, in order of their first object.
        sizes_px: (N, 2) height and width.
        image: (M,) index of each object's image.
        category: (M,) category ids.
        area_px: (M,) mask areas.
        attribute: (K,) attribute ids.
        attribute_object: (K,) index of the object that has the attribute.
    """

    image_ids: list[str]
    sizes_px: np.ndarray
    image: np.ndarray
    category: np.ndarray
    area_px: np.ndarray
    attribute: np.ndarray
    attribute_object: np.ndarray

    @property
    def area_share(self) -> np.ndarray:
        """Each object's share of its photo, (M,) in (0, 1]."""
        return self.area_px / self.sizes_px.prod(axis=1)[self.image]


def collect(
    rows: Iterable[tuple[Record, Row | None]], keep: Callable[[Record, Row], None] = lambda record, row: None
) -> Tables:
    """Collect the numbers of the rows of `records.read_rows` without their masks, some 40 bytes an object.

    Args:
        rows: images and what each row annotates; rows that the audit drops are None and not counted, nor are images
            without any other.
        keep: called with every counted row, for callers that need its mask.
    """
    index: dict[str, int] = {}
    sizes, image, category, area_px, attribute, attribute_object = (array('q') for _ in range(6))
    for record, row in rows:
        if row is None:
            continue
        if record.image_id not in index:
            index[record.image_id] = len(index)
            sizes.extend((record.height, record.width))
        attribute.extend(row.attributes)
        attribute_object.extend([len(image)] * len(row.attributes))
        image.append(index[record.image_id])
        category.append(row.category)
        area_px.append(rle.area(row.runs))
        keep(record, row)
    columns = [np.array(column, np.int64) for column in (sizes, image, category, area_px, attribute, attribute_object)]
    return Tables(list(index), columns[0].reshape(-1, 2), *columns[1:])


class ExampleDraw:
    """Draws images evenly at random in one pass and keeps the masks of these alone.

    Every image gets a random number at its first row; the `limit` smallest numbers are in. An image that drops out
    stays out, so no row of a drawn image is missed, wherever it stands.
    """

    def __init__(self, limit: int, seed: int) -> None:
        self._limit = limit
        self._rng = np.random.default_rng(seed)
        self._seen: set[str] = set()
        self._drawn: dict[str, tuple[float, Record, list[Row]]] = {}

    def offer(self, record: Record, row: Row) -> None:
        """Add a row of an image."""
        if record.image_id not in self._seen:
            self._seen.add(record.image_id)
            self._drawn[record.image_id] = float(self._rng.random()), record, []
            if len(self._drawn) > self._limit:
                del self._drawn[max(self._drawn, key=lambda image_id: self._drawn[image_id][0])]
        if record.image_id in self._drawn:
            self._drawn[record.image_id][2].append(row)

    def drawn(self) -> list[tuple[Record, list[Row]]]:
        """Return the drawn images with their rows, in the order of the draw."""
        return [(record, rows) for _, record, rows in sorted(self._drawn.values(), key=lambda entry: entry[0])]


def count_sizes(sizes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the images of every distinct size, (N, 2) to (D, 2) and (D,): the commonest first, then by height."""
    sizes, counts = np.unique(sizes_px, axis=0, return_counts=True)
    order = np.argsort(-counts, kind='stable')
    return sizes[order], counts[order]


def share_between(counts: np.ndarray, low: int, high: int) -> float:
    """Return the share of the counts in [low, high]; 0 without any."""
    return float(((counts >= low) & (counts <= high)).mean()) if counts.size else 0.0


def count_categories(image: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the objects of every category and the images that hold one: two (46,) arrays."""
    pairs = np.unique(np.stack([image, category], axis=1), axis=0)
    return np.bincount(category, minlength=NUM_CATEGORIES), np.bincount(pairs[:, 1], minlength=NUM_CATEGORIES)


def attribute_shares(category: np.ndarray, attribute_object: np.ndarray) -> np.ndarray:
    """Return the share of each main category's objects that have attributes, (13,); NaN without an object."""
    described = np.bincount(category[np.unique(attribute_object)], minlength=NUM_CATEGORIES)[:NUM_MAIN_CATEGORIES]
    objects = np.bincount(category, minlength=NUM_CATEGORIES)[:NUM_MAIN_CATEGORIES]
    return np.divide(described, objects, out=np.full(NUM_MAIN_CATEGORIES, np.nan), where=objects > 0)


def count_together(image: np.ndarray, category: np.ndarray, num_images: int) -> np.ndarray:
    """Count the images that hold both of two categories, (46, 46); on the diagonal those that hold the one."""
    present = np.zeros((num_images, NUM_CATEGORIES), np.float64)  # sums of float64 are exact and use BLAS
    present[image, category] = 1
    return (present.T @ present).round().astype(np.int64)


def commonest_pair(together: np.ndarray) -> tuple[int, int] | None:
    """Find the two categories that share the most images, the smaller id first; None where no image holds two."""
    above = np.triu(together, 1)
    first, second = np.unravel_index(int(above.argmax()), above.shape)
    return (int(first), int(second)) if above[first, second] else None


def area_quantiles(area_share: np.ndarray, category: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Find quantiles of the objects' share of their photo by category, (46, Q); NaN without an object."""
    found = np.full((NUM_CATEGORIES, len(quantiles)), np.nan)
    for row in np.unique(category):
        found[row] = np.quantile(area_share[category == row], quantiles)
    return found
