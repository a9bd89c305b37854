"""From an upload to an answer: decoded in threads, predicted in batches, written in threads."""

import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import cv2
import numpy as np
from anyio import to_thread

from fashion_mmdet.catalogue.annotator import Seen, image_of
from fashion_mmdet.catalogue.embeddings import Projection
from fashion_mmdet.evaluation.postprocess import postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction
from fashion_mmdet.inference.model import Features, Model
from fashion_mmdet.inference.photos import to_rgb
from fashion_mmdet.inference.result import Result, make_result
from fashion_mmdet.service import schemas
from fashion_mmdet.service.batching import Batcher, Places
from fashion_mmdet.service.refusals import RefusalError
from fashion_mmdet.service.settings import Settings
from fashion_mmdet.service.uploads import Upload, check_photo
from fashion_mmdet.utils.parallel import count_cores

Made = TypeVar('Made')
Inferred = RawPrediction | tuple[RawPrediction, Features]


class Segmenter:
    """Answers uploads with one model in this process.

    Args:
        model: from `load_model`.
        settings: limits.
        on_batch: told the size of each batch and the seconds that it took.
        submit: takes what the model prepared and returns what `infer` does of it, instead of the batcher.
        projection: of the embeddings for `embed`, of the model's fingerprint; None where nobody asks for any.

    Attributes:
        infer: the model's pass over a batch, with features where there is a projection, for all kinds of requests.
    """

    def __init__(
        self,
        model: Model,
        settings: Settings,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
        submit: Callable[[Any], Awaitable[Inferred]] | None = None,
        projection: Projection | None = None,
    ) -> None:
        self._model, self._settings, self._projection = model, settings, projection
        self.labels, self.places = describe(model), Places(settings.max_under_way)
        self.infer: Callable[[list[Any]], list[Inferred]] = model.infer_features if projection else model.infer
        self.batcher: Batcher[Any, Inferred] = Batcher(self.infer, settings.max_batch, settings.max_wait_s, on_batch)
        self._submit = submit or self.batcher.submit
        self._threads = anyio.CapacityLimiter(count_cores())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context lasts; then finish what was handed in."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.batcher.run)
            yield
            self.batcher.stop()

    async def segment(self, upload: Upload, options: schemas.Options) -> schemas.Answer:
        """Answer an upload; RefusalError where it cannot be decoded or asks for too much."""
        prepared = await self._in_thread(self._prepare, upload)
        found = await self._submit(prepared)
        return await self._in_thread(self._answer, found[0] if self._projection else found, upload, options)

    async def embed(self, upload: Upload, options: schemas.Options) -> tuple[schemas.Answer, np.ndarray]:
        """Answer an upload, with an embedding for each garment, (N, D) float16; errors as `segment`."""
        prepared = await self._in_thread(self._prepare, upload)
        found = await self._submit(prepared)
        return await self._in_thread(self._embed, found, prepared, upload, options)

    def answer_alone(self, upload: Upload, options: schemas.Options) -> schemas.Answer:
        """Answer an upload without queue and threads; errors as `segment`."""
        return self._answer(self._model.infer([self._prepare(upload)])[0], upload, options)

    def embed_alone(self, upload: Upload, options: schemas.Options) -> tuple[schemas.Answer, np.ndarray]:
        """Answer an upload as `embed` does, without queue and threads."""
        prepared = self._prepare(upload)
        return self._embed(self.infer([prepared])[0], prepared, upload, options)

    async def _in_thread(self, call: Callable[..., Made], *args: Any) -> Made:
        return await to_thread.run_sync(call, *args, abandon_on_cancel=True, limiter=self._threads)

    def _prepare(self, upload: Upload) -> Any:
        """Bring a photo to the network's size: what waits in the queue is small, whatever the photo's size."""
        check_photo(upload.content, self._settings.max_pixels)
        try:
            return self._model.prepare(upload.content)
        except (ValueError, OSError) as error:
            raise RefusalError(422, str(error)) from None

    def _answer(self, raw: RawPrediction, upload: Upload, options: schemas.Options) -> schemas.Answer:
        return self._write(self._decide(raw, options), upload, options)

    def _embed(
        self, found: tuple[RawPrediction, Features], prepared: Any, upload: Upload, options: schemas.Options
    ) -> tuple[schemas.Answer, np.ndarray]:
        prediction = self._decide(found[0], options)
        seen = Seen({}, image_of(prepared), prediction, found[1])
        return self._write(prediction, upload, options), self._projection(seen.describe(seen.masks()))

    def _decide(self, raw: RawPrediction, options: schemas.Options) -> Prediction:
        chosen = self._model.postprocess
        if options.threshold is not None:
            chosen = replace(chosen, score_thr=options.threshold)
        return postprocess(raw, chosen)

    def _write(self, prediction: Prediction, upload: Upload, options: schemas.Options) -> schemas.Answer:
        result = make_result(prediction, upload.content)
        return write_answer(result, upload, options, self._model.fingerprint, self._settings.max_pixels)


def describe(model: Model) -> schemas.Labels:
    """Say what a model can find."""
    thresholds = model.postprocess.score_thresholds()
    names = dict(enumerate(model.attributes))
    return schemas.Labels(
        name=model.name,
        model=model.fingerprint,
        categories=[
            schemas.Label(id=key, name=name, threshold=float(thresholds[key])) for key, name in model.categories.items()
        ],
        attributes=[schemas.Label(id=key, name=name) for key, name in names.items()],
    )


def write_answer(
    result: Result, upload: Upload, options: schemas.Options, fingerprint: str, max_pixels: int
) -> schemas.Answer:
    """Write a result as the options ask for; RefusalError where the cut-outs would have more than `max_pixels`."""
    polygons = result.polygons() if options.masks == 'polygon' else []
    cutouts = _cut_out(result, upload, max_pixels) if options.cutouts else []
    return schemas.Answer(
        image_id=os.path.basename(upload.name) or result.image_id,
        height=result.height,
        width=result.width,
        model=fingerprint,
        garments=[
            schemas.Garment(
                category=garment.category,
                category_id=garment.category_id,
                score=garment.score,
                box=garment.box,
                area=garment.area,
                mask=schemas.Rle(**garment.mask) if options.masks == 'rle' else None,
                polygons=[_write_polygon(one) for one in polygons[index]] if options.masks == 'polygon' else None,
                attributes=list(garment.attributes) if options.attributes else None,
                attribute_ids=list(garment.attribute_ids) if options.attributes else None,
                cutout=cutouts[index] if options.cutouts else None,
            )
            for index, garment in enumerate(result.garments)
        ],
    )


def _write_polygon(polygon: Any) -> schemas.Polygon:
    return schemas.Polygon(outer=polygon.outer.tolist(), holes=[hole.tolist() for hole in polygon.holes])


def _cut_out(result: Result, upload: Upload, max_pixels: int) -> list[str]:
    """Cut all garments out, as PNGs in base64; the photo is decoded once for all."""
    boxes = [garment.box for garment in result.garments]
    if sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes) > max_pixels:
        raise RefusalError(422, f'the cut-outs of {len(boxes)} garments are too large: ask for a higher threshold')
    whole = Result(result.image_id, result.height, result.width, result.garments, to_rgb(upload.content))
    cut = (cv2.cvtColor(whole.cutout(index), cv2.COLOR_RGBA2BGRA) for index in range(len(boxes)))
    return [base64.b64encode(cv2.imencode('.png', one)[1]).decode() for one in cut]
