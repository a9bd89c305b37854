"""Raw predictions (what the model's heads give), final predictions and true objects of an image."""

from dataclasses import dataclass, field, replace

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES
from fashion_mmdet.datasets.audit import is_size_possible
from fashion_mmdet.masks.rle import resize_coco

HALF_ONE = np.float16(1).view(np.uint16)  # as bits; those of larger numbers, of negative ones and of NaN are larger
ROUNDING = 1e-6  # a softmax in float32 may end so far above 1
LIMITS = dict(
    categories=(0, NUM_CATEGORIES - 1),
    scores=(0, 1 + ROUNDING),
    mask_probs=(0, 1 + ROUNDING),
    attribute_probs=(0, 1 + ROUNDING),
    boxes=(np.finfo(np.float32).min, np.finfo(np.float32).max),
)


@dataclass(slots=True)
class RawPrediction:
    """Output of the model's heads for one image, before any threshold.

    Attributes:
        image_id: as in the CSV.
        height, width: of the photo in pixels.
        categories: (N,) int64, category ids.
        scores: (N,) float32 in [0, 1].
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the photo.
        mask_probs: (N, M, M) float16 in [0, 1], the mask inside the box.
        attribute_probs: (N, 92) float16 in [0, 1]; None where the model has no attribute head, and it may be None
            where nothing was found.
    """

    image_id: str
    height: int
    width: int
    categories: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    mask_probs: np.ndarray
    attribute_probs: np.ndarray | None = None


@dataclass(slots=True)
class Prediction:
    """Final objects of one image, by descending score.

    Attributes:
        image_id: as in the CSV.
        size: height and width of the masks in pixels.
        categories: (N,) int64, category ids.
        scores: (N,) float32.
        masks: N COCO RLE dicts, counts as str.
        attributes: N tuples of attribute ids, ascending; empty where none are predicted.
        attribute_probs: (N, 92) float16 in [0, 1]; None without an attribute head.
        sources: (N,) int64, positions of the objects in the raw prediction; None where they come from elsewhere.
    """

    image_id: str
    size: tuple[int, int]
    categories: np.ndarray
    scores: np.ndarray
    masks: list[dict]
    attributes: list[tuple[int, ...]] = field(default_factory=list)
    attribute_probs: np.ndarray | None = None
    sources: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.attributes = self.attributes or [()] * len(self.masks)


@dataclass(slots=True)
class Truth:
    """Annotated objects of one image; `masks` COCO RLE of `size` (height, width), the rest as in `Prediction`."""

    image_id: str
    size: tuple[int, int]
    categories: np.ndarray
    masks: list[dict]
    attributes: list[tuple[int, ...]]


def empty_prediction(image_id: str, height: int, width: int) -> RawPrediction:
    """Return the raw prediction of an image in which nothing was found."""
    boxes, masks = np.zeros((0, 4), np.float32), np.zeros((0, 28, 28), np.float16)
    return RawPrediction(image_id, height, width, np.zeros(0, np.int64), np.zeros(0, np.float32), boxes, masks)


def check_raw(raw: RawPrediction, advice: str = '') -> RawPrediction:
    """Return a raw prediction whose shapes, types and ranges are right.

    Args:
        raw: output of a model.
        advice: what to do about a value out of its range, for the error.

    Raises:
        ValueError: names the image, the field and the value.
    """
    if not is_size_possible(raw.height, raw.width):
        raise ValueError(f'{raw.image_id}: a photo of {raw.height}x{raw.width} pixels cannot be')
    count, side = len(raw.scores), max(raw.mask_probs.shape[-1], 1)
    shapes = dict(categories=(count,), scores=(count,), boxes=(count, 4), mask_probs=(count, side, side))
    if raw.attribute_probs is not None:
        shapes['attribute_probs'] = (count, NUM_ATTRIBUTES)
    for name, shape in shapes.items():
        values, kinds = getattr(raw, name), 'iu' if name == 'categories' else 'f'
        if values.shape != shape or values.dtype.kind not in kinds:
            raise ValueError(
                f'{raw.image_id}: {name} of type {values.dtype} and shape {values.shape}, expected '
                f'{"whole" if kinds == "iu" else "floating point"} numbers of shape {shape}'
            )
        low, high = LIMITS[name]
        if not _lie_within(values, low, high):
            wrong = values[~((values >= low) & (values <= high))][0]
            raise ValueError(f'{raw.image_id}: {name} hold {wrong}, must lie between {low:g} and {high:g}{advice}')
    return raw


def _lie_within(values: np.ndarray, low: float, high: float) -> bool:
    """Return whether all values lie within the limits; NaN never does."""
    if values.dtype == np.float16 and low == 0 and values.view(np.uint16).max(initial=0) <= HALF_ONE:
        return True  # comparing float16 as such takes a thousand times longer
    return not values.size or bool(values.min() >= low and values.max() <= high)


def raw_from_sample(sample: dict, category_ids: tuple[int, ...]) -> RawPrediction:
    """Convert mmdet's data sample (a dict, as metrics get it) to a raw prediction.

    Args:
        sample: with `img_id`, `ori_shape` and `pred_instances` (bboxes, labels, scores, mask_probs; attribute_probs
            where the model has an attribute head).
        category_ids: the category id of each label.

    Raises:
        ValueError: the mask head pastes its masks (it is no RawFCNMaskHead), or the output is invalid (NaN, a label
            without a category).
    """
    instances = sample['pred_instances']
    height, width = sample['ori_shape'][:2]
    labels = instances['labels'].cpu().numpy().astype(np.int64)
    if not len(labels):  # mmdet skips the mask head where no image of a batch has a detection
        return empty_prediction(sample['img_id'], int(height), int(width))
    if 'mask_probs' not in instances:
        raise ValueError(
            'the model gives no raw mask probabilities: set mask_head.type to RawFCNMaskHead (HTC: RawHTCMaskHead)'
        )
    if labels.max() >= len(category_ids):
        raise ValueError(
            f'{sample["img_id"]}: the model names label {labels.max()}, the data set has '
            f'{len(category_ids)} classes: set num_classes in the heads'
        )
    return check_raw(
        RawPrediction(
            image_id=sample['img_id'],
            height=int(height),
            width=int(width),
            categories=np.asarray(category_ids, np.int64)[labels],
            scores=instances['scores'].float().cpu().numpy(),
            boxes=instances['bboxes'].float().cpu().numpy(),
            mask_probs=instances['mask_probs'].cpu().numpy(),
            attribute_probs=instances['attribute_probs'].cpu().numpy() if 'attribute_probs' in instances else None,
        ),
        advice=": the model's weights are probably broken; take an earlier checkpoint, or train with a lower learning "
        'rate',
    )


def truth_from_sample(sample: dict, category_ids: tuple[int, ...]) -> Truth:
    """Return the annotated objects of a data sample whose metainfo holds the dataset's `instances`."""
    instances = sample['instances']
    labels = np.array([instance['bbox_label'] for instance in instances], np.int64)
    return Truth(
        image_id=sample['img_id'],
        size=tuple(map(int, sample['ori_shape'][:2])),
        categories=np.asarray(category_ids, np.int64)[labels],
        masks=[instance['mask'] for instance in instances],
        attributes=[tuple(instance.get('attributes', ())) for instance in instances],
    )


def resize_truth(truth: Truth, size: tuple[int, int] | None) -> Truth:
    """Resize true masks to the size of the comparison as `cv2.resize(INTER_NEAREST)` would; None leaves them."""
    if size is None:
        return truth
    return replace(truth, size=size, masks=[resize_coco(mask, size) for mask in truth.masks])
