"""A model for tests of what surrounds one: it finds what the photo's size and colour say, and fails when told to."""

import threading
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from builders import make_raw
from mmdet.structures import DetDataSample

from fashion_mmdet.catalogue.annotator import image_of
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.datasets.decoding import decode_whole
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.inference.model import Features
from fashion_mmdet.inference.photos import read_photo

BAD = (3, 1, 2)  # blue, green, red
WEAK = 0.2  # score of the weakest of the three things in every photo


class StandInModel:
    """Finds a dress in the left half of every photo, a shoe and a faint hat at its right edge.

    Attributes:
        gate: cleared, it keeps the network from answering.
        batches: sizes of the batches seen.
        entered: released once for each batch that arrives.
    """

    name, fingerprint = 'stand-in', 'f00d'
    categories, attributes = dict(enumerate(CATEGORIES)), ATTRIBUTES

    def __init__(self) -> None:
        self.postprocess = Postprocess(score_thr=0.5)
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.gate.set()
        self.batches: list[int] = []

    def prepare(self, photo: bytes) -> np.ndarray:
        """Decode a photo."""
        read = read_photo(photo)
        return decode_whole(read.content, read.image_id)

    def infer(self, photos: Sequence[np.ndarray]) -> list[RawPrediction]:
        """Find the same in each photo; one of the colour BAD breaks the batch."""
        self.batches.append(len(photos))
        self.entered.release()
        assert self.gate.wait(60), 'the test forgot to open the gate'
        if any((photo == BAD).all() for photo in photos):
            raise RuntimeError('a bad photo')
        return [find(*photo.shape[:2]) for photo in photos]


def find(height: int, width: int) -> RawPrediction:
    """Make the raw prediction of a photo of that size."""
    half, edge = width // 2, width - 4
    objects = [
        (CATEGORIES.index('dress'), 0.9, (0, 0, half, height)),
        (CATEGORIES.index('shoe'), 0.6, (edge, 0, width, 4)),
        (CATEGORIES.index('hat'), WEAK, (edge, 4, width, 8)),
    ]
    raw = make_raw('photo', *objects, size=(height, width))
    raw.attribute_probs = np.zeros((3, len(ATTRIBUTES)), np.float16)
    raw.attribute_probs[0, 7] = 1  # midi
    return raw


class SeeingModel(StandInModel):
    """A stand-in whose network sees features too: the photo's colours, at four strides."""

    def prepare(self, photo: bytes) -> dict:
        """Decode a photo and lay it out as a model's pipeline does."""
        image = super().prepare(photo)
        sample = DetDataSample(metainfo=dict(img_shape=image.shape[:2]))
        return dict(inputs=torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), data_samples=sample)

    def infer(self, photos: Sequence[dict]) -> list[RawPrediction]:
        """As the stand-in does."""
        return super().infer([image_of(one) for one in photos])

    def infer_features(self, photos: Sequence[dict]) -> list[tuple[RawPrediction, Features]]:
        """As `infer`, with the photo's colours as features."""
        return [(raw, see_colours(image_of(one))) for raw, one in zip(self.infer(photos), photos, strict=True)]


def see_colours(image: np.ndarray) -> Features:
    """Shrink a photo's colours to the levels of a feature pyramid."""
    height, width = image.shape[:2]
    sizes = [(-(-width // stride), -(-height // stride)) for stride in (4, 8, 16, 32)]
    levels = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) / np.float32(255) for size in sizes]
    return Features([level.transpose(2, 0, 1) for level in levels], (height, width))
