"""Build, train and run one or two models of each of mmdet's families, to see which ones the stand-ins support.

    python -m tests.ops.families [FAMILY ...] [--seconds 120]

prints the table of fashion_mmdet/ops/README.md; `s` is processor time, some seconds a model. A model is mmdet's own
config without pretrained weights and with fewer candidates; it takes one training step on two 128 px images and
predicts.
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
UNWANTED = ('init_cfg', 'pretrained', 'batch_augments', 'teacher_ckpt')
FEW = dict(num=64, nms_pre=200, max_per_img=100, num_queries=100)  # RoIs, candidates, detections, DETR's queries
CONFIGS = Path(__file__).with_suffix('.txt').read_text().split()  # one or two of each folder of mmdet's configs


@dataclass
class Outcome:
    """How far a model came."""

    config: str
    done: list[str]  # of builds, trains, predicts, in this order
    seconds: float
    why_not: str = ''


def load_small(config: str) -> 'Config':
    """Read the model of one of mmdet's configs, with nothing to download, no process group and few candidates."""
    import mmdet
    from mmengine.config import Config

    def strip(node: object) -> None:
        if isinstance(node, dict):
            node.update({key: None for key in UNWANTED if key in node})
            node.update({key: min(node[key], few) for key, few in FEW.items() if isinstance(node.get(key), int)})
            if node.get('type') in ('SyncBN', 'MMSyncBN'):
                node['type'] = 'BN'
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
            strip(child)

    whole = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / f'{config}.py')
    strip(whole.model)
    return Config(dict(model=whole.model))


def try_model(config: str, seconds: float = SECONDS, changes: dict | None = None) -> Outcome:
    """Build a model, train it for a step and predict.

    Args:
        config: path in mmdet's configs, without `.py`.
        seconds: processor time after which to stop.
        changes: options of the config by dotted key.
    """
    _prepare()
    begin, outcome = time.process_time(), Outcome(config, [], 0.0)
    try:
        with _at_most(seconds):
            small = load_small(config)
            small.merge_from_dict(changes or {})
            for step in _steps(small):
                outcome.done.append(step)
    except Exception as error:  # any: what stops a model is what the table says
        outcome.why_not = f'{type(error).__name__}: {error}'.replace('\n', ' ')[:110]
    outcome.seconds = time.process_time() - begin
    return outcome


def _prepare() -> None:
    """Load everything that any model needs, and tell mmengine what its runner would."""
    import torch._dynamo  # noqa: F401  what the optimizers load late
    from mmdet.utils import register_all_modules
    from mmengine.logging import MessageHub, MMLogger

    register_all_modules()
    MMLogger.get_current_instance().setLevel('ERROR')  # else how every tensor is initialized
    MessageHub.get_current_instance().update_info_dict(dict(iter=0, max_iters=1, epoch=0, max_epochs=1))


def _steps(config: 'Config') -> Iterator[str]:
    """Do one thing after another, and say what is done."""
    import torch
    from mmdet.registry import MODELS
    from mmdet.testing import demo_mm_inputs
    from mmengine.optim import OptimWrapper

    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    yield 'builds'
    text = str(config.model)
    batch = demo_mm_inputs(
        2,
        (3, 128, 128),
        [3, 2],
        with_mask='mask' in text,
        with_semantic=True,
        sem_seg_output_strides=8 if 'SemanticHead' in text else 1,
    )
    for sample in batch['data_samples']:
        sample.gt_instances.labels.zero_()  # the one class that all heads have
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-4))
    model.train()
    loss = float(model.train_step(batch, optimizer)['loss'])
    if not math.isfinite(loss):
        raise ArithmeticError(f'the loss is {loss}')
    yield 'trains'
    one = {key: values[:1] for key, values in batch.items()}  # mmcv's masked convolution takes no more
    model.eval()
    with torch.no_grad():
        model.test_step(one)
    yield 'predicts'


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError when the block takes more processor time."""

    def stop(*_) -> None:
        raise TimeoutError(f'not done after {seconds:g} s')

    before = signal.signal(signal.SIGPROF, stop)
    # Again and again: code around an import may swallow the first.
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('families', nargs='*', help="folders of mmdet's configs; all by default")
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
