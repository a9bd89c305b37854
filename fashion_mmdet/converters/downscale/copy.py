"""Makes the copy: rows, photos, tables, check; each step is kept, so that a run that was stopped goes on."""

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from fashion_mmdet.converters.downscale.check import check_copy
from fashion_mmdet.converters.downscale.manifest import (
    CACHES,
    CARRIED,
    FOLDERS,
    LABELS,
    SAMPLE,
    TRAIN,
    WORK,
    Options,
    claim,
    list_files,
    read_manifest,
    write_manifest,
)
from fashion_mmdet.converters.downscale.photos import Job, shrink_photo
from fashion_mmdet.converters.downscale.rows import Plan, load_plan, save_plan, scale_rows, select_rows
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.records import read_image_ids
from fashion_mmdet.utils.files import write_bytes
from fashion_mmdet.utils.parallel import WorkerPool

Track = Callable[[Iterable, str, int], Iterable]


def without_progress(items: Iterable, title: str, total: int) -> Iterable:
    """Show nothing."""
    return items


def prepare(
    source: Path, target: Path, options: Options, workers: int | None = None, track: Track = without_progress
) -> dict:
    """Make a smaller copy of a data set in the same layout, or go on with one that was begun.

    train.csv comes last: nothing can train on half a copy. A photo that is there whole is kept; a broken one of the
    source is left out with its rows (`audit.RULES`).

    Args:
        source: folder with train.csv, train/ and, where present, test/, sample_submission.csv, label_descriptions.json.
        target: folder of the copy; new, empty, or begun with the same source and options.
        options: how to shrink.
        workers: processes; all cores where None.
        track: wraps an iterable of a title and so many items, to show a progress bar (`utils.progress.track`).

    Returns:
        Counts (see `_count`), also kept in the copy's prepared.json.

    Raises:
        ValueError: a source that is no data set, a target of another one, or a copy that its check finds wrong.
        OSError: a file could not be read or written.
    """
    with claim(source, target, options), WorkerPool(workers) as pool:
        plan = _plan_rows(source, target, options, track)
        audit = plan.to_audit()
        problems = _shrink(source, target, 'train', plan.sizes, options, pool, track)
        unusable = {name for name, problem in zip(plan.sizes, problems, strict=True) if problem}
        for problem in filter(None, problems):
            audit.add(*problem)
        if len(unusable) == len(plan.sizes):
            raise ValueError(f'{source}: none of the {len(unusable)} photos can be used: {audit.summary()}')
        test_photos = _prepare_test(source, target, options, audit, pool, track)
        left_out = _write_table(target, unusable)
        counts = _count(source, plan, unusable, left_out, test_photos, audit)
        write_manifest(target, {**read_manifest(target), 'counts': counts})
        (target / WORK / 'rows.csv').unlink(missing_ok=True)
        check_copy(target, pool, track)
    return counts


def _plan_rows(source: Path, target: Path, options: Options, track: Track) -> Plan:
    """Scale the CSV's rows, or take them as an earlier run left them."""
    plan_path, rows_path = target / WORK / 'plan.json', target / WORK / 'rows.csv'
    if plan_path.exists() and (rows_path.exists() or (target / TRAIN).exists()):
        try:
            return load_plan(plan_path)
        except ValueError as error:
            logging.getLogger(__name__).warning('%s; the rows are scaled anew', error)
    plan = Plan()
    with closing(scale_rows(source / TRAIN, rows_path, options.max_side, plan)) as rows:
        for _ in track(rows, 'rows', _count_lines(source / TRAIN) - 1):
            pass
    if not plan.kept:
        raise ValueError(
            f'{source / TRAIN}: no object is left of {plan.rows} at {options.max_side} px: '
            f'{sum(plan.vanished.values())} too small; {plan.to_audit().summary() or "none dropped"}'
        )
    save_plan(plan_path, plan)
    return plan


def _count_lines(path: Path) -> int:
    with open(path, 'rb') as file:
        return sum(block.count(b'\n') for block in iter(lambda: file.read(1 << 20), b''))


def _shrink(
    source: Path,
    target: Path,
    folder: str,
    sizes: dict[str, tuple[int, int] | None],
    options: Options,
    pool: WorkerPool,
    track: Track,
) -> list[tuple[str, str] | None]:
    """Shrink a folder's photos; returns what is wrong with each, None where nothing is."""
    paths = ((photo_path(source / folder, name), size) for name, size in sizes.items())
    jobs = (
        Job(path, target / folder / path.relative_to(source / folder), size, options.max_side, options.quality)
        for path, size in paths
    )
    return list(track(pool.map(shrink_photo, jobs), f'photos of {folder}', len(sizes)))


def _prepare_test(source: Path, target: Path, options: Options, audit: Audit, pool: WorkerPool, track: Track) -> int:
    """Copy the small tables and shrink the photos that the sample submission names; returns how many it has."""
    for name in (SAMPLE, LABELS):
        if (source / name).is_file():
            write_bytes(target / name, (source / name).read_bytes())
    names = _list_test(source)
    problems = _shrink(source, target, 'test', dict.fromkeys(names), options, pool, track) if names else []
    for problem in filter(None, problems):
        audit.add(*problem)
    return problems.count(None)


def _list_test(source: Path) -> list[str]:
    """List the photos of the sample submission; none where there is no such table."""
    if not (source / SAMPLE).is_file():
        return []
    return read_image_ids(source / SAMPLE)


def _write_table(target: Path, unusable: set[str]) -> int:
    """Write train.csv without the images that cannot be used; returns how many rows they had."""
    rows_path = target / WORK / 'rows.csv'
    if not rows_path.exists():  # an earlier run came further
        return read_manifest(target)['counts']['rows_of_unusable_photos']
    return select_rows(rows_path, target / TRAIN, unusable)


def _count(source: Path, plan: Plan, unusable: set[str], left_out: int, test_photos: int, audit: Audit) -> dict:
    """Lay out where every row and photo of the source went."""
    unnamed = {
        folder: {entry.name for entry in list_files(source / folder)}
        - {str(photo_path(source / folder, name).relative_to(source / folder)) for name in names}
        for folder, names in zip(FOLDERS, (plan.sizes, _list_test(source)), strict=True)
    }
    return dict(
        rows=plan.rows,
        rows_dropped_by_audit=plan.dropped,
        rows_vanished=sum(plan.vanished.values()),
        rows_merged=plan.merged,
        rows_of_unusable_photos=left_out,
        rows_written=plan.kept - left_out,
        vanished_by_category=plan.vanished,
        train_photos=len(plan.sizes) - len(unusable),
        test_photos=test_photos,
        train_photos_without_rows=len(unnamed['train']),
        test_photos_not_in_sample=len(unnamed['test']),
        files_left_out=sorted(
            path.name
            for path in source.iterdir()
            if not path.match(CACHES) and not path.name.startswith('.') and path.name not in CARRIED
        ),
        audit=dict(audit.counts),
        audit_report=audit.report(),
    )
