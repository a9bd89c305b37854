"""Tuning from files: a dump and a truth CSV in, options and a table out."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fashion_mmdet.analysis.tuning.engine import Engine
from fashion_mmdet.analysis.tuning.report import Tuning
from fashion_mmdet.analysis.tuning.search import STAGES, Tuner
from fashion_mmdet.analysis.tuning.validation import (
    MMDET_DEFAULT,
    choose_stages,
    evaluate,
    make_splits,
    validate_procedure,
)
from fashion_mmdet.datasets.records import read_records
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.offline import truth_from_record
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.utils.options import read_assignment


@dataclass(frozen=True)
class Plan:
    """How images are held out: folds, repeated with seeds from `seed` on."""

    folds: int = 2
    repeats: int = 3
    seed: int = 0

    def searches(self) -> int:
        """Count the searches of `tune`, at least."""
        splits = self.folds * self.repeats
        return len(STAGES) * splits * (1 + splits)


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
    records, audit = read_records(truth)
    known = {record.image_id: record for record in records}
    truths: dict[str, Truth] = {}
    for raw in raws:
        if raw.image_id not in known:
            raise ValueError(f'{truth}: no image {raw.image_id!r}')
        if raw.image_id in truths:
            raise ValueError(f'{dump}: image {raw.image_id!r} comes twice')
        truths[raw.image_id] = truth_from_record(known[raw.image_id], size)
    return raws, truths, audit.report()


def options_of_dump(dump: str | os.PathLike) -> Postprocess:
    """Take the `postprocess` of the config that made a dump; the defaults where it names none.

    Raises:
        ValueError: not a dump, or options that do not exist.
    """
    try:
        return Postprocess.from_config(read_assignment(read_info(dump).config, 'postprocess'))
    except ValueError as error:
        raise ValueError(f'{dump}: {error}') from None


def tune(
    engine: Engine,
    base: Postprocess,
    plan: Plan,
    min_support: int,
    axes: Mapping[str, tuple] | None = None,
    on_fit: Callable[[], None] = lambda: None,
) -> tuple[Tuning, Tuner]:
    """Find options on all images, and what they are worth on images not fitted on.

    Args:
        engine: holds the images.
        base: the config's own options, to start from.
        plan: of the folds.
        min_support, axes: see `Tuner`.
        on_fit: called after each search.

    Raises:
        ValueError: too few images for the folds.
    """
    count = len(engine.image_ids)
    if count < plan.folds**2:
        raise ValueError(
            f'{count} image(s) are too few for folds={plan.folds}: at least {plan.folds**2}, '
            'as stages are chosen on folds of folds'
        )
    tuner = Tuner(engine, base, min_support, axes, on_fit)
    images = tuple(range(count))
    splits = make_splits(tuner, images, plan.folds, plan.repeats, plan.seed)
    default = evaluate(tuner, splits, [MMDET_DEFAULT] * len(splits))
    choice = choose_stages(tuner, splits)
    procedure = validate_procedure(tuner, splits, plan.folds, plan.repeats, plan.seed)
    options = tuner.fit(images, choice.kept)
    return Tuning(
        options, engine.score(images, options), default, choice, procedure, count, plan.folds, plan.repeats, splits
    ), tuner
