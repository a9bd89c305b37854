"""Registers everything of the package with mmdet and mmengine; configs import it through `custom_imports`."""

import fashion_mmdet.datasets.attributes
import fashion_mmdet.datasets.imaterialist
import fashion_mmdet.datasets.loading
import fashion_mmdet.datasets.sampler
import fashion_mmdet.datasets.transforms
import fashion_mmdet.evaluation.dump_metric
import fashion_mmdet.evaluation.metrics
import fashion_mmdet.experiments.checkpoint_hook
import fashion_mmdet.experiments.invalid_loss
import fashion_mmdet.experiments.repeatable
import fashion_mmdet.experiments.weights
import fashion_mmdet.models  # noqa: F401
