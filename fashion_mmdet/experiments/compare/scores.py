"""The scores of every image of a run's dump, kept beside it.

The score is the competition's whatever the run's own metric: category only, image average, masks at 512x512.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_128_hexdigest

from fashion_mmdet.analysis.sensitivity import ClassTally
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.matching import ImageCounts
from fashion_mmdet.evaluation.offline import count_predictions
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.experiments.runs import Run
from fashion_mmdet.utils.files import fast_hash, sha256, write_text
from fashion_mmdet.utils.json_files import COUNT, NUMBER, OBJECT, TEXT, check_fields, list_of, object_of, read_object
from fashion_mmdet.utils.progress import track

VERSION = 2  # of the kept file; a new one after any change of what it holds or how it is counted
CACHE = 'val.scores.json'
FIELDS = {
    'score': NUMBER,
    'score_50': NUMBER,
    'postprocess': OBJECT,
    'truth_sha256': TEXT,
    'checkpoint': TEXT,
    'images': object_of(list_of(NUMBER, 2)),
    'classes': object_of(list_of(COUNT, 3)),
}


@dataclass(frozen=True)
class RunScores:
    """A dump, scored.

    Attributes:
        score, score_50: over all images, at ten IoU thresholds and at 0.5 alone.
        images: image id to (score, score at IoU 0.5), in the order of testing.
        classes: category to (true positives, false positives, false negatives) at IoU 0.5.
        postprocess: every option, defaults too.
        truth_sha256: hash of the CSV with the true masks.
        checkpoint: file that made the predictions.
    """

    score: float
    score_50: float
    images: dict[str, tuple[float, float]]
    classes: dict[int, tuple[int, int, int]]
    postprocess: dict[str, Any]
    truth_sha256: str
    checkpoint: str

    @property
    def by_image(self) -> dict[str, float]:
        """Score of each image."""
        return {image: score for image, (score, _) in self.images.items()}

    def sensitivity(self, category: int) -> float | None:
        """Return the share of a class's true objects that were found; None without any."""
        return self._recall([category])

    def sensitivity_beside(self, categories: Sequence[int]) -> float | None:
        """Return the share of all true objects of the other classes that were found: what aiming at some costs."""
        return self._recall(self.classes.keys() - set(categories))

    def _recall(self, categories: Iterable[int]) -> float | None:
        counts = [self.classes.get(category, (0, 0, 0)) for category in categories]
        tp, fn = sum(tp for tp, _, _ in counts), sum(fn for _, _, fn in counts)
        return tp / (tp + fn) if tp + fn else None

    def objects(self, category: int) -> int:
        """Return the number of a class's true objects."""
        tp, _, fn = self.classes.get(category, (0, 0, 0))
        return tp + fn

    def tallies(self) -> list[ClassTally]:
        """Convert the classes to what `analysis.sensitivity.pick_targets` takes."""
        return [
            ClassTally(category, objects=tp + fn, true_positives=tp) for category, (tp, _, fn) in self.classes.items()
        ]


def score_run(run: Run) -> RunScores | None:
    """Score a run's dump with its config's `postprocess`, or read the kept scores of an unchanged one.

    Returns:
        None without a dump; without its truth too, unless the scores were kept.

    Raises:
        ValueError: not a dump, an unknown option of `postprocess`, or an image without truth.
    """
    if run.dump is None:
        return None
    try:
        options = Postprocess.from_config(run.options)
    except ValueError as error:
        raise ValueError(f'{run.config.filename}: {error}') from None
    key = cache_key(run.dump, run.truth, options)
    cache = run.dump.with_name(CACHE)
    kept = read_cache(cache, key)
    if kept is not None or key['truth'] is None:
        return kept
    scores = _score(run, options)
    content = asdict(scores)
    try:
        write_text(cache, json.dumps(dict(key=key, hash=_hash_scores(content), scores=content)))
    except OSError as error:  # somebody else's folder
        logging.getLogger(__name__).warning('%s: scores not kept: %s', cache, error.strerror)
    return scores


def cache_key(dump: Path, truth: Path, options: Postprocess) -> dict[str, Any]:
    """Describe what the scores depend on: content of the files, options; `truth` is None where it is missing."""
    key = dict(
        version=VERSION,
        dump=fast_hash(dump),
        truth=fast_hash(truth) if truth.is_file() else None,
        postprocess=asdict(options),
    )
    if options.rescorer is not None:
        key['rescorer'] = fast_hash(Path(options.rescorer))
    return json.loads(json.dumps(key))  # as it will be read: tuples as lists, keys as text


def read_cache(path: Path, key: dict[str, Any]) -> RunScores | None:
    """Read kept scores; None where there are none or they are not of this dump, truth and options."""
    try:
        kept = read_object(path)
        wanted = key if key['truth'] is not None else {**key, 'truth': kept['key']['truth']}
        if kept['key'] != wanted:
            return None
        scores = kept['scores']
        if kept['hash'] != _hash_scores(scores):
            raise ValueError('damaged')
        check_fields(scores, FIELDS, str(path), FIELDS)
        scores['images'] = {image: tuple(values) for image, values in scores['images'].items()}
        scores['classes'] = {int(category): tuple(counts) for category, counts in scores['classes'].items()}
        if not scores['classes'].keys() <= set(range(len(CATEGORIES))):
            raise ValueError('classes: no such category')
        return RunScores(**scores)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logging.getLogger(__name__).warning('%s: not what was kept, counted again: %s', path, error)
        return None


def _hash_scores(scores: dict) -> str:
    return xxh3_128_hexdigest(json.dumps(scores).encode())


def _score(run: Run, options: Postprocess) -> RunScores:
    info = read_info(run.dump)
    raws = track(read_dump(run.dump), f'scoring {run.name}', total=len(info.images))
    counts, _ = count_predictions((postprocess(raw, options, SIZE) for raw in raws), run.truth, SIZE)
    total, single = summarize(counts), [summarize([image]) for image in counts]
    return RunScores(
        score=total.score,
        score_50=total.score_50,
        images={image.image_id: (own.score, own.score_50) for image, own in zip(counts, single, strict=True)},
        classes=_sum_classes(counts),
        postprocess=json.loads(json.dumps(asdict(options))),
        truth_sha256=sha256(run.truth),
        checkpoint=info.checkpoint,
    )


def _sum_classes(images: list[ImageCounts]) -> dict[int, tuple[int, int, int]]:
    """Sum the counts at IoU 0.5 of every class that is true or predicted; by id."""
    totals: dict[int, np.ndarray] = {}
    for image in images:
        for category, counts in zip(image.categories.tolist(), image.counts[:, 0], strict=True):
            totals[category] = totals.get(category, 0) + counts
    return {category: tuple(totals[category].tolist()) for category in sorted(totals)}
