"""Outputs of a test besides its scores: submission and overlays, from the dump."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

import cv2

from fashion_mmdet.classes import category_ids
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.overlay import save_picture, side_by_side
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import resize_truth, truth_from_sample
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.evaluation.submission import SIZE, write_submission
from fashion_mmdet.utils.files import picture_name
from fashion_mmdet.utils.progress import track


def submit(dump: str | os.PathLike, path: str | os.PathLike, options: Postprocess, image_ids: Sequence[str]) -> int:
    """Write the submission of a dump and return the number of masks; errors as of `submission.write_submission`."""
    if options.overlap == 'none':
        raise ValueError("overlap='none': the competition refuses masks of a ClassId that overlap")
    raws = track(read_dump(dump), 'submission', total=len(image_ids))
    return write_submission(path, (postprocess(raw, options, SIZE) for raw in raws), image_ids)


def draw_overlays(
    dump: str | os.PathLike,
    folder: str | os.PathLike,
    options: Postprocess,
    images: Sequence[dict],
    dataset_meta: dict,
    with_truth: bool,
) -> int:
    """Draw true and predicted masks side by side, one PNG per image, and return the number of pictures.

    File names begin with the score, so that the worst images sort first.

    Args:
        dump: raw predictions; images that it lacks are left out.
        folder: where to write the PNGs.
        options: as the metric's.
        images: the dataset's images (img_id, img_path, height, width, instances).
        dataset_meta: with the dataset's classes.
        with_truth: False for images without annotations.
    """
    known = {image['img_id']: image for image in images}
    ids = category_ids(dataset_meta)
    count = 0
    for raw in track(read_dump(dump), 'pictures', total=len(images)):
        if raw.image_id not in known:
            continue
        image = known[raw.image_id]
        photo = cv2.cvtColor(load_photo(image['img_path']), cv2.COLOR_BGR2RGB)
        prediction = postprocess(raw, options)
        name, truth, score = picture_name(raw.image_id, '.png'), None, None
        for older in Path(folder).glob(f'?.???_{glob.escape(name)}'):
            older.unlink()
        if with_truth:
            truth = truth_from_sample({**image, 'ori_shape': (image['height'], image['width'])}, ids)
            score = summarize([count_image(resize_truth(truth, SIZE), postprocess(raw, options, SIZE))]).score
            name = f'{score:.3f}_{name}'
        save_picture(side_by_side(photo, prediction, truth, score), Path(folder) / name)
        count += 1
    return count
