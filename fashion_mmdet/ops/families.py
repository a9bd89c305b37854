"""Build, train and run one model of each of mmdet's families, to see which ones the stand-ins carry.

    python -m fashion_mmdet.ops.families [FAMILY ...] [--seconds 120]

prints the table of README.md: about 5 s a family on one core. A model is mmdet's own config with the smallest ResNet
that fits its neck and without pretrained weights; it takes one training step on two 128 px images and predicts.
"""

import argparse
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

SECONDS = 120
CONFIGS = Path(__file__).with_suffix('.txt').read_text().split()  # one or two of each folder of mmdet's configs


@dataclass
class Outcome:
    """How far a model came."""

    config: str
    done: list[str]  # of builds, trains, predicts, in this order
    seconds: float
    why_not: str = ''


def smallest(config: str) -> 'Config':
    """Read the model of one of mmdet's configs without what is downloaded, tracked or tuned for its size."""
    import mmdet
    from mmengine.config import Config

    def strip(node: object) -> None:
        if isinstance(node, dict):
            for key in ('init_cfg', 'pretrained', 'batch_augments', 'teacher_ckpt'):
                if key in node:
                    node[key] = None
            if node.get('type') in ('SyncBN', 'MMSyncBN'):  # wants a process group
                node['type'] = 'BN'
            if 'ResNet' in str(node.get('type')) and node.get('depth') == 101:
                node['depth'] = 50
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
            strip(child)

    whole = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / f'{config}.py')
    strip(whole.model)
    return Config(dict(model=whole.model))


def try_model(config: str, seconds: float = SECONDS, changes: dict | None = None) -> Outcome:
    """Build a model, train it for a step and predict; `changes` are options of its config by dotted key."""
    import fashion_mmdet  # noqa: F401  mmcv's operators come first
    begin, outcome = time.perf_counter(), Outcome(config, [], 0.0)
    try:
        with _at_most(seconds):
            small = smallest(config)
            small.merge_from_dict(changes or {})
            for step in _steps(small):
                outcome.done.append(step)
    except Exception as error:  # any: what stops a model is what the table says
        outcome.why_not = f'{type(error).__name__}: {error}'.replace('\n', ' ')[:160]
    outcome.seconds = time.perf_counter() - begin
    return outcome


def _steps(config: 'Config') -> Iterator[str]:
    """Do one thing after another, and say what is done."""
    import torch
    from mmdet.registry import MODELS
    from mmdet.testing import demo_mm_inputs
    from mmdet.utils import register_all_modules
    from mmengine.logging import MMLogger
    from mmengine.optim import OptimWrapper
    register_all_modules()
    MMLogger.get_current_instance().setLevel('ERROR')  # else how every tensor is initialized
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    yield 'builds'
    text = str(config.model)
    semantic_stride = 8 if 'FusedSemanticHead' in text or 'SCNetSemanticHead' in text else 1
    batch = demo_mm_inputs(2, (3, 128, 128), [3, 2], with_mask=True, with_semantic=True,
                           sem_seg_output_strides=semantic_stride)
    for sample in batch['data_samples']:
        sample.gt_instances.labels.zero_()  # the one class that all heads have
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-4))
    losses = model.train().train_step(batch, optimizer)
    if not math.isfinite(losses['loss']):
        raise ArithmeticError(f'the loss is {losses["loss"]}')
    yield 'trains'
    with torch.no_grad():
        model.eval().test_step(batch)
    yield 'predicts'


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError when the block takes longer."""
    def stop(*_) -> None:
        raise TimeoutError(f'not done after {seconds:g} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('families', nargs='*', help='folders of mmdet\'s configs; all by default')
    parser.add_argument('--seconds', type=float, default=SECONDS, help='limit a model')
    args = parser.parse_args(argv)
    steps = ('builds', 'trains', 'predicts')
    print(f'| config | {" | ".join(steps)} | s | why not |\n|---|---|---|---|---|---|')
    for config in CONFIGS:
        if not args.families or config.split('/')[0] in args.families:
            found = try_model(config, args.seconds)
            marks = ' | '.join('yes' if step in found.done else 'no' for step in steps)
            print(f'| {config} | {marks} | {found.seconds:.0f} | {found.why_not} |', flush=True)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
