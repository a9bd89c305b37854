"""Continue a training from the furthest whole checkpoint of its folder."""

import logging
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from fashion_mmdet.experiments.checkpoints import UntrustedFileError, load_file
from fashion_mmdet.experiments.lock import on_main
from fashion_mmdet.experiments.record import read_record
from fashion_mmdet.experiments.weights import drop_pretrained, read_checkpoint, thaw
from fashion_mmdet.utils.files import remove_abandoned, write_text


def resume_latest(cfg: Config) -> str | None:
    """Set the config to resume from the furthest whole checkpoint of its work_dir; None, and no change, without one.

    What counts is what the checkpoints record: mmengine's note `last_checkpoint` may be missing, cut off, or copied
    from another folder, and the file times of a copy say nothing. Temporary files of killed runs are removed.
    """
    folder = Path(cfg.work_dir)
    found = on_main(lambda: _find_furthest(folder))
    if found is None:
        return None
    file, seed = found
    cfg.resume, cfg.load_from = True, None
    if cfg.get('randomness', {}).get('seed') is None:  # else the sampler would have drawn another
        cfg.randomness = dict(cfg.get('randomness', {}), seed=seed)
    drop_pretrained(cfg.model)
    if read_record(folder).get('random_start'):
        thaw(cfg.model)
    return file


def _find_furthest(folder: Path) -> tuple[str, int | None] | None:
    """Clean up a run's folder and note its furthest whole checkpoint; return that and its seed."""
    remove_abandoned(folder.absolute())
    records = {file: _read_meta(file) for file in [*folder.glob('epoch_*.pth'), *folder.glob('iter_*.pth')]}
    for file in sorted(filter(records.get, records), key=lambda file: _progress(records[file]), reverse=True):
        try:
            read_checkpoint(file)
        except UntrustedFileError:
            raise
        except ValueError as error:
            _pass_over(error)
            continue
        write_text(folder / 'last_checkpoint', str(file.resolve()))
        return str(file), records[file].get('seed')
    return None


def _read_meta(file: Path) -> dict | None:
    """Read a checkpoint's `meta` without its tensors; None, and a warning, where it has none."""
    try:
        meta = load_file(file, mmap=True)['meta']
        _progress(meta)
    except UntrustedFileError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        _pass_over(ValueError(f'{file}: not a checkpoint of a training, or cut off: {error!r}'))
        return None
    return meta


def _progress(meta: dict) -> tuple[int, int]:
    return meta['epoch'], meta['iter']  # where only iterations count, the epoch stays 0


def _pass_over(error: ValueError) -> None:
    print_log(f'{error}; trying the one before', logger='current', level=logging.WARNING)
