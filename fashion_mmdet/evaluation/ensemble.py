"""Merge dumps of raw predictions of the same photos into one dump, image by image."""

import os
from collections.abc import Sequence
from dataclasses import asdict

from fashion_mmdet.evaluation.dump import DumpInfo, DumpWriter, read_dump, read_info
from fashion_mmdet.evaluation.merge import Merge, merge
from fashion_mmdet.utils.files import check_outputs
from fashion_mmdet.utils.progress import track


def merge_dumps(paths: Sequence[str | os.PathLike], out: str | os.PathLike, options: Merge) -> tuple[int, int]:
    """Merge dumps of several checkpoints or models.

    All dumps are read side by side, one row group of each in memory. The new dump's config text holds the options of
    the merge and all configs, its checkpoint all checkpoints.

    Args:
        paths: Parquet files that tools/test.py wrote; the same images in the same order.
        out: file to write; until it is whole, an older one of this name stays.
        options: see `merge.Merge`.

    Returns:
        The number of images and of merged detections.

    Raises:
        FileNotFoundError: no such dump.
        ValueError: not a dump, dumps of different images, another number of weights, or `out` is one of the dumps.
    """
    check_outputs([out], paths)
    options.model_weights(len(paths))
    infos = [read_info(path) for path in paths]
    for path, info in zip(paths[1:], infos[1:], strict=True):
        _check_images(paths[0], infos[0], path, info)
    writer = DumpWriter(out, _describe(paths, infos, options), ' + '.join(info.checkpoint for info in infos))
    detections = 0
    for raws in track(zip(*map(read_dump, paths), strict=True), 'merging', total=len(infos[0].images)):
        merged = merge(raws, options)
        detections += len(merged.scores)
        writer.write(merged)
    writer.close()
    return len(infos[0].images), detections


def _check_images(path: str | os.PathLike, info: DumpInfo, other_path: str | os.PathLike, other: DumpInfo) -> None:
    """Raise ValueError, naming the first difference, unless two dumps list the same images in the same order."""
    if other.images == info.images:
        return
    advice = 'test all models on the same photos (the same FASHION_DATA, split and seed)'
    sizes, other_sizes = ({image_id: sides for image_id, *sides in one.images} for one in (info, other))
    for here, there, found, lacking in ((path, other_path, sizes, other_sizes), (other_path, path, other_sizes, sizes)):
        missing = [image_id for image_id in found if image_id not in lacking]
        if missing:
            raise ValueError(
                f'{there}: lacks {len(missing)} of the {len(found)} images of {here}, such as {missing[0]}; {advice}'
            )
    for image_id, (height, width) in sizes.items():
        if other_sizes[image_id] != [height, width]:
            other_height, other_width = other_sizes[image_id]
            raise ValueError(
                f'{other_path}: {image_id} has {other_height}x{other_width} pixels, {height}x{width} in '
                f'{path}; {advice}'
            )
    raise ValueError(f'{other_path}: the images of {path} in another order; {advice}')


def _describe(paths: Sequence[str | os.PathLike], infos: Sequence[DumpInfo], options: Merge) -> str:
    """Return the options and the configs, each config below the dumps that it made."""
    makers: dict[str, list[str]] = {}
    for path, info in zip(paths, infos, strict=True):
        makers.setdefault(info.config, []).append(f'# {path}: {info.checkpoint}')
    head = '# merged: ' + ', '.join(f'{name}={value!r}' for name, value in asdict(options).items())
    return '\n'.join([head, *('\n'.join([*names, config]) for config, names in makers.items())])
