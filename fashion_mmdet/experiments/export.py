"""Export the weights of a checkpoint, without its training state, as safetensors."""

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from safetensors.torch import save

from fashion_mmdet.config import share_postprocess, use_data
from fashion_mmdet.experiments.checkpoints import SAFETENSORS, load_file, weights_of
from fashion_mmdet.utils.files import check_outputs, write_bytes
from fashion_mmdet.utils.literals import read_assignments

FACTS = ('epoch', 'iter', 'seed', 'time', 'experiment_name', 'mmengine_version')


def export_weights(
    checkpoint: str | Path,
    out: str | Path,
    half: bool = False,
    postprocess: dict[str, Any] | None = None,
    scores: dict[str, float] | None = None,
) -> dict[str, str]:
    """Write a checkpoint's weights, the averaged ones where it has some (EMA).

    Args:
        checkpoint: .pth of a training, or .safetensors.
        out: new file, `.safetensors`.
        half: store float16; integers stay as they are.
        postprocess: options tuned for these weights, in the place of their config's.
        scores: of these weights, in the place of those that the checkpoint knows.

    Returns:
        The metadata: `config` (text), `classes`, `scores` and `facts` (JSON), each where the checkpoint has it.

    Raises:
        ValueError: not a checkpoint, another suffix, a weight that float16 cannot hold, or a config that is more than
            plain data.
    """
    if Path(out).suffix != SAFETENSORS:
        raise ValueError(f'{out}: name it *{SAFETENSORS}, by which it is known')
    check_outputs([out], [checkpoint])
    content = load_file(checkpoint)
    # Copies: safetensors holds no tensors that share memory. A model wrapped for several processes carries a prefix.
    state = {
        name.removeprefix('module.'): tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in weights_of(content, checkpoint).items()
    }
    if half:
        state = {name: _halve(name, tensor, checkpoint) for name, tensor in state.items()}
    try:
        metadata = {'format': 'pt', **describe(content, Path(checkpoint).name)}
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f'{checkpoint}: what it says of itself is not as mmengine writes it: {error}') from None
    if postprocess is not None and 'config' not in metadata:
        raise ValueError(f'{checkpoint}: carries no config that a postprocess could go into')
    if 'config' in metadata:
        metadata['config'] = _portable_config(metadata['config'], postprocess, checkpoint)
    if scores is not None:
        metadata['scores'] = json.dumps(scores)
    write_bytes(out, save(state, metadata))
    return metadata


def _portable_config(text: str, postprocess: dict[str, Any] | None, path: str | Path) -> str:
    """Take the paths of one machine out of a config, and put a postprocess in."""
    try:
        cfg = Config(read_assignments(text))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: its config: {error}') from None
    use_data(cfg, 'data/imaterialist')
    cfg.load_from = None
    cfg.pop('work_dir', None)
    if postprocess is not None:
        cfg.postprocess = postprocess
        share_postprocess(cfg)
    return cfg.pretty_text


def _halve(name: str, tensor: torch.Tensor, path: str | Path) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not torch.equal(halved.isfinite(), tensor.isfinite()):
        raise ValueError(f'{path}: {name} holds {tensor.abs().max():g}, too large for float16; leave --half out')
    return halved


def describe(content: dict[str, Any], source: str) -> dict[str, str]:
    """Collect a checkpoint's metadata.

    Scores are those of the weights themselves, which only a checkpoint written during a validation holds, as the best
    one does; the others hold the scores of an earlier epoch.
    """
    meta, hub = _inner(content, 'meta'), _inner(content, 'message_hub')
    facts = dict(source=source, **{name: meta[name] for name in FACTS if name in meta})
    found = dict(facts=json.dumps(facts, default=str))
    if 'cfg' in meta:
        found['config'] = str(meta['cfg'])
    classes = _inner(meta, 'dataset_meta').get('classes')
    if classes:
        found['classes'] = json.dumps(list(map(str, classes)))
    if 'scores' in meta:
        found['scores'] = json.dumps(meta['scores'])
    elif _inner(hub, 'runtime_info').get('loop_stage') == 'val':
        found['scores'] = json.dumps(
            {
                name.removeprefix('val/'): float(history.current())
                for name, history in _inner(hub, 'log_scalars').items()
                if name.startswith('val/') and 'time' not in name
            }
        )
    return found


def _inner(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a dict of a checkpoint; {} where it has none, as in checkpoints of other programs."""
    found = content.get(name)
    return found if isinstance(found, dict) else {}
