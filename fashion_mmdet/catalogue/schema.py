"""The catalogue on disk: a folder of Parquet shards, one row per garment, with a manifest; resumable shard by shard.

    catalogue.json               manifest: model, fingerprint, embedding size, photos, photos a shard, hash of inputs
    garments/00000.parquet ...   one row per garment, see `garment_schema`
    photos/00000.parquet ...     one row per photo that was annotated, those without a garment too
    problems/00000.parquet ...   one row per photo that could not be, and why

The three files of a shard hold the same photos of the input. A file has its name once it is whole, and garments come
last, so a shard is done when its garments are there: a killed writer loses the shard that it was at. DuckDB, pandas and
Arrow read `garments/*.parquet` without this package.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from fashion_mmdet.utils.files import atomic_path, write_text
from fashion_mmdet.utils.json_files import COUNT, TEXT, read_object

MANIFEST = 'catalogue.json'
TABLES = ('problems', 'photos', 'garments')  # in the order of writing
SCHEMA_FILE = '_common_metadata'  # Parquet's own name for a data set's schema
COLOUR = pa.struct([('name', pa.string()), *((name, pa.float32()) for name in ('L', 'a', 'b', 'share'))])
RLE = pa.struct([('size', pa.list_(pa.int32(), 2)), ('counts', pa.string())])  # to_pylist gives COCO RLE
NO_COLUMNS = pa.schema([])


def garment_schema(embedding_size: int, extra: pa.Schema = NO_COLUMNS) -> pa.Schema:
    """Describe the table of garments.

    Columns: image; height and width of the photo in pixels; garment, its number within the photo from 0; category and
    category_id; attributes, names; score in [0, 1]; box x1, y1, x2, y2 in pixels of the photo, right and lower edge
    exclusive; mask, COCO RLE; area_px; colours, the largest share first, CIELAB under D65; embedding, of length 1;
    model and fingerprint of its weights; then the input's own columns.

    Args:
        embedding_size: dimensions of the embedding.
        extra: the input's own columns, such as a date or a price.

    Raises:
        ValueError: an input column has the name of one of ours.
    """
    ours = pa.schema(
        [('image', pa.string()), ('height', pa.int32()), ('width', pa.int32()), ('garment', pa.int16())]
        + [('category', pa.string()), ('category_id', pa.int16()), ('attributes', pa.list_(pa.string()))]
        + [(name, pa.float32()) for name in ('score', 'x1', 'y1', 'x2', 'y2')]
        + [('mask', RLE), ('area_px', pa.int64()), ('colours', pa.list_(COLOUR))]
        + [('embedding', pa.list_(pa.float16(), embedding_size)), ('model', pa.string()), ('fingerprint', pa.string())]
    )
    return _join(ours, extra)


def photo_schema(extra: pa.Schema = NO_COLUMNS) -> pa.Schema:
    """Describe the table of annotated photos; `garments` is their number. Arguments as `garment_schema`."""
    return _join(
        pa.schema([('image', pa.string()), *((n, pa.int32()) for n in ('height', 'width', 'garments'))]), extra
    )


def problem_schema(extra: pa.Schema = NO_COLUMNS) -> pa.Schema:
    """Describe the table of photos that could not be annotated. Arguments as `garment_schema`."""
    return _join(pa.schema([('image', pa.string()), ('problem', pa.string())]), extra)


def _join(ours: pa.Schema, extra: pa.Schema) -> pa.Schema:
    for name in extra.names:
        if name in ours.names or extra.names.count(name) > 1:
            raise ValueError(f'input column {name!r}: the catalogue has a column of that name; rename the input column')
    return pa.schema([*ours, *extra])


def to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, embeddings: np.ndarray | None = None) -> pa.Table:
    """Convert rows to a table.

    Args:
        rows: values by column; a column that a row lacks is null.
        schema: of the table.
        embeddings: (N, D), for the column of that name.
    """
    columns = [
        pa.array([row.get(field.name) for row in rows], field.type) for field in schema if field.name != 'embedding'
    ]
    if embeddings is not None:
        position = schema.get_field_index('embedding')
        columns.insert(position, from_matrix(embeddings, schema.field(position).type.list_size))
    return pa.Table.from_arrays(columns, schema=schema)


def from_matrix(matrix: np.ndarray, size: int) -> pa.FixedSizeListArray:
    """Convert (N, size) numbers to a column of float16 lists; ValueError for another shape or what is not finite."""
    matrix = np.asarray(matrix, np.float16).reshape(len(matrix), -1) if len(matrix) else np.empty((0, size), np.float16)
    if matrix.shape[1] != size or not np.isfinite(matrix).all():
        raise ValueError(f'embeddings of {matrix.shape[1]} numbers, {size} finite ones are wanted')
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), size)


def to_matrix(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Convert a column of lists of one length to an (N, D) array; ValueError where one is null."""
    if column.null_count:
        raise ValueError(f'{column.null_count} garments have no embedding; annotate them with a model that gives one')
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), array.type.list_size)


@dataclass(frozen=True)
class Plan:
    """What a catalogue is made of and by; two runs with equal plans write equal shards.

    `inputs` is a hash of the list of photos and their columns, `settings` of whatever else changes the rows.
    """

    model: str
    fingerprint: str
    embedding_size: int
    photos: int
    photos_a_shard: int
    inputs: str
    settings: str = ''

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.photos // self.photos_a_shard)

    def rows_of(self, shard: int) -> range:
        """Return the numbers of the input's photos that a shard holds."""
        start = shard * self.photos_a_shard
        return range(start, min(start + self.photos_a_shard, self.photos))


PLAN_FIELDS = {name: COUNT if kind is int else TEXT for name, kind in Plan.__annotations__.items()}


class Catalogue:
    """A catalogue on disk. `create` one or `open` one.

    Args:
        folder: that holds it.
        plan: its manifest.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.schemas = {name: pq.read_schema(folder / name / SCHEMA_FILE) for name in TABLES}

    @classmethod
    def create(cls, folder: str | os.PathLike, plan: Plan, extra: pa.Schema = NO_COLUMNS) -> 'Catalogue':
        """Begin a catalogue, or go on with the one that is there.

        Raises:
            ValueError: the folder holds a catalogue of other inputs, another model or other columns, or a broken one.
        """
        folder = Path(folder)
        schemas = dict(
            garments=garment_schema(plan.embedding_size, extra),
            photos=photo_schema(extra),
            problems=problem_schema(extra),
        )
        if not (folder / MANIFEST).exists():
            if any(folder.glob('garments/*.parquet')):
                raise ValueError(f'{folder}: shards of a catalogue that has lost its {MANIFEST}; give another folder')
            for name, schema in schemas.items():
                with atomic_path(folder / name / SCHEMA_FILE) as temporary:
                    pq.write_metadata(schema, temporary)
            write_text(folder / MANIFEST, json.dumps(asdict(plan), indent=1) + '\n')
        found = cls.open(folder)
        for name, value in asdict(plan).items():
            if getattr(found.plan, name) != value:
                raise ValueError(
                    f'{folder}: a catalogue with another {name} is there; give another folder, or remove it'
                )
        for name, schema in schemas.items():
            if not found.schemas[name].equals(schema):
                raise ValueError(
                    f'{folder}: a catalogue with other columns is there; give another folder, or remove it'
                )
        return found

    @classmethod
    def open(cls, folder: str | os.PathLike) -> 'Catalogue':
        """Open a catalogue, finished or not.

        Raises:
            FileNotFoundError: there is none.
            ValueError: the manifest is damaged.
        """
        path = Path(folder, MANIFEST)
        if not path.is_file():
            raise FileNotFoundError(f'{folder}: no catalogue (no {MANIFEST}); tools/annotate.py makes one')
        fields = read_object(path, PLAN_FIELDS, PLAN_FIELDS)
        if not fields['photos_a_shard'] or not fields['embedding_size']:
            raise ValueError(f'{path}: photos_a_shard and embedding_size must be at least 1')
        return cls(Path(folder), Plan(**{name: fields[name] for name in PLAN_FIELDS}))

    def missing_shards(self) -> list[int]:
        """List the shards that are still to be written."""
        return [shard for shard in range(self.plan.shards) if not self._path('garments', shard).exists()]

    def write_shard(self, shard: int, *, garments: pa.Table, photos: pa.Table, problems: pa.Table) -> None:
        """Write one shard's tables, garments last; ValueError where a table has another schema."""
        tables = dict(garments=garments, photos=photos, problems=problems)
        for name in TABLES:
            if not tables[name].schema.equals(self.schemas[name]):
                raise ValueError(f'shard {shard}: the {name} have another schema than the catalogue')
            with atomic_path(self._path(name, shard)) as temporary, open(temporary, 'wb') as file:
                pq.write_table(tables[name], file, compression='zstd', write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())

    def paths(self, table: str = 'garments') -> list[Path]:
        """List the files of a table's finished shards: 'garments', 'photos' or 'problems'."""
        missing = set(self.missing_shards())
        return [self._path(table, shard) for shard in range(self.plan.shards) if shard not in missing]

    def dataset(self, table: str = 'garments') -> ds.Dataset:
        """Open a table's finished shards with Arrow."""
        options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        form = ds.ParquetFileFormat(default_fragment_scan_options=options)
        return ds.dataset([str(path) for path in self.paths(table)], self.schemas[table], format=form)

    def _path(self, table: str, shard: int) -> Path:
        return self.folder / table / f'{shard:05d}.parquet'
