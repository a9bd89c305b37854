"""Vector stores beside exact search: latency, recall, memory, disk and build time at 10,000 to a million vectors."""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from rich.progress import Progress

from fashion_mmdet.benchmarks.timing import Table, call_apart, format_seconds, status_bytes, ticker
from fashion_mmdet.catalogue.store import VectorStore

SIZES = (10_000, 100_000, 1_000_000)
WIDTH, INTRINSIC, CLUSTERS, SHAPES = 128, 20, 1000, 16
QUERIES, NEIGHBOURS = 100, 10
BLOCK = 50_000
PROBES = 16
SELECTED = 100  # one vector in so many passes the filter
NOTE = (
    f'{WIDTH} dimensions, float16, length 1: {CLUSTERS} clusters that overlap, each of about {INTRINSIC} dimensions, '
    f'as embeddings are; uniform vectors have no near neighbours to find. {QUERIES} queries, one at a time on one '
    f'core, each by its best of {{rounds}} rounds. Recall of the true {NEIGHBOURS} nearest; filter: one vector in '
    f'{SELECTED}, before the search. Memory: of a fresh process that opens the store and answers the queries, above '
    'its libraries. One build.'
)


class Measured(NamedTuple):
    """What one store cost; seconds, bytes, shares."""

    latencies: np.ndarray
    filtered: np.ndarray
    recall: float
    filtered_recall: float
    memory: int


Search = Callable[[np.ndarray, bool], np.ndarray]  # a query and whether to filter, to the numbers of what is nearest


def draw_vectors(count: int, seed: int) -> np.ndarray:
    """Draw unit vectors, (N, 128) float16, from a mixture whose parts have about 20 dimensions and overlap."""
    world, generator = np.random.default_rng(0), np.random.default_rng(seed)
    plane = world.standard_normal((INTRINSIC, WIDTH)) / np.sqrt(INTRINSIC * WIDTH)
    centres = (world.standard_normal((CLUSTERS, INTRINSIC)) @ plane).astype(np.float32)
    axes = (0.2 * world.standard_normal((SHAPES, INTRINSIC, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
    vectors = np.empty((count, WIDTH), np.float16)
    for start in range(0, count, BLOCK):
        cluster = generator.integers(CLUSTERS, size=min(BLOCK, count - start))
        block = centres[cluster] + 0.02 * generator.standard_normal((len(cluster), WIDTH), np.float32)
        for shape in range(SHAPES):
            rows = np.flatnonzero(cluster % SHAPES == shape)
            block[rows] += generator.standard_normal((len(rows), INTRINSIC), np.float32) @ axes[shape]
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


# Each builds into a folder from a file of vectors, and opens what it built.


def build_numpy(folder: Path, vectors: np.ndarray) -> None:
    """Write the float16 as they are."""
    np.save(folder / 'vectors.npy', vectors)


def open_numpy(folder: Path) -> Search:
    """Hold float32, which a processor multiplies fast; a filter picks rows first."""
    vectors = np.load(folder / 'vectors.npy').astype(np.float32)
    picked = np.arange(0, len(vectors), SELECTED)

    def search(query: np.ndarray, filtered: bool) -> np.ndarray:
        scores = (vectors[picked] if filtered else vectors) @ query
        best = np.argpartition(-scores, NEIGHBOURS)[:NEIGHBOURS]
        return picked[best] if filtered else best

    return search


def build_faiss(folder: Path, vectors: np.ndarray, kind: str) -> None:
    """Train on at most 64 vectors a list, add, write."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(WIDTH, kind.format(lists=count_lists(len(vectors))), faiss.METRIC_INNER_PRODUCT)
    sample = np.random.default_rng(0).permutation(len(vectors))[: 64 * count_lists(len(vectors))]
    index.train(vectors[np.sort(sample)].astype(np.float32))
    for start in range(0, len(vectors), BLOCK):
        index.add(vectors[start : start + BLOCK].astype(np.float32))
    faiss.write_index(index, str(folder / 'index.faiss'))


def count_lists(vectors: int) -> int:
    """Return how many lists an inverted file gets: the square root of the number of vectors."""
    return max(int(np.sqrt(vectors)), 1)


def open_faiss(folder: Path, kind: str) -> Search:
    """Search 16 lists (all where a filter leaves few vectors), or a graph 64 wide."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.read_index(str(folder / 'index.faiss'))
    selector = faiss.IDSelectorBatch(np.arange(0, index.ntotal, SELECTED))

    def search(query: np.ndarray, filtered: bool) -> np.ndarray:
        options = dict(sel=selector) if filtered else {}
        if kind.startswith('IVF'):
            options = faiss.SearchParametersIVF(nprobe=index.nlist if filtered else PROBES, **options)
        elif kind.startswith('HNSW'):
            options = faiss.SearchParametersHNSW(efSearch=64, **options)
        else:
            options = faiss.SearchParameters(**options)
        return index.search(query[None], NEIGHBOURS, params=options)[1][0]

    return search


def build_ours(folder: Path, vectors: np.ndarray) -> None:
    """Fill a `VectorStore` with the vectors and two columns."""
    import faiss

    faiss.omp_set_num_threads(1)
    store = VectorStore.empty(WIDTH, pa.schema([('number', pa.int64()), ('selected', pa.bool_())]))
    store.add(make_table(vectors).rename_columns(['embedding', 'number', 'selected']))
    store.save(folder)


def open_ours(folder: Path) -> Search:
    """Search with the columns of the result; the filter is SQL."""
    import faiss

    faiss.omp_set_num_threads(1)
    store = VectorStore.open(folder)

    def search(query: np.ndarray, filtered: bool) -> np.ndarray:
        return store.search(query[None], NEIGHBOURS, 'selected' if filtered else '')[0]['number'].to_numpy()

    return search


def make_table(vectors: np.ndarray) -> pa.Table:
    """Number the vectors and mark one in 100."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH)
    number = np.arange(len(vectors))
    return pa.table(dict(vector=column, number=number, selected=number % SELECTED == 0))


def build_lance(folder: Path, vectors: np.ndarray, index: bool) -> None:
    """Write a table, and an index of product-quantized inverted lists."""
    import lancedb
    from lancedb.index import IvfPq

    table = lancedb.connect(folder).create_table('it', make_table(vectors))
    if index:
        lists = count_lists(len(vectors))
        table.create_index('vector', config=IvfPq(distance_type='cosine', num_partitions=lists, num_sub_vectors=32))


def open_lance(folder: Path, index: bool) -> Search:
    """Search 16 lists, 100 candidates ranked anew by their vectors; the filter is SQL, before the search."""
    import lancedb

    table = lancedb.connect(folder).open_table('it')

    def search(query: np.ndarray, filtered: bool) -> np.ndarray:
        found = table.search(query.astype(np.float16), vector_column_name='vector').distance_type('cosine')
        if index:
            found = found.nprobes(PROBES).refine_factor(10)
        if filtered:
            found = found.where('selected', prefilter=True)
        return found.limit(NEIGHBOURS).select(['number', '_distance']).to_arrow()['number'].to_numpy()

    return search


CONTENDERS = {
    'exact, numpy float32': (build_numpy, open_numpy),
    **{
        f'FAISS {kind}': (partial(build_faiss, kind=kind), partial(open_faiss, kind=kind))
        for kind in ('SQfp16', 'IVF{lists},SQfp16', 'HNSW32,SQfp16')
    },
    'VectorStore': (build_ours, open_ours),
    'LanceDB, no index': (partial(build_lance, index=False), partial(open_lance, index=False)),
    'LanceDB IVF_PQ': (partial(build_lance, index=True), partial(open_lance, index=True)),
}
# Vectors up to which a store is measured: at a million these take an hour to build, or minutes to answer 100 queries.
LARGEST = {'FAISS HNSW32,SQfp16': 100_000, 'LanceDB, no index': 100_000, 'LanceDB IVF_PQ': 100_000}


PACKAGES = {'FAISS': 'faiss', 'VectorStore': 'faiss', 'LanceDB': 'lancedb', 'exact': 'numpy'}


def run(rounds: int, progress: Progress | None = None, sizes: tuple[int, ...] = SIZES) -> list[Table]:
    """Build and search every store at every size, each in a process of its own."""
    tick = ticker(progress, 'vectors', len(sizes) * len(CONTENDERS))
    return [measure_size(size, rounds, tick) for size in sizes]


def measure_size(size: int, rounds: int, tick: Callable[[], None]) -> Table:
    """Measure all stores at one size."""
    rows, missing = [], set()
    with tempfile.TemporaryDirectory(prefix='fashion_mmdet_') as name:
        folder = Path(name)
        np.save(folder / 'vectors.npy', draw_vectors(size, 1))
        queries = draw_vectors(QUERIES, 2).astype(np.float32)
        np.save(folder / 'queries.npy', queries)
        np.save(folder / 'truth.npy', find_exactly(folder / 'vectors.npy', queries))
        for number, (label, (build, open_store)) in enumerate(CONTENDERS.items()):
            tick()
            package = PACKAGES[label.replace(',', '').split()[0]]
            if not importlib.util.find_spec(package):
                missing.add(package)
            if size > LARGEST.get(label, size) or package in missing:
                continue
            store = folder / str(number)
            store.mkdir()
            start = time.perf_counter()
            call_apart(build_apart, build, store, folder / 'vectors.npy')
            seconds = time.perf_counter() - start
            found = call_apart(search_apart, open_store, store, folder, rounds)[0]
            disk = sum(path.stat().st_size for path in store.rglob('*') if path.is_file())
            rows.append(format_row(label.format(lists=count_lists(size)), found, disk, seconds))
    note = f' Not installed: {", ".join(sorted(missing))}.' if missing else ''
    header = ('store', 'p50', 'p95', 'recall@10', 'filtered p50', 'recall@10', 'memory', 'disk', 'build')
    return Table(f'Search among {size:,} vectors', header, rows, NOTE.format(rounds=rounds) + note)


def find_exactly(path: Path, queries: np.ndarray) -> np.ndarray:
    """Return the numbers of the nearest vectors, without and with the filter, (2, Q, 10), by comparing with all."""
    vectors = np.load(path, mmap_mode='r')
    scores = np.concatenate(
        [queries @ vectors[start : start + BLOCK].astype(np.float32).T for start in range(0, len(vectors), BLOCK)],
        axis=1,
    )
    return np.stack([_largest(scores), _largest(scores[:, ::SELECTED]) * SELECTED])


def _largest(scores: np.ndarray) -> np.ndarray:
    return np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def build_apart(build: Callable[[Path, np.ndarray], None], store: Path, vectors: Path) -> None:
    """Build a store from the file of vectors."""
    build(store, np.load(vectors))


def search_apart(open_store: Callable[[Path], Search], store: Path, folder: Path, rounds: int) -> Measured:
    """Open a store and time the queries."""
    queries, truth = np.load(folder / 'queries.npy'), np.load(folder / 'truth.npy')
    warm_up(open_store)
    before = status_bytes('VmRSS')
    search = open_store(store)
    times, hits = np.full((2, len(queries)), np.inf), np.zeros(2)
    for round_ in range(rounds + 1):  # the first warms up
        for filtered in (False, True):
            for row, query in enumerate(queries):
                start = time.perf_counter()
                found = search(query, filtered)
                spent = time.perf_counter() - start
                if round_:
                    times[int(filtered), row] = min(times[int(filtered), row], spent)
                else:
                    hits[int(filtered)] += np.isin(found, truth[int(filtered), row]).sum()
    memory = status_bytes('VmRSS') - before
    return Measured(times[0], times[1], *(hits / (len(queries) * NEIGHBOURS)), memory)


def warm_up(open_store: Callable[[Path], Search]) -> None:
    """Import the store's library, so that its code does not count as memory."""
    name = getattr(open_store, 'func', open_store).__name__
    if name in ('open_faiss', 'open_ours'):
        import duckdb  # noqa: F401
        import faiss  # noqa: F401
    elif name == 'open_lance':
        import lancedb  # noqa: F401


def format_row(label: str, found: Measured, disk: int, seconds: float) -> tuple[str, ...]:
    """Lay out what one store cost."""
    latencies = (np.quantile(found.latencies, 0.5), np.quantile(found.latencies, 0.95))
    sizes = (f'{size / 1e6:,.0f} MB' for size in (found.memory, disk))
    filtered = format_seconds(np.quantile(found.filtered, 0.5)), f'{found.filtered_recall:.3f}'
    return label, *map(format_seconds, latencies), f'{found.recall:.3f}', *filtered, *sizes, format_seconds(seconds)
