"""The test pipeline of a config on photos that are in memory."""

from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose

from fashion_mmdet.datasets.decoding import decode_whole
from fashion_mmdet.datasets.pipeline import order_steps
from fashion_mmdet.experiments.tta import use_tta
from fashion_mmdet.inference.photos import Photo


class Pipeline:
    """Bring photos to the form that the network takes, as `tools/test.py` does.

    Args:
        config: with the pipeline of `test_dataloader`.
        tta: take the views of the config's `tta_pipeline`.

    Raises:
        ValueError: the config has no such pipeline.
    """

    def __init__(self, config: Config, tta: bool = False) -> None:
        if tta:
            config = config.copy()
            use_tta(config)
        try:
            steps = config.test_dataloader.dataset.pipeline
        except AttributeError:
            raise ValueError(f'{config.filename}: no test_dataloader.dataset.pipeline to prepare photos with') from None
        steps = _take_from_memory(order_steps(steps))
        self._loads_whole = 'LoadImageFromNDArray' in str(steps)
        self._compose = Compose(steps)

    def __call__(self, photo: Photo) -> dict[str, Any]:
        """Prepare a photo.

        Returns:
            `inputs`, (3, h, w) uint8 BGR tensor, and `data_samples`; with `tta` a list of each, one a view.
        """
        found = dict(img_id=photo.image_id, img_path=photo.image_id, instances=[])
        if self._loads_whole:
            whole = isinstance(photo.content, np.ndarray)
            return self._compose(
                dict(found, img=photo.content if whole else decode_whole(photo.content, photo.image_id))
            )
        return self._compose(dict(found, photo=photo.content, height=photo.height, width=photo.width))


def _take_from_memory(node: Any) -> Any:
    """Replace mmdet's reading of a file by that of an array, and leave out annotations; LoadScaled takes either."""
    if isinstance(node, (list, tuple)):
        kept = [one for one in node if not (isinstance(one, dict) and one.get('type') == 'LoadAnnotations')]
        return [_take_from_memory(one) for one in kept]
    if not isinstance(node, dict):
        return node
    if node.get('type') == 'LoadImageFromFile':
        return dict(type='LoadImageFromNDArray', to_float32=node.get('to_float32', False))
    return {key: _take_from_memory(value) for key, value in node.items()}
