"""What tuning and the training of a rescorer start from: a dump and its truth."""

import os

from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.truths import Truths


def read_inputs(
    dump: str | os.PathLike, truth: str | os.PathLike, size: tuple[int, int] | None
) -> tuple[list[RawPrediction], dict[str, Truth], str]:
    """Read the images of a dump and their truths, masks at `size`.

    Returns:
        Raw predictions, truths by image id, and the report of the truth's audit ('' where nothing is wrong).

    Raises:
        ValueError: not a dump, no image in it, an image twice, or one without truth.
    """
    raws = list(read_dump(dump))
    if not raws:
        raise ValueError(f'{dump}: no images to tune on')
    known, truths = Truths(truth, size), {}
    for raw in raws:
        if raw.image_id in truths:
            raise ValueError(f'{dump}: image {raw.image_id!r} comes twice')
        truths[raw.image_id] = known[raw.image_id]
    return raws, truths, known.index.audit.report()
