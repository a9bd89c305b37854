"""Checks a copy: every image opens, has the CSV's size, every run lies inside, and the counts add up."""

from collections.abc import Callable, Iterable
from pathlib import Path

from fashion_mmdet.converters.downscale.manifest import SAMPLE, TRAIN, read_manifest
from fashion_mmdet.datasets.audit import RULES, Audit
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import find_problem, photo_path
from fashion_mmdet.datasets.records import read_image_ids, read_rows
from fashion_mmdet.utils.parallel import WorkerPool


def check_copy(target: Path, pool: WorkerPool, track: Callable[[Iterable, str, int], Iterable]) -> dict:
    """Check a finished copy.

    Returns:
        The counts of its prepared.json.

    Raises:
        ValueError: not a finished copy, or what is wrong with it: the first few problems and what to do.
    """
    manifest = read_manifest(target)
    if 'counts' not in manifest or not (target / TRAIN).is_file():
        raise ValueError(f'{target}: not complete; run prepare_data with the same SRC and options to go on')
    counts, max_side = manifest['counts'], manifest['options']['max_side']
    sizes, problems = check_rows(target / TRAIN, counts, track)
    problems += add_up(counts)
    jobs = [(photo_path(target / 'train', name), size, max_side) for name, size in sizes.items()]
    broken = _check_photos(jobs, pool, track, 'check of train')
    if (target / SAMPLE).is_file():
        jobs = [(photo_path(target / 'test', name), None, max_side) for name in read_image_ids(target / SAMPLE)]
        there = [job for job in jobs if job[0].exists()]  # the source lacks some too
        if len(there) != counts['test_photos']:
            problems.append(f'{target / "test"}: {len(there)} photos, {counts["test_photos"]} were written')
        broken += _check_photos(there, pool, track, 'check of test')
    if problems or broken:
        lines = [*problems, *broken]
        delete = ' and '.join([*([TRAIN] if problems else []), *(['the photos named'] if broken else [])])
        raise ValueError(
            f'{target}: the check found {len(lines)}: {"; ".join(lines[:3])}; delete {delete} and run '
            'prepare_data with the same SRC and options again'
        )
    return counts


def check_rows(
    path: Path, counts: dict, track: Callable[[Iterable, str, int], Iterable]
) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Read the copy's CSV with the data set's audit, which must find nothing.

    Returns:
        Height and width by image id, and the problems.
    """
    audit, rows, sizes = Audit(), 0, {}
    for record, _ in track(read_rows(path, audit), 'check of rows', counts['rows_written']):
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
    dropped = sum(count for kind, count in counts['audit'].items() if RULES[kind].startswith('row dropped'))
    if dropped != counts['rows_dropped_by_audit']:
        problems.append(f'{counts["rows_dropped_by_audit"]} rows dropped, {dropped} of them by the audit')
    return problems


def _check_photos(
    jobs: list[tuple[Path, tuple[int, int] | None, int]], pool: WorkerPool, track: Callable, title: str
) -> list[str]:
    return [problem for problem in track(pool.map(check_photo, jobs), title, len(jobs)) if problem]


def check_photo(job: tuple[Path, tuple[int, int] | None, int]) -> str | None:
    """Decode one photo of a copy.

    Args:
        job: path, height and width that the CSV says (None: a test photo), longest side allowed.

    Returns:
        What is wrong with it, or None.
    """
    path, size, max_side = job
    problem = find_problem(path, *(size or (None, None)))
    if problem:
        return f'{problem[0]}: {problem[1]}'
    try:
        image = load_photo(path)
    except (ValueError, OSError) as error:
        return str(error)
    if (size and image.shape[:2] != size) or max(image.shape[:2]) > max_side:
        return f'{path}: {image.shape[0]}x{image.shape[1]}, expected {size or "at most"} {max_side}'
    return None
