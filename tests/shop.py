"""A small shop for tests: photos of one colour each, and their catalogue, indexed."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from builders import write_catalogue
from stand_in_model import SeeingModel

from fashion_mmdet.catalogue.annotate import PROJECTION
from fashion_mmdet.catalogue.annotator import Seen, image_of
from fashion_mmdet.catalogue.embeddings import fit_projection
from fashion_mmdet.catalogue.query import build_store
from fashion_mmdet.evaluation.postprocess import postprocess
from fashion_mmdet.inference.result import make_result

SIZE = 40, 56
COUNT = 12  # photos, a dress and a shoe on each
EXTRA = pa.schema([('price', pa.float64()), ('in_stock', pa.bool_()), ('added', pa.date32()), ('label', pa.binary())])


def png(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """Draw a photo of a colour of its own, a little noise on it."""
    generator = np.random.default_rng(number)
    pixels = generator.integers(0, 200, 3) + generator.integers(0, 40, (*size, 3))
    return cv2.imencode('.png', pixels.astype(np.uint8))[1].tobytes()


def write_shop(folder: Path) -> Path:
    """Write `photos` and an indexed `catalogue`; photo k costs k, 0 has no price; every third is sold out."""
    model, rows, described = SeeingModel(), [], []
    (folder / 'photos').mkdir(parents=True)
    for number in range(COUNT):
        (folder / 'photos' / f'{number}.png').write_bytes(png(number))
        prepared = model.prepare(png(number))
        ((raw, features),) = model.infer_features([prepared])
        prediction = postprocess(raw, model.postprocess)
        seen = Seen({}, image_of(prepared), prediction, features)
        described.append(seen.describe(seen.masks()))
        own = dict(price=number or None, in_stock=number % 3 > 0, label=b'\xff')
        for place, one in enumerate(make_result(prediction).garments):
            box = dict(zip(('x1', 'y1', 'x2', 'y2'), one.box, strict=True))
            rows.append(
                dict(
                    image=f'{number}.png', height=SIZE[0], width=SIZE[1], garment=place, category=one.category,
                    attributes=list(one.attributes), score=one.score, colours=_colours(number), **box, **own,
                )
            )  # fmt: skip
    projection = fit_projection(np.concatenate(described), model.fingerprint)
    for row, embedding in zip(rows, projection(np.concatenate(described)), strict=True):
        row['embedding'] = embedding
    write_catalogue(folder / 'catalogue', rows, [], EXTRA, projection.size)
    projection.save(folder / 'catalogue' / PROJECTION)
    build_store(folder / 'catalogue')
    return folder


def _colours(number: int) -> list[dict]:
    return [dict(name='navy' if number % 2 else 'teal', L=1.0, a=2.0, b=3.0, share=1.0)]
