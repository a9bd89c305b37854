"""The IoU sweep over ten thresholds, beside COCO's evaluation by pycocotools, faster-coco-eval and hotcoco."""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

from rich.progress import Progress

from fashion_mmdet.benchmarks.scenes import make_scenes, to_coco
from fashion_mmdet.benchmarks.timing import Table, compare
from fashion_mmdet.evaluation.matching import count_images
from fashion_mmdet.evaluation.scoring import Scores, summarize

IMAGES = 3200


def prepare_ours(images: int) -> Callable[[], Scores]:
    """Prepare this repository's way; its compiled loops are loaded before anything is timed."""
    truths, predictions = make_scenes(images)
    count_images(truths[:1], predictions[:1])
    return lambda: summarize(count_images(truths, predictions))


def prepare_pycocotools(images: int) -> Callable[[], SimpleNamespace]:
    """Prepare pycocotools' COCOeval."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return partial(_evaluate, COCO, COCOeval, *to_coco(*make_scenes(images)))


def prepare_faster(images: int) -> Callable[[], SimpleNamespace]:
    """Prepare faster-coco-eval's COCOeval_faster."""
    from faster_coco_eval import COCO, COCOeval_faster

    return partial(_evaluate, COCO, COCOeval_faster, *to_coco(*make_scenes(images)))


def _evaluate(coco: type, coco_eval: type, dataset: dict, results: list[dict]) -> SimpleNamespace:
    """Run an evaluator with pycocotools' interface; it writes into the dicts, so each call gets its own."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = {**dataset, 'annotations': [dict(one) for one in dataset['annotations']]}
        truth.createIndex()
        evaluation = coco_eval(truth, truth.loadRes([dict(one) for one in results]), 'segm')
        evaluation.params.areaRng, evaluation.params.areaRngLbl = evaluation.params.areaRng[:1], ['all']
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def prepare_hotcoco(images: int) -> Callable[[], object]:
    """Prepare hotcoco's COCOeval."""
    import hotcoco

    dataset, results = to_coco(*make_scenes(images))

    def call() -> object:
        truth = hotcoco.COCO(dataset)
        evaluation = hotcoco.COCOeval(truth, truth.load_res(results), 'segm')
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that one area range is not COCO's default
            evaluation.params.area_rng, evaluation.params.area_rng_lbl = evaluation.params.area_rng[:1], ['all']
            evaluation.run()
        return evaluation

    return call


PEERS = (
    ('hotcoco', 'hotcoco', prepare_hotcoco),
    ('faster-coco-eval', 'faster_coco_eval', prepare_faster),
    ('pycocotools', 'pycocotools', prepare_pycocotools),
)


def run(rounds: int, progress: Progress | None = None, images: int = IMAGES) -> list[Table]:
    """Measure; a smaller number of images is for tests."""
    contenders, missing = {'fashion_mmdet': partial(prepare_ours, images)}, []
    for name, module, prepare in PEERS:
        if importlib.util.find_spec(module):
            contenders[name] = partial(prepare, images)
        else:
            missing.append(name)
    note = (
        '7 true and 15 predicted masks of 46 classes an image, COCO RLE of 512x512 in memory, to the numbers. '
        'Peers: data set, loadRes, evaluate, accumulate, summarize; one area range of four. Ours: counts, score.'
        + (f' Not installed: {", ".join(missing)}.' if missing else '')
    )
    return [compare('Metric', f'{images:,} images', contenders, note, rounds, progress)]
