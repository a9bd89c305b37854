"""Check a copy: every image opens, has the CSV's size, every run lies inside, and the counts add up."""

from functools import partial
from pathlib import Path

from fashion_mmdet.converters.downscale.manifest import SAMPLE, TRAIN, read_manifest
from fashion_mmdet.datasets.audit import DROPS_ROW, Audit
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import find_problem, photo_path
from fashion_mmdet.datasets.records import read_image_ids, read_rows
from fashion_mmdet.utils.parallel import WorkerPool
from fashion_mmdet.utils.progress import track


def check_copy(target: Path, pool: WorkerPool, table: Path | None = None) -> dict:
    """Check a copy.

    Args:
        target: folder of the copy.
        pool: decodes the photos.
        table: its train.csv where that is not in place yet; None for a finished copy.

    Returns:
        The counts of its prepared.json.

    Raises:
        ValueError: not a finished copy, or what is wrong with it: the first few problems and what to do.
    """
    manifest = read_manifest(target)
    table = table or target / TRAIN
    if 'counts' not in manifest or not table.is_file():
        raise ValueError(f'{target}: not complete; run prepare_data with the same SRC and options to go on')
    counts = manifest['counts']
    sizes, problems = check_rows(table, counts)
    problems += add_up(counts)
    photos = [(photo_path(target / 'train', name), size) for name, size in sizes.items()]
    if (target / SAMPLE).is_file():
        paths = [photo_path(target / 'test', name) for name in read_image_ids(target / SAMPLE)]
        there = [(path, None) for path in paths if path.exists()]  # the source lacks some too
        if len(there) != counts['test_photos']:
            problems.append(f'{target / "test"}: {len(there)} photos, {counts["test_photos"]} were written')
        photos += there
    found = pool.map(partial(check_photo, max_side=manifest['options']['max_side']), photos)
    broken = [problem for problem in track(found, 'check of the photos', len(photos)) if problem]
    if lines := problems + broken:
        delete = ' and '.join([TRAIN] * bool(problems) + ['the photos named'] * bool(broken))
        raise ValueError(
            f'{target}: the check found {len(lines)}: {"; ".join(lines[:3])}; delete {delete} and run '
            'prepare_data with the same SRC and options again'
        )
    return counts


def check_rows(path: Path, counts: dict) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Read the copy's CSV with the data set's audit, which must find nothing.

    Returns:
        Height and width by image id, and the problems.
    """
    audit, rows, sizes = Audit(), 0, {}
    for record, _ in track(read_rows(path, audit), 'check of the rows', counts['rows_written']):
        rows += 1
        sizes[record.image_id] = record.height, record.width
    problems = [f'{path}: {kind}, {count} times, at {audit.examples[kind][0]}' for kind, count in audit.counts.items()]
    for name, found in (('rows_written', rows), ('train_photos', len(sizes))):
        if found != counts[name]:
            problems.append(f'{path}: {name.replace("_", " ")} {found}, {counts[name]} expected')
    return sizes, problems


def add_up(counts: dict) -> list[str]:
    """Compare where the source's rows went with how many it has, and with what its audit dropped."""
    gone = sum(counts[f'rows_{where}'] for where in ('dropped_by_audit', 'vanished', 'merged', 'of_unusable_photos'))
    problems = []
    if gone + counts['rows_written'] != counts['rows']:
        problems.append(f'{gone} rows left out and {counts["rows_written"]} written do not make {counts["rows"]}')
    dropped = sum(count for kind, count in counts['audit'].items() if kind in DROPS_ROW)
    if dropped != counts['rows_dropped_by_audit']:
        problems.append(f'{counts["rows_dropped_by_audit"]} rows dropped, {dropped} of them by the audit')
    return problems


def check_photo(job: tuple[Path, tuple[int, int] | None], max_side: int) -> str | None:
    """Decode one photo of a copy; returns what is wrong with it.

    Args:
        job: the file, and the height and width that the CSV says (None: a test photo).
        max_side: longest side allowed, in pixels.
    """

    def decode(path: Path) -> tuple[int, int]:
        height, width = load_photo(path).shape[:2]
        if max(height, width) > max_side:
            raise ValueError(f'{path}: {height}x{width}, expected at most {max_side}')
        return height, width

    path, size = job
    problem = find_problem(path, *(size or (None, None)), decode)
    return ': '.join(problem) if problem else None
