"""One training step of Mask R-CNN R50-FPN: forward, backward, optimizer step; ours, mmdet's and torchvision's.

All have the same backbone weights, the same anchors and, instead of a trained RPN, the same stand-in: an anchor's
overlap with the truth is its objectness, and the regression starts at zero. So the same boxes arrive at all heads.
"""

import copy
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from rich.progress import Progress
from torch import Tensor, nn

from fashion_mmdet.benchmarks.timing import Table, compare

CONFIG = Path(__file__).parents[2] / 'configs' / 'fashion' / 'maskrcnn_r50_lossw.py'
STOCK = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
NUM_CLASSES, NUM_OBJECTS, STRIDES = 46, 7, (4, 8, 16, 32, 64)
Example = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
RATE = 1e-9  # a step costs the same, and the weights stay what they were: every round does the same work
NOTE = (
    'Random weights, seed 0, the same backbone; float32; SGD. In the first three rows stem and first stage are '
    'frozen and BatchNorm keeps its statistics (torchvision: scales and shifts too). Ours and mmdet run on our '
    'operators; ours gets its masks as runs, as its loader gives them, and clips gradients, as its config says. '
    "The RPN of all proposes the same: an anchor's overlap with the truth is its objectness, its regression "
    'starts at zero. At the heads arrive (RoIs, with an object): {counts}.'
)


def run(
    rounds: int, progress: Progress | None = None, size_px: int = 512, images: int = 2, memory: bool = True
) -> list[Table]:
    """Measure the step on photos of `size_px` (a multiple of 64) squared; see `timing.measure`."""
    contenders = {
        'ours': partial(prepare_ours, size_px, images),
        'mmdet, stock config': partial(prepare_stock, size_px, images),
        'torchvision': partial(prepare_torchvision, size_px, images),
        'ours, all layers (as the config trains)': partial(prepare_ours, size_px, images, frozen_stages=-1),
    }
    counts = {name: count_rois(prepare()) for name, prepare in islice(contenders.items(), 3)}
    note = NOTE.format(counts=', '.join(f'{name} {rois}, {objects}' for name, (rois, objects) in counts.items()))
    work = f'training step, {images} x {size_px} px, {NUM_OBJECTS} objects each'
    return [compare('One training step', work, contenders, note, rounds, progress, memory)]


class Step:
    """A model, its input and what trains it; calling it trains one step.

    Attributes:
        heads: what is called once a step with the RoIs of the batch.
    """

    def __init__(self, model: nn.Module, train: Callable[[], object], heads: dict[str, nn.Module]) -> None:
        self.model, self.heads = model, heads
        self._train = train

    def __call__(self) -> None:
        """Train one step, to its end on a GPU too."""
        self._train()
        if torch.cuda.is_available():
            torch.cuda.synchronize()


def count_rois(step: Step) -> tuple[int, int]:
    """Train a step and count the RoIs that reach the box head and the mask head (those with an object)."""
    seen: dict[str, int] = {}
    hooks = [
        head.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: len(inputs[0])}))
        for name, head in step.heads.items()
    ]
    step()
    for hook in hooks:
        hook.remove()
    return seen['box'], seen['mask']


def make_truth(size_px: int, images: int) -> list[Example]:
    """Draw ellipses on noise.

    Returns:
        An image: photo (H, W, 3) uint8, boxes (7, 4) float32 x1 y1 x2 y2, labels (7,) int64, masks (7, H, W) uint8.
    """
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:size_px, :size_px]
    batch = []
    for _ in range(images):
        photo = generator.integers(0, 256, (size_px, size_px, 3), dtype=np.uint8)
        half = generator.uniform(0.06, 0.24, (NUM_OBJECTS, 2)) * size_px  # half of width and height
        centre = generator.uniform(half, size_px - half)
        masks = np.stack(
            [((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1 for (x, y), (a, b) in zip(centre, half, strict=True)]
        ).astype(np.uint8)
        boxes = np.stack(
            [
                [xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]
                for xs, ys in ((np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))) for mask in masks)
            ]
        )
        batch.append((photo, boxes.astype(np.float32), generator.integers(0, NUM_CLASSES, NUM_OBJECTS), masks))
    return batch


def prepare_ours(size_px: int, images: int, frozen_stages: int = 1) -> Step:
    """Build the model of `maskrcnn_r50_lossw` with its optimizer wrapper."""
    from fashion_mmdet.config import load_config

    cfg = load_config(str(CONFIG))
    cfg.model.backbone.frozen_stages = frozen_stages
    from fashion_mmdet.datasets.rle_masks import RLEMasks

    return _prepare_mmdet(cfg, size_px, images, RLEMasks.from_bitmaps)


def prepare_stock(size_px: int, images: int) -> Step:
    """Build mmdet's own config with 46 categories, on our operators."""
    from mmengine.hub import get_config

    cfg = get_config(STOCK)
    for head in (cfg.model.roi_head.bbox_head, cfg.model.roi_head.mask_head):
        head.num_classes = NUM_CLASSES
    from mmdet.structures.mask import BitmapMasks

    return _prepare_mmdet(cfg, size_px, images, lambda masks: BitmapMasks(masks, *masks.shape[1:]))


def _prepare_mmdet(cfg: Config, size_px: int, images: int, stack: Callable[[np.ndarray], object]) -> Step:
    import_modules_from_strings(['fashion_mmdet.register'])
    from mmdet.registry import MODELS
    from mmengine.optim import build_optim_wrapper

    cfg.model.backbone.init_cfg = None
    cfg.optim_wrapper.optimizer.lr = RATE
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.to(get_device()).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.backbone.load_state_dict(make_backbone())
    truth = make_truth(size_px, images)
    fix_proposals(model.rpn_head.rpn_cls, model.rpn_head.rpn_reg, truth, size_px)
    samples = pack_for_mmdet(truth, stack)
    inputs = [_to_tensor(photo) for photo, *_ in truth]
    heads = dict(box=model.roi_head.bbox_head, mask=model.roi_head.mask_head)

    def train() -> None:
        # A copy: the step draws the bitmaps of masks that come as runs, which is part of its work in every round.
        model.train_step(dict(inputs=inputs, data_samples=copy.deepcopy(samples)), wrapper)

    return Step(model, train, heads)


def pack_for_mmdet(truth: list[Example], stack: Callable[[np.ndarray], object]) -> list:
    """Make a DetDataSample an image, as a loader does; `stack` makes instance masks of an (N, H, W) bitmap."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmengine.structures import InstanceData

    samples = []
    for photo, boxes, labels, masks in truth:
        sizes = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), photo.shape[:2])
        sample = DetDataSample(metainfo=dict(**sizes, scale_factor=(1.0, 1.0)))
        boxes, labels = HorizontalBoxes(torch.from_numpy(boxes)), torch.from_numpy(labels)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=labels, masks=stack(masks))
        sample.ignored_instances = InstanceData(bboxes=boxes[:0], labels=labels[:0], masks=stack(masks[:0]))
        samples.append(sample)
    return samples


def prepare_torchvision(size_px: int, images: int) -> Step:
    """Build what `maskrcnn_resnet50_fpn` builds for trained weights: frozen BatchNorm, stem and first stage frozen.

    Its other defaults stay: 512 sampled RoIs an image as mmdet's, 2,000 proposals instead of 1,000 to draw them from.
    Its anchors are rounded to whole pixels; here they are not, as in mmdet.
    """
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name='resnet50', weights=None, trainable_layers=3)
    names = backbone.body.state_dict().keys()
    backbone.body.load_state_dict({name: value for name, value in make_backbone().items() if name in names})
    model = MaskRCNN(backbone, NUM_CLASSES + 1, min_size=size_px, max_size=size_px).to(get_device()).train()
    truth = make_truth(size_px, images)
    fix_proposals(model.rpn.head.cls_logits, model.rpn.head.bbox_pred, truth, size_px)
    model.rpn.anchor_generator.cell_anchors = [torch.from_numpy(base_anchors(stride)).float() for stride in STRIDES]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, RATE, momentum=0.9, weight_decay=1e-4)
    photos = [_to_tensor(photo).to(get_device()) / 255 for photo, *_ in truth]
    targets = [
        {name: torch.from_numpy(value).to(get_device()) for name, value in target.items()}
        for target in (dict(boxes=boxes, labels=labels + 1, masks=masks) for _, boxes, labels, masks in truth)
    ]

    def train() -> None:
        loss = sum(model(photos, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return Step(model, train, dict(box=model.roi_heads.box_head, mask=model.roi_heads.mask_head))


def _to_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1).contiguous()


def make_backbone() -> dict[str, Tensor]:
    """Draw ResNet-50 weights from seed 0; each block's last scale is zero, without which frozen statistics overflow."""
    from torchvision.models import resnet50

    torch.manual_seed(0)
    weights = resnet50(weights=None, zero_init_residual=True).state_dict()
    return {name: value for name, value in weights.items() if not name.startswith('fc.')}


def fix_proposals(objectness: nn.Conv2d, regression: nn.Conv2d, truth: list[Example], size_px: int) -> None:
    """Let an untrained RPN propose, as a trained one does, the anchors that overlap an object most.

    The output (B, 3, H, W) of its last convolution for objectness becomes ten times the anchor's IoU, and that for
    regression zero, so that proposals are the anchors themselves.
    """
    priors = {}
    for stride in STRIDES:
        overlaps = [anchor_overlap(boxes, size_px, stride) for _, boxes, *_ in truth]
        priors[size_px // stride] = torch.from_numpy(10 * np.stack(overlaps)).to(get_device())
    for layer in (objectness, regression):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    objectness.register_forward_hook(lambda _, inputs, output: output + priors[output.shape[-1]])


def base_anchors(stride: int) -> np.ndarray:
    """Return a level's anchors round the origin, 8 strides large, of ratios 0.5, 1, 2; (3, 4) float64 x1 y1 x2 y2."""
    ratios = np.sqrt([0.5, 1.0, 2.0])
    half_height, half_width = 4 * stride * ratios, 4 * stride / ratios
    return np.stack([-half_width, -half_height, half_width, half_height], axis=-1)


def anchor_overlap(boxes: np.ndarray, size_px: int, stride: int) -> np.ndarray:
    """Return each anchor's largest IoU with a box; (3, H, W) float32."""
    y, x = np.mgrid[:size_px:stride, :size_px:stride]
    anchors = np.stack([x, y, x, y], axis=-1) + base_anchors(stride)[:, None, None]  # (3, H, W, 4)
    best = np.zeros(anchors.shape[:-1])
    for box in boxes:
        inter = np.prod(
            np.clip(np.minimum(anchors[..., 2:], box[2:]) - np.maximum(anchors[..., :2], box[:2]), 0, None), axis=-1
        )
        areas = np.prod(anchors[..., 2:] - anchors[..., :2], axis=-1) + np.prod(box[2:] - box[:2])
        best = np.maximum(best, inter / (areas - inter))
    return best.astype(np.float32)
