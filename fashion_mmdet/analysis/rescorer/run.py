"""From images to a rescorer, with what it is worth on images that it did not see and where it comes from."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from fashion_mmdet.analysis.rescorer.calibration import Calibration, calibrate
from fashion_mmdet.analysis.rescorer.data import TrainingData
from fashion_mmdet.analysis.rescorer.validation import ROWS, Fold, Settings, best_threshold, validate
from fashion_mmdet.evaluation.dump import DumpWriter, read_info
from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.evaluation.rescorer.model import Rescorer
from fashion_mmdet.utils.files import sha256

MODELS = 2  # of the rescorer itself


@dataclass(frozen=True)
class Trained:
    """A rescorer fitted on all images, and the folds that tell its worth."""

    fitted: Rescorer  # the rescorer
    threshold: float  # score threshold for its confidences, chosen on `out_of_fold`
    folds: list[Fold]  # of all repeats
    out_of_fold: list[RawPrediction]  # each image with its confidences as held out in the first repeat
    calibrations: list[tuple[Calibration, Calibration]]  # of each fold, see `compare_calibration`
    pooled: tuple[Calibration, Calibration]  # the same over the folds of the first repeat: every image once


def train(data: TrainingData, settings: Settings) -> Trained:
    """Try a rescorer on folds, then fit it on all images; `settings.fits() + MODELS` models in all.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    folds = validate(data, settings)
    first = folds[: settings.folds]
    images = [image for fold in first for image in fold.held_out.tolist()]
    out_of_fold = data.with_scores(images, [values for fold in first for values in fold.confidences])
    everyone = range(len(out_of_fold))
    threshold = best_threshold(data.score_cache(out_of_fold), everyone, data.base)
    models = [data.fit(everyone, confidence, settings.kind, settings.seed) for confidence in ('hit', 'gain')]
    fitted = Rescorer(*models, settings.confidence)
    calibrations = [compare_calibration(data, [fold]) for fold in folds]
    return Trained(fitted, threshold, folds, out_of_fold, calibrations, compare_calibration(data, first))


def compare_calibration(data: TrainingData, folds: Sequence[Fold]) -> tuple[Calibration, Calibration]:
    """Calibrate the model's scores, and the rescorer's P(hit), on the folds' held-out images."""
    images = [image for fold in folds for image in fold.held_out.tolist()]
    hits = np.concatenate([data.hits(image)[:, 0] for image in images])
    before = np.concatenate([data.raws[image].scores for image in images])
    after = np.concatenate([values for fold in folds for values in fold.hit_probs])
    return calibrate(before, hits), calibrate(after, hits)


def describe(
    trained: Trained,
    data: TrainingData,
    settings: Settings,
    dump: str | os.PathLike,
    truth: str | os.PathLike,
    command: str,
) -> dict[str, Any]:
    """Describe the origin of a rescorer: command, dump and truth with hashes, settings, categories, held-out scores."""
    scores = np.array([fold.scores for fold in trained.folds]).mean(axis=0)
    categories = np.concatenate([raw.categories for raw in data.raws])
    return dict(
        command=command,
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        dump=str(dump),
        dump_sha256=sha256(dump),
        checkpoint=read_info(dump).checkpoint,
        truth=str(truth),
        truth_sha256=sha256(truth),
        images=len(data.raws),
        detections=len(categories),
        category_ids=np.unique(categories).tolist(),
        settings=asdict(settings),
        metric=asdict(data.metric),
        postprocess=asdict(data.base),
        threshold=trained.threshold,
        held_out_scores=dict(zip(ROWS, scores.tolist(), strict=True)),
    )


def write_dump(raws: Sequence[RawPrediction], path: str | os.PathLike, source: str | os.PathLike) -> None:
    """Write raw predictions as a dump with the config and checkpoint of another."""
    info = read_info(source)
    writer = DumpWriter(path, info.config, info.checkpoint)
    for raw in raws:
        writer.write(raw)
    writer.close()
