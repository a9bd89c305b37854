"""What travels between the model and its uses: raw predictions in, final masks out. No torch."""

from dataclasses import dataclass, field, replace

import numpy as np

from fashion_mmdet.rle import resize_coco


@dataclass(slots=True)
class RawPrediction:
    """What the model's heads say of one image, before any threshold.

    Attributes:
        image_id: as in the CSV.
        height: of the photo, in pixels.
        width: of the photo, in pixels.
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
        attribute_probs: (N, 92) float16 in [0, 1], what the attributes were chosen from; None without an attribute
            head.
    """

    image_id: str
    size: tuple[int, int]
    categories: np.ndarray
    scores: np.ndarray
    masks: list[dict]
    attributes: list[tuple[int, ...]] = field(default_factory=list)
    attribute_probs: np.ndarray | None = None

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
    """Make the raw prediction of an image in which nothing was found."""
    return RawPrediction(image_id, height, width, np.zeros(0, np.int64), np.zeros(0, np.float32),
                         np.zeros((0, 4), np.float32), np.zeros((0, 28, 28), np.float16))


def raw_from_sample(sample: dict, category_ids: tuple[int, ...]) -> RawPrediction:
    """Take the raw prediction out of mmdet's data sample (as a dict, as metrics get it).

    Args:
        sample: with `img_id`, `ori_shape` and `pred_instances` (bboxes, labels, scores, mask_probs; attribute_probs
            where the model has an attribute head).
        category_ids: the category id of each label.

    Raises:
        ValueError: the model pasted its masks: its mask head is not a RawFCNMaskHead.
    """
    instances = sample['pred_instances']
    height, width = sample['ori_shape'][:2]
    labels = instances['labels'].cpu().numpy().astype(np.int64)
    if not len(labels):  # mmdet skips the mask head where no image of a batch has a detection
        return empty_prediction(sample['img_id'], int(height), int(width))
    if 'mask_probs' not in instances:
        raise ValueError('the model gives no raw mask probabilities: set mask_head.type to RawFCNMaskHead '
                         '(HTC: RawHTCMaskHead)')
    return RawPrediction(
        image_id=sample['img_id'], height=int(height), width=int(width),
        categories=np.asarray(category_ids, np.int64)[labels],
        scores=instances['scores'].float().cpu().numpy(),
        boxes=instances['bboxes'].float().cpu().numpy(),
        mask_probs=instances['mask_probs'].cpu().numpy(),
        attribute_probs=instances['attribute_probs'].cpu().numpy() if 'attribute_probs' in instances else None)


def truth_from_sample(sample: dict, category_ids: tuple[int, ...]) -> Truth:
    """Take the annotated objects out of a data sample whose metainfo holds the dataset's `instances`."""
    instances = sample['instances']
    return Truth(
        image_id=sample['img_id'], size=tuple(map(int, sample['ori_shape'][:2])),
        categories=np.asarray(category_ids, np.int64)[[instance['bbox_label'] for instance in instances]]
        if instances else np.zeros(0, np.int64),
        masks=[instance['mask'] for instance in instances],
        attributes=[tuple(instance.get('attributes', ())) for instance in instances])


def resize_truth(truth: Truth, size: tuple[int, int] | None) -> Truth:
    """Bring true masks to the size of the comparison, as `cv2.resize(INTER_NEAREST)` would; None leaves them."""
    if size is None:
        return truth
    return replace(truth, size=size, masks=[resize_coco(mask, size) for mask in truth.masks])
