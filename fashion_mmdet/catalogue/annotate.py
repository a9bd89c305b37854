"""Annotate photos into a catalogue: shard after shard, on all cores, from where an earlier run was ended."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import xxhash

from fashion_mmdet.catalogue.annotator import Annotated, Task, annotate_chunk, describe_chunk, describe_model
from fashion_mmdet.catalogue.embeddings import Projection, fit_projection
from fashion_mmdet.catalogue.inputs import Photos
from fashion_mmdet.catalogue.schema import TABLES, Catalogue, Plan
from fashion_mmdet.inference.sources import SHIPPED
from fashion_mmdet.utils.locks import locked
from fashion_mmdet.utils.progress import progress_bar

PHOTOS_A_SHARD = 256
CHUNK = 16  # photos in a call of a worker, two batches of the model
FIT_PHOTOS = 256  # some 1,500 garments for a projection
PROJECTION = 'embedding.safetensors'
SHIPPED_PROJECTION = SHIPPED.with_name(f'{SHIPPED.stem}.{PROJECTION}')
Mapper = Callable[[Callable, Iterable[pa.Table]], Iterator]  # map, in order


@dataclass
class Tally:
    """What a run came to: photos annotated now, their garments, and photos that could not be read."""

    photos: int = 0
    garments: int = 0
    problems: int = 0


def annotate(
    photos: Photos,
    out: Path,
    task: Task,
    mapper: Mapper,
    photos_a_shard: int = PHOTOS_A_SHARD,
) -> Tally:
    """Annotate photos, or those that an earlier run of the same call has not.

    Args:
        photos: what to annotate.
        out: folder of the catalogue.
        task: the model; without a projection, and unless one is shipped with it, one is fitted on a sample of the
            photos, spread evenly.
        mapper: maps a function over chunks, in order, such as `WorkerPool.map`.
        photos_a_shard: of which a killed run loses one, and what the workers have in hand.

    Raises:
        ValueError: the folder holds another catalogue, another process writes to it, or of a whole shard no photo can
            be reached.
    """
    (name, fingerprint, options), *_ = mapper(describe_model, [task])
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / '.annotate.lock', lambda: _refuse(out)):
        projection = _find_projection(photos, out, task, fingerprint, mapper)
        settings = xxhash.xxh3_128(f'{options} {projection.digest}'.encode()).hexdigest()
        plan = Plan(name, fingerprint, projection.size, len(photos), photos_a_shard, photos.digest, settings)
        catalogue = Catalogue.create(out, plan, photos.extra)
        task = task._replace(projection=str((out / PROJECTION).absolute()))  # for Ray's workers
        jobs = [(shard, rows) for shard in catalogue.missing_shards() for rows in split(plan.rows_of(shard), CHUNK)]
        done = mapper(partial(annotate_chunk, task), (photos.chunk(rows) for _, rows in jobs))
        tally = Tally()
        with _bar(len(photos), len(photos) - sum(len(rows) for _, rows in jobs)) as advance:
            parts: list[Annotated] = []
            for (shard, rows), one in zip(jobs, done, strict=True):
                parts.append(one)
                advance(len(rows))
                if rows.stop == plan.rows_of(shard).stop:
                    _write(catalogue, shard, parts, tally)
                    parts = []
    return tally


def split(rows: range, size: int) -> list[range]:
    """Cut a range into pieces."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _write(catalogue: Catalogue, shard: int, parts: list[Annotated], tally: Tally) -> None:
    tables = {name: pa.concat_tables([getattr(one, name) for one in parts]) for name in TABLES}
    if sum(one.unreachable for one in parts) == len(catalogue.plan.rows_of(shard)) > 1:
        first = tables['problems']['problem'][0].as_py()
        raise ValueError(
            f'none of {len(tables["problems"])} photos in a row can be reached; the first: {first}; '
            'stopped, since that is no matter of single photos; the same command goes on from here'
        )
    catalogue.write_shard(shard, **tables)
    tally.photos += len(tables['photos'])
    tally.garments += len(tables['garments'])
    tally.problems += len(tables['problems'])


def _find_projection(photos: Photos, out: Path, task: Task, fingerprint: str, mapper: Mapper) -> Projection:
    """Return the catalogue's projection: its own, the one given, the shipped model's, or one fitted on a sample."""
    path = out / PROJECTION
    if path.exists():
        return Projection.load(path, fingerprint)
    if task.projection is not None:
        projection = Projection.load(task.projection, fingerprint)
    elif SHIPPED_PROJECTION.is_file() and Projection.load(SHIPPED_PROJECTION).fingerprint == fingerprint:
        projection = Projection.load(SHIPPED_PROJECTION)
    else:
        positions = np.unique(np.linspace(0, len(photos) - 1, FIT_PHOTOS).round().astype(int)) if len(photos) else []
        rows = [range(position, position + 1) for position in map(int, positions)]
        chunks = [
            pa.concat_tables([photos.chunk(one) for one in rows[start : start + CHUNK]])
            for start in range(0, len(rows), CHUNK)
        ]
        described = [one for one in mapper(partial(describe_chunk, task), chunks) if one.size]
        if not described:
            raise ValueError('no garment was found in a sample of the photos: nothing to fit the embeddings on')
        projection = fit_projection(np.concatenate(described), fingerprint)
    projection.save(path)
    return projection


@contextmanager
def _bar(total: int, done: int) -> Iterator[Callable[[int], None]]:
    with progress_bar() as progress:
        bar = progress.add_task('photos', total=total, completed=done)
        yield lambda count: progress.advance(bar, count)


def _refuse(out: Path) -> NoReturn:
    raise ValueError(f'{out}: another process annotates into it')
