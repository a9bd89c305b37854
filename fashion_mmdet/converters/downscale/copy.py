"""Make the copy: rows, photos, tables, check; each step is kept, so that a run that was stopped goes on."""

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from fashion_mmdet.converters.downscale.check import check_copy
from fashion_mmdet.converters.downscale.manifest import (
    FOLDERS,
    LABELS,
    MANIFEST,
    SAMPLE,
    TRAIN,
    WORK,
    Options,
    claim,
    list_files,
    read_manifest,
    write_manifest,
)
from fashion_mmdet.converters.downscale.photos import shrink_photo
from fashion_mmdet.converters.downscale.rows import Plan, load_plan, save_plan, scale_rows, select_rows
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.records import read_image_ids
from fashion_mmdet.utils.files import write_bytes
from fashion_mmdet.utils.parallel import WorkerPool
from fashion_mmdet.utils.progress import track


def prepare(source: Path, target: Path, options: Options, workers: int | None = None) -> dict:
    """Make a smaller copy of a data set in the same layout, or go on with one that was begun.

    train.csv comes last: nothing can train on half a copy. A photo that is there whole is kept; a broken one of the
    source is left out with its rows (`audit.RULES`).

    Args:
        source: folder with train.csv, train/ and, where present, test/, sample_submission.csv, label_descriptions.json.
        target: folder of the copy; new, empty, or begun with the same source and options.
        options: how to shrink.
        workers: processes; all cores where None.

    Returns:
        Counts (see `_count`), also kept in the copy's prepared.json.

    Raises:
        ValueError: a source that is no data set, a target of another one, or a copy that its check finds wrong.
        OSError: a file could not be read or written.
    """
    with claim(source, target, options), WorkerPool(workers) as pool:
        plan = _plan_rows(source, target, options.max_side)
        audit = plan.to_audit()
        shrink = partial(_shrink, source, target, options=options, audit=audit, pool=pool)
        unusable = shrink('train', plan.sizes)
        if len(unusable) == len(plan.sizes):
            raise ValueError(f'{source}: none of the {len(unusable)} photos can be used: {audit.summary()}')
        test_names = _prepare_test(source, target)
        test_photos = len(test_names) - len(shrink('test', dict.fromkeys(test_names)))
        left_out = _write_table(target, unusable)
        counts = dict(
            _count_rows(plan, left_out),
            train_photos=len(plan.sizes) - len(unusable),
            test_photos=test_photos,
            **_count_left_out(source, plan.sizes, test_names),
            audit=dict(audit.counts),
            audit_report=audit.report(),
        )
        write_manifest(target, {**read_manifest(target), 'counts': counts})
        (target / WORK / 'rows.csv').unlink(missing_ok=True)
        check_copy(target, pool)
    return counts


def _plan_rows(source: Path, target: Path, max_side: int) -> Plan:
    """Scale the CSV's rows, or take them as an earlier run left them."""
    plan_path, rows_path = target / WORK / 'plan.json', target / WORK / 'rows.csv'
    if plan_path.exists() and (rows_path.exists() or (target / TRAIN).exists()):
        try:
            return load_plan(plan_path)
        except ValueError as error:
            logging.getLogger(__name__).warning('%s; the rows are scaled anew', error)
    plan = scale_rows(source / TRAIN, rows_path, max_side)
    if not plan.kept:
        raise ValueError(
            f'{source / TRAIN}: no object is left of {plan.rows} at {max_side} px: '
            f'{sum(plan.vanished.values())} too small; {plan.to_audit().summary() or "none dropped"}'
        )
    save_plan(plan_path, plan)
    return plan


def _shrink(
    source: Path,
    target: Path,
    folder: str,
    sizes: dict[str, tuple[int, int] | None],
    options: Options,
    audit: Audit,
    pool: WorkerPool,
) -> set[str]:
    """Shrink a folder's photos; returns those that cannot be used, which the audit takes."""
    paths = [photo_path(source / folder, name) for name in sizes]
    jobs = [(path, target / path.relative_to(source), size) for path, size in zip(paths, sizes.values(), strict=True)]
    work = partial(shrink_photo, max_side=options.max_side, quality=options.quality)
    unusable = set()
    for name, problem in zip(sizes, track(pool.map(work, jobs), f'photos of {folder}', len(jobs)), strict=True):
        if problem:
            unusable.add(name)
            audit.add(*problem)
    return unusable


def _prepare_test(source: Path, target: Path) -> list[str]:
    """Copy the small tables; returns the photos that the sample submission names, none where there is no such table."""
    for name in (SAMPLE, LABELS):
        if (source / name).is_file():
            write_bytes(target / name, (source / name).read_bytes())
    return read_image_ids(source / SAMPLE) if (source / SAMPLE).is_file() else []


def _write_table(target: Path, unusable: set[str]) -> int:
    """Write train.csv without the images that cannot be used; returns how many rows they had."""
    rows_path = target / WORK / 'rows.csv'
    if not rows_path.exists():  # an earlier run came further
        return read_manifest(target)['counts']['rows_of_unusable_photos']
    return select_rows(rows_path, target / TRAIN, unusable)


def _count_rows(plan: Plan, left_out: int) -> dict:
    """Count where every row of the source went."""
    return dict(
        rows=plan.rows,
        rows_dropped_by_audit=plan.dropped,
        rows_vanished=sum(plan.vanished.values()),
        rows_merged=plan.merged,
        rows_of_unusable_photos=left_out,
        rows_written=plan.kept - left_out,
        vanished_by_category=plan.vanished,
    )


def _count_left_out(source: Path, train_names: Iterable[str], test_names: Iterable[str]) -> dict:
    """Count the photos that no table names, and list the source's other files."""

    def unnamed(folder: Path, names: Iterable[str]) -> int:
        named = {photo_path(folder, name) for name in names}
        return sum(path not in named for path in list_files(folder))

    carried = {TRAIN, SAMPLE, LABELS, *FOLDERS, MANIFEST, WORK}
    return dict(
        train_photos_without_rows=unnamed(source / 'train', train_names),
        test_photos_not_in_sample=unnamed(source / 'test', test_names),
        files_left_out=sorted(
            path.name
            for path in source.iterdir()
            # *.arrow: index and photo sizes, which are made anew beside the copy
            if not path.match('*.arrow') and not path.name.startswith('.') and path.name not in carried
        ),
    )
