"""Test-time augmentation: let a config's test loop predict several views of each photo."""

from collections.abc import Mapping, Sequence

from mmengine.config import Config

from fashion_mmdet.datasets.pipeline import order_steps


def use_tta(cfg: Config) -> None:
    """Let a config's test loop predict the views of its `tta_pipeline` and merge them by its `tta_model`.

    Weights are loaded into the model itself: it is wrapped when the test begins.

    Args:
        cfg: changed in place. `tta_model` and a `tta_pipeline` given as a list are mmengine's; a `tta_pipeline` by name
            goes over the pipeline of `test_dataloader`, see `combine_views`.

    Raises:
        ValueError: no `tta_model` or `tta_pipeline`, or they do not fit the pipeline.
    """
    if not (cfg.get('tta_model') and cfg.get('tta_pipeline')):
        raise ValueError(f"{cfg.filename}: no tta_model and tta_pipeline; add '../_base_/tta.py' to its _base_")
    views = cfg.tta_pipeline
    if isinstance(views, Mapping):
        views = combine_views(cfg.test_dataloader.dataset.pipeline, views)
    cfg.test_dataloader.dataset.pipeline = views
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='PrepareTTAHook', tta_cfg=cfg.tta_model)]


def combine_views(pipeline: Mapping[str, dict | None], alternatives: Mapping[str, Sequence[dict]]) -> list[dict]:
    """Build the pipeline of all combinations of some steps' alternatives.

    Args:
        pipeline: steps by name, for one view.
        alternatives: by name, what each alternative changes in that step; for a step that `pipeline` lacks, all of it.

    Returns:
        One TestTimeAug; its first view takes every step's first alternative.

    Raises:
        ValueError: a pipeline that is a list, an unknown step, or a step without a type.
    """
    if not isinstance(pipeline, Mapping):
        raise ValueError("tta_pipeline by name needs the test set's pipeline by name; give both as lists")
    steps = {name: [step] for name, step in pipeline.items() if step}
    for name, changes in alternatives.items():
        steps[name] = [{**(pipeline.get(name) or {}), **change} for change in changes]
        if not all('type' in step for step in steps[name]):
            raise ValueError(f'tta_pipeline.{name}: the pipeline has no such step, so each alternative needs a type')
    return [dict(type='TestTimeAug', transforms=order_steps(steps))]
