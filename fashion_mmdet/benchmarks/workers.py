"""How much memory a further loader worker or rank takes when all of them read every object of one index."""

import os
import pickle
import tempfile
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from rich.progress import Progress

from fashion_mmdet.benchmarks import competition_csv
from fashion_mmdet.benchmarks.memory import rollup_bytes, shared_out_bytes
from fashion_mmdet.benchmarks.timing import Table, ticker
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.datasets.image_list import ImageList
from fashion_mmdet.datasets.index_store import open_index

COUNTS = (1, 8)
# How a process comes to the index: a DataLoader's worker is forked with it, a spawned one gets it pickled, a rank opens
# it by itself.
KINDS = {'forked worker': 'fork', 'spawned worker': 'spawn', 'rank': 'spawn'}


def run(rounds: int, progress: Progress | None = None, rows: int = competition_csv.ROWS) -> list[Table]:
    """Let 1 and 8 processes read one index; `rounds` is not used, since memory does not vary as time does."""
    del rounds
    tick = ticker(progress, 'workers', 1 + len(KINDS) * len(COUNTS))
    lines = []
    with tempfile.TemporaryDirectory(prefix='fashion_mmdet_') as folder:
        csv = Path(folder) / 'train.csv'
        competition_csv.write_csv(csv, rows)
        images = list_images(csv)
        index_bytes = Path(f'{csv}.index.arrow').stat().st_size
        tick()
        for kind in KINDS:
            alone = 0
            for count in COUNTS:
                total, private = measure_readers(kind, count, csv, images)
                alone = total if count == 1 else alone
                growth = '-' if count == 1 else f'{(total - alone) / (count - 1) / index_bytes:.1%}'
                lines.append((kind, str(count), f'{total / 1e6:,.1f} MB', f'{private / 1e6:,.1f} MB', growth))
                tick()
    note = (
        f'Index {index_bytes / 1e6:,.0f} MB, {rows:,} objects in {len(images):,} images; every process reads every '
        'object. Growth over what the idle processes hold; a page that several share counts once in the sum. Own: '
        'written pages, per process.'
    )
    header = ('process', 'how many', 'all grow by', 'own, each', 'growth a further one, share of the index')
    return [Table('memory of readers of one index', header, lines, note)]


def list_images(csv: Path) -> ImageList:
    """Open what the data set holds of a CSV: all images, all categories."""
    index = open_index(csv)
    return ImageList(index, range(len(index)), csv.parent / 'train', tuple(range(len(CATEGORIES))))


def measure_readers(kind: str, count: int, csv: Path, images: ImageList) -> tuple[int, int]:
    """Start `count` readers of a kind and let them read at once, ranks the CSV's index, workers the images.

    Returns:
        Bytes by which all grow together, and by how much the written pages of one grow, on average.
    """
    context = get_context(KINDS[kind])
    pairs = [context.Pipe() for _ in range(count)]
    source = {'forked worker': images, 'spawned worker': pickle.dumps(images), 'rank': csv}[kind]
    readers = [context.Process(target=_read, args=(source, there)) for _, there in pairs]
    for reader in readers:
        reader.start()
    for _, there in pairs:
        there.close()
    try:
        ends, pids = [here for here, _ in pairs], [reader.pid for reader in readers]
        states = [_step(ends, pids) for _ in range(2)]
    except EOFError:
        raise RuntimeError(f'{kind}: a reader failed') from None
    finally:
        for here, _ in pairs:
            here.close()
        for reader in readers:
            reader.join()
    (total, private), (total_read, private_read) = states
    return total_read - total, (private_read - private) // count


def _step(ends: list[Connection], pids: list[int]) -> tuple[int, int]:
    """Wait until all have done their part, take their memory, and let them go on."""
    for end in ends:
        end.recv()
    # The parent counts too: a page that a forked reader writes to is no longer shared with it.
    state = shared_out_bytes([os.getpid(), *pids]), sum(rollup_bytes('Private_Dirty', pid) for pid in pids)
    for end in ends:
        end.send(None)
    return state


def _read(source: Path | bytes | ImageList, end: Connection) -> None:
    end.send(None)
    end.recv()
    images = list_images(source) if isinstance(source, Path) else source
    images = pickle.loads(images) if isinstance(images, bytes) else images
    objects = sum(len(image['instances']) for image in images)
    end.send(objects)
    end.recv()
