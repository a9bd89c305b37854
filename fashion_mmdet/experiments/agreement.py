"""Check that data, model and checkpoint of a run have the same classes, before the first photo is read."""

from collections.abc import Iterator, Sequence

from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.runner import CheckpointLoader
from torch import nn

from fashion_mmdet.config import data_sets
from fashion_mmdet.utils.checks import is_list

# Parts whose `num_classes` counts something else: object or not, kinds of surface, a backbone's ImageNet classes.
OTHER_CLASSES = ('backbone', 'rpn_head', 'semantic_head', 'glbctx_head')


def check_classes(cfg: Config, model: nn.Module, checkpoint: str | None = None) -> None:
    """Raise ValueError unless all data sets, all heads and the checkpoint have the same classes, in the same order.

    Args:
        cfg: config; its loaders' data sets, also those in wrappers, name their classes without reading files.
        model: built model; every module with `num_classes` must have as many.
        checkpoint: checkpoint to test or resume, with the classes that it was trained on; None for a start from weights
            that may have others.
    """
    named = [(key, classes_of(settings)) for key, settings in data_sets(cfg)]
    if checkpoint is not None:
        named.append((checkpoint, trained_classes(checkpoint)))
    named = [(key, classes) for key, classes in named if classes is not None]
    if not named:
        return
    first, classes = named[0]
    for other, theirs in named[1:]:
        if tuple(theirs) != tuple(classes):
            raise ValueError(
                f'{first} has {_describe(classes)}, but {other} {_describe(theirs)}: give all data sets '
                'the `categories` that the model is trained on'
            )
    for key, count in head_classes(model):
        if count != len(classes):
            raise ValueError(f'{key}={count}, but {first} has {_describe(classes)}; set {key}={len(classes)}')


def classes_of(settings: ConfigDict) -> Sequence[str] | None:
    """Return the classes of a data set without reading its files; None where it names none."""
    return DATASETS.build({**settings, 'lazy_init': True, 'pipeline': []}).metainfo.get('classes')


def trained_classes(checkpoint: str) -> Sequence[str] | None:
    """Read the classes that a checkpoint was trained on; None where it does not say."""
    meta = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu').get('meta') or {}
    classes = (meta.get('dataset_meta') or {}).get('classes')
    return classes if is_list(classes) else None


def head_classes(model: nn.Module) -> Iterator[tuple[str, int]]:
    """List the config keys of a model's numbers of classes, with the numbers."""
    for name, module in model.named_modules():
        parts = name.removeprefix('module.').split('.')  # wrapped for several processes
        if isinstance(getattr(module, 'num_classes', None), int) and not set(parts) & set(OTHER_CLASSES):
            yield '.'.join(['model', *parts, 'num_classes']), module.num_classes


def _describe(classes: Sequence[str]) -> str:
    return f'{len(classes)} classes ({"; ".join(map(str, classes[:3]))}{"; ..." * (len(classes) > 3)})'
