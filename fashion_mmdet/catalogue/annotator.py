"""A few photos in, rows of the catalogue out: what every worker does, in a pool of processes or on Ray."""

import ast
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from fashion_mmdet.catalogue.colours import dominant_colours
from fashion_mmdet.catalogue.embeddings import Projection, describe_masks, scale_masks
from fashion_mmdet.catalogue.inputs import CONTENT, IMAGE, own_columns, read_content
from fashion_mmdet.catalogue.schema import garment_schema, photo_schema, problem_schema, to_table
from fashion_mmdet.evaluation.postprocess import postprocess
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.experiments.checkpoints import trust_files
from fashion_mmdet.inference import Garment, load_model
from fashion_mmdet.inference.model import Features, Model
from fashion_mmdet.inference.result import make_result
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_coco
from fashion_mmdet.utils.cli import describe


class Task(NamedTuple):
    """What a worker needs to know, such that it can be sent and compared.

    Attributes:
        run, checkpoint, device: as in `load_model`.
        options: that go over the model's postprocessing, a dict as Python writes it (dicts themselves have no hash).
        projection: file of the embeddings' projection.
        trust: load checkpoints that may run code.
    """

    run: str | None = None
    checkpoint: str | None = None
    device: str | None = None
    options: str = '{}'
    projection: str | None = None
    trust: bool = False


class Annotated(NamedTuple):
    """Rows of the catalogue's tables; `unreachable` of the problems are of the place that the photos lie in."""

    garments: pa.Table
    photos: pa.Table
    problems: pa.Table
    unreachable: int


class Seen(NamedTuple):
    """A photo that the network has seen.

    Attributes:
        row: of the input.
        image: (h, w, 3) uint8 BGR, at the network's scale.
        prediction: final garments, masks of the photo's size.
        features: of the forward pass.
    """

    row: dict[str, Any]
    image: np.ndarray
    prediction: Prediction
    features: Features

    def masks(self) -> np.ndarray:
        """Return the masks at the network's scale, (N, h, w) bool."""
        return scale_masks(self.prediction.masks, self.image.shape[:2])

    def describe(self, masks: np.ndarray) -> np.ndarray:
        """Describe garments by their masks at the network's scale, as `describe_masks`."""
        return describe_masks(self.image, masks, self.features.levels, self.features.size)


def look(model: Model, chunk: pa.Table, problems: list[tuple[dict[str, Any], Exception]]) -> Iterator[Seen]:
    """Run the model on the photos of a chunk, batch by batch; those that cannot be read go into `problems`."""
    rows = chunk.to_pylist()
    for start in range(0, len(rows), model.batch_size):
        batch = []
        for row in rows[start : start + model.batch_size]:
            content = row.pop(CONTENT, None)
            try:
                batch.append((row, model.prepare(read_content(row[IMAGE]) if content is None else content)))
            except (OSError, ValueError) as error:
                problems.append((row, error))
        found = model.infer_features([prepared for _, prepared in batch]) if batch else []
        for (row, prepared), (raw, features) in zip(batch, found, strict=True):
            yield Seen(row, image_of(prepared), postprocess(raw, model.postprocess), features)


def image_of(prepared: dict[str, Any]) -> np.ndarray:
    """Return the photo that `Model.prepare` gave without padding, (h, w, 3) uint8 BGR."""
    height, width = prepared['data_samples'].metainfo['img_shape'][:2]
    return np.ascontiguousarray(prepared['inputs'].numpy().transpose(1, 2, 0)[:height, :width])


def annotate_chunk(task: Task, chunk: pa.Table) -> Annotated:
    """Annotate the photos of a chunk (`inputs.Photos.chunk`)."""
    model, projection = load_cached(task), _load_projection(task)
    problems: list[tuple[dict[str, Any], Exception]] = []
    garments, photos, described = [], [], [np.zeros((0, projection.width), np.float32)]
    for seen in look(model, chunk, problems):
        masks, result = seen.masks(), make_result(seen.prediction)
        size = dict(height=result.height, width=result.width)
        photos.append(dict(seen.row, **size, garments=len(result.garments)))
        for number, (garment, mask) in enumerate(zip(result.garments, masks, strict=True)):
            found = dict(colours=_colours(seen.image, mask), garment=number)
            garments.append(dict(seen.row, **size, **found, **_columns(garment, model)))
        described.append(seen.describe(masks))
    extra = own_columns(chunk.schema)
    return Annotated(
        to_table(garments, garment_schema(projection.size, extra), projection(np.concatenate(described))),
        to_table(photos, photo_schema(extra)),
        to_table([dict(row, problem=describe(error)) for row, error in problems], problem_schema(extra)),
        sum(not isinstance(error, ValueError) for _, error in problems),
    )


def describe_chunk(task: Task, chunk: pa.Table) -> np.ndarray:
    """Describe a chunk's garments, (N, D) float32, to fit a projection on; (0, 0) where there are none."""
    described = [seen.describe(seen.masks()) for seen in look(load_cached(task), chunk, [])]
    return np.concatenate(described) if described else np.zeros((0, 0), np.float32)


def describe_model(task: Task) -> tuple[str, str, str]:
    """Return name, fingerprint and postprocessing of the model."""
    model = load_cached(task)
    return model.name, model.fingerprint, repr(model.postprocess)


def _colours(image: np.ndarray, mask: np.ndarray) -> list[dict[str, Any]]:
    """Find colours at the network's scale, where the photo has been decoded already."""
    scaled = runs_to_coco(mask_to_runs(mask), *mask.shape)
    return [colour._asdict() for colour in dominant_colours(image[..., ::-1], scaled)]


def _columns(garment: Garment, model: Model) -> dict[str, Any]:
    x1, y1, x2, y2 = garment.box
    return dict(
        category=garment.category,
        category_id=garment.category_id,
        attributes=list(garment.attributes),
        score=garment.score,
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        mask=garment.mask,
        area_px=garment.area,
        model=model.name,
        fingerprint=model.fingerprint,
    )


def load_cached(task: Task) -> Model:
    """Load the model, once a process."""
    return _load_once(task._replace(projection=None))


@functools.lru_cache(1)
def _load_once(task: Task) -> Model:
    trust_files(task.trust)
    model = load_model(task.run, task.checkpoint, device=task.device, postprocess=ast.literal_eval(task.options))
    if model.device.type == 'cpu':
        torch.set_num_threads(1)  # as in a worker of a pool: the same sums, to the bit, whatever their number
    return model


@functools.lru_cache(1)
def _load_projection(task: Task) -> Projection:
    return Projection.load(task.projection, load_cached(task).fingerprint)
