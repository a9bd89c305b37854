"""Make the copy: rows, photos, tables, check; a run that was stopped continues, keeping every photo that is whole."""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from fashion_mmdet.converters.downscale.check import check_copy
from fashion_mmdet.converters.downscale.manifest import (
    LABELS,
    SAMPLE,
    TRAIN,
    WORK,
    Options,
    claim,
    list_files,
    list_left_out,
    read_manifest,
    write_manifest,
)
from fashion_mmdet.converters.downscale.photos import downscale_photo
from fashion_mmdet.converters.downscale.rows import downscale_rows, select_rows
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.records import read_image_ids
from fashion_mmdet.utils.files import write_bytes
from fashion_mmdet.utils.parallel import WorkerPool
from fashion_mmdet.utils.progress import track


def downscale(source: Path, target: Path, options: Options, workers: int | None = None) -> dict:
    """Make a smaller copy of a data set in the same layout, or go on with one that was begun.

    train.csv comes last, after the check: nothing can train on half a copy. A photo that is there whole is kept;
    a broken one of the source is left out together with its rows (`audit.RULES`).

    Args:
        source: folder with train.csv, train/ and, where present, test/, sample_submission.csv, label_descriptions.json.
        target: folder of the copy; new, empty, or begun with the same source and options.
        options: how to shrink.
        workers: processes; all cores where None.

    Returns:
        Counts of where every row and photo went, also kept in the copy's prepared.json.

    Raises:
        ValueError: a source that is no data set, a target of another one, or a copy that its check finds wrong.
        OSError: a file could not be read or written.
    """
    rows_path, unchecked = target / WORK / 'rows.csv', target / WORK / TRAIN
    with claim(source, target, options), WorkerPool(workers) as pool:
        scaled = downscale_rows(source / TRAIN, rows_path, options.max_side)
        audit = scaled.audit
        run = partial(_downscale_photos, source, target, options=options, audit=audit, pool=pool)
        unusable = run('train', scaled.sizes)
        if len(unusable) == len(scaled.sizes):
            raise ValueError(f'{source}: none of the {len(unusable)} photos can be used: {audit.summary()}')
        test_names = _copy_tables(source, target)
        test_photos = len(test_names) - len(run('test', dict.fromkeys(test_names)))
        left_out = select_rows(rows_path, unchecked, unusable)
        counts = dict(
            rows=scaled.rows,
            rows_dropped_by_audit=scaled.dropped,
            rows_vanished=sum(scaled.vanished.values()),
            rows_merged=scaled.merged,
            rows_of_unusable_photos=left_out,
            rows_written=scaled.kept - left_out,
            vanished_by_category=dict(scaled.vanished),
            train_photos=len(scaled.sizes) - len(unusable),
            test_photos=test_photos,
            train_photos_without_rows=_count_unnamed(source / 'train', scaled.sizes),
            test_photos_not_in_sample=_count_unnamed(source / 'test', test_names),
            files_left_out=list_left_out(source),
            audit=dict(audit.counts),
            audit_report=audit.report(),
        )
        write_manifest(target, {**read_manifest(target), 'counts': counts})
        check_copy(target, pool, unchecked)
        os.replace(unchecked, target / TRAIN)
        rows_path.unlink()
    return counts


def _downscale_photos(
    source: Path,
    target: Path,
    folder: str,
    sizes: dict[str, tuple[int, int] | None],
    options: Options,
    audit: Audit,
    pool: WorkerPool,
) -> set[str]:
    """Downscale a folder's photos; returns those that cannot be used, whose problems the audit takes."""
    paths = [photo_path(source / folder, name) for name in sizes]
    copies = [(path, target / path.relative_to(source), size) for path, size in zip(paths, sizes.values(), strict=True)]
    work = partial(downscale_photo, max_side=options.max_side, quality=options.quality)
    unusable = set()
    for name, problem in zip(sizes, track(pool.map(work, copies), f'photos of {folder}', len(copies)), strict=True):
        if problem:
            unusable.add(name)
            audit.add(*problem)
    return unusable


def _copy_tables(source: Path, target: Path) -> list[str]:
    """Copy the small tables; returns the photos that the sample submission names, none where there is no such table."""
    for name in (SAMPLE, LABELS):
        if (source / name).is_file():
            write_bytes(target / name, (source / name).read_bytes())
    return read_image_ids(source / SAMPLE) if (source / SAMPLE).is_file() else []


def _count_unnamed(folder: Path, names: Iterable[str]) -> int:
    """Count the files of a folder that no table names."""
    named = {photo_path(folder, name) for name in names}
    return sum(path not in named for path in list_files(folder))
