"""What tuning and the training of a rescorer start from: options, a dump and its truth."""

import os
from collections.abc import Sequence

from fashion_mmdet.config import parse_options, read_postprocess
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.utils.literals import read_assignment


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


def read_options(dump: str, postprocess: str | None, changes: Sequence[str]) -> Postprocess:
    """Read the options to start from: those of a file, or else the dump's, with `key=value` changes to them."""
    base = Postprocess.from_config(read_postprocess(postprocess)) if postprocess else options_of_dump(dump)
    return Postprocess.from_config({**vars(base), **parse_options(changes)})


def options_of_dump(dump: str | os.PathLike) -> Postprocess:
    """Return the `postprocess` of the config that made a dump; the defaults where it names none.

    Raises:
        ValueError: not a dump, or options that do not exist.
    """
    try:
        return Postprocess.from_config(read_assignment(read_info(dump).config, 'postprocess'))
    except ValueError as error:
        raise ValueError(f'{dump}: {error}') from None
