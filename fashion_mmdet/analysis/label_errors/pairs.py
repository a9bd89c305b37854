"""Labels and loosely thresholded predictions of an image, compared object by object."""

import os
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.error_types import match_objects
from fashion_mmdet.evaluation.matching import mask_ious
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.utils.progress import track

LOWEST_SCORE = 0.05  # even an unsure prediction speaks for a label


@dataclass(frozen=True)
class Pair:
    """The G labels and P predictions of one image, masks of one size.

    Attributes:
        truth: labels.
        prediction: by descending score.
        ious: (P, G) float64, mask IoUs whatever the classes.
        partners: (P,) int64, the label of its class that each prediction matches at IoU 0.5, -1 for none.
    """

    truth: Truth
    prediction: Prediction
    ious: np.ndarray
    partners: np.ndarray

    @property
    def same_class(self) -> np.ndarray:
        """Whether prediction and label have the same class, (P, G) bool."""
        return self.prediction.categories[:, None] == self.truth.categories

    def support(self) -> np.ndarray:
        """Return how far predictions support each label: the best score times IoU in its class, (G,)."""
        return self._best(self.ious * self.prediction.scores[:, None])

    def overlaps(self) -> np.ndarray:
        """Return the best IoU of each label with a prediction of its class, (G,)."""
        return self._best(self.ious)

    def _best(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.same_class, values, 0.0).max(axis=0, initial=0.0)


def pair_up(truth: Truth, prediction: Prediction) -> Pair:
    """Compare an image's labels with its predictions."""
    return Pair(truth, prediction, mask_ious(prediction.masks, truth.masks), match_objects(truth, prediction).partners)


def read_objects(
    dump: str | os.PathLike, truth: str | os.PathLike, options: Postprocess
) -> tuple[list[Truth], list[Prediction]]:
    """Read the labels and predictions of every image of a dump, as they are scored, at 512x512.

    Args:
        dump: raw predictions of photos that the model was not trained on.
        truth: CSV like train.csv.
        options: thresholds and policies, but for those that drop predictions of low scores.

    Raises:
        ValueError: not a dump, or an image without truth.
    """
    loose, by_image = replace(options, score_thr=LOWEST_SCORE, max_per_image=None), Truths(truth, SIZE)
    truths, predictions = [], []
    for raw in track(read_dump(dump), 'comparing', total=len(read_info(dump).images)):
        truths.append(by_image[raw.image_id])
        predictions.append(postprocess(raw, loose, SIZE))
    return truths, predictions
