"""Where a filter comes from, and its confidences as a dump."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import numpy as np

from fashion_mmdet.analysis.confidence.run import Trained
from fashion_mmdet.analysis.confidence.validation import ROWS, Material, Settings
from fashion_mmdet.evaluation.dump import DumpWriter, read_info
from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.utils.files import sha256


def describe(
    trained: Trained,
    material: Material,
    settings: Settings,
    dump: str | os.PathLike,
    truth: str | os.PathLike,
    command: str,
) -> dict[str, Any]:
    """Say where a filter comes from: command, dump and truth with their hashes, model, categories, held-out scores."""
    scores = np.array([fold.scores for fold in trained.folds]).mean(axis=0)
    categories = np.concatenate([raw.categories for raw in material.raws])
    return dict(
        command=command,
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        dump=str(dump),
        dump_sha256=sha256(dump),
        checkpoint=read_info(dump).checkpoint,
        truth=str(truth),
        truth_sha256=sha256(truth),
        images=len(material.raws),
        detections=len(categories),
        category_ids=np.unique(categories).tolist(),
        settings=asdict(settings),
        metric=asdict(material.metric),
        postprocess=asdict(material.base),
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
