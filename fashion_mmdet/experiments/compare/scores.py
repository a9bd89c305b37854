"""The scores of every image of a run's dump, kept beside it.

The score is the competition's whatever the run's own metric: category only, image average, masks at 512x512.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from fashion_mmdet.analysis.sensitivity import ClassTally
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.matching import ImageCounts
from fashion_mmdet.evaluation.offline import count_predictions
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction
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
        classes: category to (hits, spurious, missed) at IoU 0.5.
        postprocess: every option, defaults too.
        truth_sha256: of the CSV with the true masks.
        checkpoint: whose predictions they are.
    """

    score: float
    score_50: float
    images: dict[str, tuple[float, float]]
    classes: dict[int, tuple[int, int, int]]
    postprocess: dict[str, Any]
    truth_sha256: str
    checkpoint: str

    def sensitivity(self, category: int) -> float | None:
        """Share of a class's true objects that were found; None without any."""
        return self._recall([category])

    def sensitivity_beside(self, categories: Sequence[int]) -> float | None:
        """Share of all true objects of the other classes that were found: what aiming at some classes costs."""
        return self._recall([category for category in self.classes if category not in categories])

    def _recall(self, categories: Sequence[int]) -> float | None:
        counts = [self.classes.get(category, (0, 0, 0)) for category in categories]
        hits, missed = sum(found for found, _, _ in counts), sum(missed for _, _, missed in counts)
        return hits / (hits + missed) if hits + missed else None

    def objects(self, category: int) -> int:
        """Number of a class's true objects."""
        hits, _, missed = self.classes.get(category, (0, 0, 0))
        return hits + missed

    def tallies(self) -> list[ClassTally]:
        """Give the classes as `analysis.sensitivity.pick_targets` takes them."""
        return [
            ClassTally(category, objects=hits + missed, hits=hits)
            for category, (hits, _, missed) in self.classes.items()
        ]


def score_run(run: Run) -> RunScores | None:
    """Score a run's dump with its config's `postprocess`, or take what was kept of an unchanged one.

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
    try:
        content = asdict(scores)
        write_text(cache, json.dumps(dict(key=key, hash=_hash_scores(content), scores=content)))
    except OSError as error:  # somebody else's folder
        logging.getLogger(__name__).warning('%s: scores not kept: %s', cache, error.strerror)
    return scores


def cache_key(dump: Path, truth: Path, options: Postprocess) -> dict[str, Any]:
    """Describe what the scores hang on: content of the files, options; `truth` None where it is missing."""
    key = dict(
        version=VERSION,
        dump=fast_hash(dump),
        truth=fast_hash(truth) if truth.is_file() else None,
        postprocess=asdict(options),
    )
    if options.filter is not None:
        key['filter'] = fast_hash(Path(options.filter))
    return json.loads(json.dumps(key))  # as it will be read: tuples as lists, keys as text


def read_cache(path: Path, key: dict[str, Any]) -> RunScores | None:
    """Read kept scores; None where there are none or they are not of this dump, truth and options."""
    try:
        kept = read_object(path)
        wanted = key if key['truth'] is not None else {**key, 'truth': kept['key']['truth']}
        if kept['key'] != wanted:
            return None
        if kept['hash'] != _hash_scores(kept['scores']):
            raise ValueError('damaged')
        scores = dict(kept['scores'])
        check_fields(scores, FIELDS, str(path), FIELDS)
        scores['images'] = {image: tuple(values) for image, values in scores['images'].items()}
        scores['classes'] = {int(category): tuple(counts) for category, counts in scores['classes'].items()}
        if not scores['classes'].keys() <= set(range(len(CATEGORIES))):
            raise ValueError('classes: no such category')
        return RunScores(**scores)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logging.getLogger(__name__).warning('%s: not what was kept, counted anew: %s', path, error)
        return None


def _hash_scores(scores: dict) -> str:
    return xxh3_128_hexdigest(json.dumps(scores).encode())


def _score(run: Run, options: Postprocess) -> RunScores:
    counts, _ = count_predictions(_predictions(run, options), run.truth, SIZE)
    total = summarize(counts)
    images = {}
    for image in counts:
        own = summarize([image])
        images[image.image_id] = (own.score, own.score_50)
    return RunScores(
        score=total.score,
        score_50=total.score_50,
        images=images,
        classes=_sum_classes(counts),
        postprocess=json.loads(json.dumps(asdict(options))),
        truth_sha256=sha256(run.truth),
        checkpoint=read_info(run.dump).checkpoint,
    )


def _predictions(run: Run, options: Postprocess) -> Iterator[Prediction]:
    for raw in track(read_dump(run.dump), f'scoring {run.name}', total=len(read_info(run.dump).images)):
        yield postprocess(raw, options, SIZE)


def _sum_classes(images: list[ImageCounts]) -> dict[int, tuple[int, int, int]]:
    """Sum the counts at IoU 0.5 of every class that is true or predicted; by id."""
    totals: dict[int, list[int]] = {}
    for image in images:
        for category, counts in zip(image.categories.tolist(), image.counts[:, 0].tolist(), strict=True):
            totals[category] = [old + new for old, new in zip(totals.get(category, [0, 0, 0]), counts, strict=True)]
    return {category: tuple(totals[category]) for category in sorted(totals)}
