"""A trained model that takes photos and gives garments."""

import copy
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xxhash
from mmdet.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

# What a config's network and test pipeline may name; the data set, its metrics and hooks would cost a second.
import fashion_mmdet.datasets.attributes
import fashion_mmdet.datasets.loading
import fashion_mmdet.datasets.transforms
import fashion_mmdet.models  # noqa: F401
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES, category_ids
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.postprocess import postprocess as to_masks
from fashion_mmdet.evaluation.predictions import RawPrediction, raw_from_sample
from fashion_mmdet.experiments.agreement import head_classes
from fashion_mmdet.experiments.weights import check_state, drop_pretrained
from fashion_mmdet.inference.photos import PhotoLike, read_photo
from fashion_mmdet.inference.pipeline import Pipeline
from fashion_mmdet.inference.result import Result, make_result
from fashion_mmdet.inference.sources import Source, read_source
from fashion_mmdet.models import AttributeBBoxHead

# Photos in the network at once. A core takes no less time for a photo among many, and 15 % more for one among 8, whose
# feature maps are so large that each is memory asked for anew.
CPU_BATCH, GPU_BATCH = 2, 8


def load_model(
    run: str | Path | None = None,
    checkpoint: str | Path | None = None,
    *,
    device: str | torch.device | None = None,
    postprocess: Postprocess | Mapping[str, Any] | None = None,
) -> 'Model':
    """Load a trained model.

        load_model()                             the weights that come with the package
        load_model('work_dirs/RUN')              a run: its best checkpoint, else its last
        load_model('weights.safetensors')        a file of tools/export_weights.py, or a .pth
        load_model('config.py', 'epoch_20.pth')  a config and its checkpoint

    Nothing that a run's folder or a file of weights holds is executed; a config given as a *.py is a program and runs.

    Args:
        run: folder, file of weights, or config; None for the shipped weights.
        checkpoint: .pth or .safetensors; with a folder, in the place of the one chosen.
        device: such as 'cpu' or 'cuda:1'; None for the GPU where there is one.
        postprocess: options that go over those of the config, or all of them as a `Postprocess`.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: no config or no weights there, they do not fit each other, or an invalid option.
    """
    return Model(read_source(run, checkpoint), device, postprocess)


class Features(NamedTuple):
    """What the heads of the network see of one photo.

    Attributes:
        levels: of the feature pyramid, finest first, each (C, h, w) float32 over the padded photo.
        size: height and width of the padded photo at the network's scale, in pixels.
    """

    levels: list[np.ndarray]
    size: tuple[int, int]


class Model:
    """A trained model; threads may share it.

    One batch at a time is in the network; photos of other callers are decoded and masks made meanwhile.

    Attributes:
        name: of the run, or of the file of weights.
        categories: the name of every category id that it may find.
        attributes: names of the attributes that it may find; () without an attribute head.
        scores: of its weights by name, such as 'fashion/score'; {} where not known.
        postprocess: options of the postprocessing, the config's unless others were given.
        fingerprint: hash of weights, network and preparation of photos: equal ones give equal raw predictions.
        device: where the network is.
    """

    def __init__(
        self,
        source: Source,
        device: str | torch.device | None = None,
        postprocess: Postprocess | Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.scores = source.name, source.scores
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self._config, self._ids = source.config, category_ids(dict(classes=source.classes))
        self.categories = {category: CATEGORIES[category] for category in sorted(self._ids)}
        self.postprocess = _merge_options(
            Postprocess.from_config(_plain(source.config.get('postprocess'))), postprocess
        )
        self.fingerprint = _fingerprint(source)
        with DefaultScope.overwrite_default_scope('mmdet'):
            self._network = _build_network(source).to(self.device).eval()
            self._pipeline = Pipeline(source.config)
        has_attributes = any(isinstance(module, AttributeBBoxHead) for module in self._network.modules())
        self.attributes = ATTRIBUTES if has_attributes else ()
        self._views: tuple[Pipeline, torch.nn.Module] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show name, device and fingerprint."""
        return f'Model({self.name!r}, {self.device}, {self.fingerprint})'

    def predict(
        self,
        photos: PhotoLike | Sequence[PhotoLike],
        *,
        postprocess: Postprocess | Mapping[str, Any] | None = None,
        tta: bool = False,
    ) -> Result | list[Result]:
        """Find the garments of a photo, or of each of a list.

        Args:
            photos: path; bytes of a JPEG, PNG, WebP, BMP or TIFF; PIL image; (H, W, 3) uint8 array, RGB; or a list. A
                file is turned by its EXIF orientation and read as `tools/test.py` reads it, a JPEG near the size that
                the network takes. PIL images and arrays are resized from full size, so that their scores and boxes
                differ from those of the same JPEG in the last digits.
            postprocess: options that go over the model's own, or all of them as a `Postprocess`.
            tta: predict several views and merge them, some 6 times the work.

        Returns:
            A result, or a list of them in the order of the photos. Each decodes its photo anew when pixels are asked
            for.

        Raises:
            OSError, ValueError, TypeError: a photo that cannot be read, as `photos.read_photo`; with a list nothing of
                it is returned.
        """
        if isinstance(photos, (list, tuple)):
            options = _merge_options(self.postprocess, postprocess)
            return [
                make_result(to_masks(raw, options), photo)
                for raw, photo in zip(self.raw(photos, tta=tta), photos, strict=True)
            ]
        return self.predict([photos], postprocess=postprocess, tta=tta)[0]

    def raw(self, photos: Sequence[PhotoLike], *, tta: bool = False) -> list[RawPrediction]:
        """Run the network alone: what its heads give for each photo, for `evaluation.postprocess`.

        Photos that are padded to the same size share a batch, others do not: so each is padded as it would be alone.
        """
        pipeline, network = self._with_views() if tta else (self._pipeline, self._network)
        raws: list[RawPrediction] = []
        size = self.batch_size
        for start in range(0, len(photos), size):
            raws += self._run(network, [pipeline(read_photo(photo)) for photo in photos[start : start + size]])
        return raws

    def prepare(self, photo: PhotoLike) -> dict[str, Any]:
        """Read and decode a photo at the size that the network takes, for `infer`; errors as `predict`."""
        return self._pipeline(read_photo(photo))

    def infer(self, prepared: Sequence[dict[str, Any]]) -> list[RawPrediction]:
        """Run the network for one batch of what `prepare` gave: together the same as `raw`."""
        return self._run(self._network, prepared)

    def infer_features(self, prepared: Sequence[dict[str, Any]]) -> list[tuple[RawPrediction, Features]]:
        """Run the network as `infer` does, and keep what its neck gives the heads: no second pass for an embedding.

        Raises:
            ValueError: the network has no neck.
        """
        levels: dict[int, list[np.ndarray]] = {}
        raws = self._run(self._network, prepared, levels)
        sizes = [self._padded_sizes(one['inputs'])[0] for one in prepared]
        divisor = self._pad_divisor
        return [
            (raw, Features(levels[index], (rows * divisor, columns * divisor)))
            for index, (raw, (rows, columns)) in enumerate(zip(raws, sizes, strict=True))
        ]

    def _run(
        self,
        network: torch.nn.Module,
        prepared: Sequence[dict[str, Any]],
        levels: dict[int, list[np.ndarray]] | None = None,
    ) -> list[RawPrediction]:
        """Run one batch, photos of a size together; the neck's output goes into `levels` by position, where given."""
        groups: dict[tuple, list[int]] = defaultdict(list)
        for index, one in enumerate(prepared):
            groups[self._padded_sizes(one['inputs'])].append(index)
        found: dict[int, RawPrediction] = {}
        for group in groups.values():
            with self._lock, torch.inference_mode(), self._tap(levels, group):
                samples = network.test_step(pseudo_collate([prepared[index] for index in group]))
            for index, sample in zip(group, samples, strict=True):
                found[index] = raw_from_sample(sample.to_dict(), self._ids)
        return [found[index] for index in range(len(prepared))]

    @contextmanager
    def _tap(self, levels: dict[int, list[np.ndarray]] | None, group: Sequence[int]) -> Iterator[None]:
        """Take a copy of the neck's output while the block lasts, for the photos of a batch."""
        if levels is None:
            yield
            return
        neck = getattr(self._network, 'neck', None)
        if neck is None:
            raise ValueError(f'{self.name}: the network has no neck (feature pyramid) to take embeddings from')

        def keep(module: torch.nn.Module, inputs: Any, outputs: Sequence[torch.Tensor]) -> None:
            arrays = [level.float().cpu().numpy() for level in outputs]  # (B, C, h, w) each
            for position, index in enumerate(group):
                levels[index] = [array[position] for array in arrays]

        handle = neck.register_forward_hook(keep)
        try:
            yield
        finally:
            handle.remove()

    def _padded_sizes(self, inputs: torch.Tensor | Sequence[torch.Tensor]) -> tuple:
        """Return height and width, after padding, of a photo or of each of its views."""
        divisor = self._pad_divisor
        views = [inputs] if isinstance(inputs, torch.Tensor) else inputs
        return tuple(tuple(-(-side // divisor) for side in view.shape[-2:]) for view in views)

    @property
    def batch_size(self) -> int:
        """How many photos the network takes at once."""
        return CPU_BATCH if self.device.type == 'cpu' else GPU_BATCH

    @property
    def _pad_divisor(self) -> int:
        return getattr(self._network.data_preprocessor, 'pad_size_divisor', 1)

    def _with_views(self) -> tuple[Pipeline, torch.nn.Module]:
        """Return pipeline and network of test-time augmentation, built at the first call."""
        if self._views is None:
            with DefaultScope.overwrite_default_scope('mmdet'):
                pipeline = Pipeline(self._config, tta=True)
                network = MODELS.build(dict(_plain(self._config.tta_model), module=self._network))
            self._views = pipeline, network.eval()
        return self._views


def _build_network(source: Source) -> torch.nn.Module:
    """Build the network and load its weights."""
    settings = source.config.get('model')
    if not isinstance(settings, Mapping):
        raise ValueError(f'{source.path}: its config has no model')
    settings = copy.deepcopy(settings)
    drop_pretrained(settings)
    if source.config.get('data_preprocessor') is not None:
        settings.setdefault('data_preprocessor', source.config.data_preprocessor)
    network = MODELS.build(settings)
    check_state(source.path, source.state, network)
    for key, count in head_classes(network):
        if count != len(source.classes):
            raise ValueError(f'{source.path}: {key}={count}, but the weights know {len(source.classes)} classes')
    network.load_state_dict(source.state, strict=False)
    return network


def _merge_options(own: Postprocess, given: Postprocess | Mapping[str, Any] | None) -> Postprocess:
    if isinstance(given, Postprocess):
        return given
    if not given:
        return own
    return Postprocess.from_config({**{field.name: getattr(own, field.name) for field in fields(own)}, **given})


def _plain(settings: Any) -> Any:
    """Return a part of a config as plain dicts."""
    return settings.to_dict() if hasattr(settings, 'to_dict') else settings


def _fingerprint(source: Source) -> str:
    digest = xxhash.xxh3_128()
    for name, tensor in sorted(source.state.items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy())
    pipeline = (source.config.get('test_dataloader') or {}).get('dataset', {}).get('pipeline')
    told = [_plain(source.config.get('model')), _plain(pipeline), source.classes]
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())  # a dumped config has other orders
    return digest.hexdigest()
