"""The named steps of a data pipeline and their order.

A config gives its transforms by name, so that a child config can replace one (`crop=dict(...)`) or drop it
(`flip=None`). mmengine sorts the keys of a config that it dumps, hence the order stands here. To add a step: put its
name here, where it belongs in the order, and its transform under that name into a config's pipeline. A transform of
our own goes into `datasets/transforms.py`.
"""

from collections.abc import Mapping, Sequence

PIPELINE_STEPS = (
    'load',  # LoadScaled: photo, boxes, labels and masks at the wanted size; or mmdet's LoadImageFromFile
    'annotations',  # mmdet's LoadAnnotations, after its LoadImageFromFile
    'resize',
    'attributes',  # AttachAttributes: before any step that drops objects
    'rotate',
    'crop',
    'filter',  # drop objects that have become too small
    'flip',
    'color',
    'blur',
    'pack',  # PackDetInputs or PackAttributes
)


def order_steps(pipeline: Sequence[dict] | Mapping[str, dict | None]) -> list[dict]:
    """Put the steps of a pipeline in order and drop those that are None; a list is in order already.

    Raises:
        ValueError: a step's name is not in `PIPELINE_STEPS`.
    """
    if not isinstance(pipeline, Mapping):
        return list(pipeline)
    unknown = set(pipeline) - set(PIPELINE_STEPS)
    if unknown:
        raise ValueError(
            f'pipeline step {sorted(unknown)[0]!r}: one of {", ".join(PIPELINE_STEPS)}; or give the pipeline as a list'
        )
    return [pipeline[name] for name in PIPELINE_STEPS if pipeline.get(name)]
