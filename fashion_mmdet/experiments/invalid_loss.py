"""Stop a training whose loss is NaN or infinite, before a checkpoint holds it."""

import math

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

# float16's loss scale begins at 2**16 and is halved, and the step skipped, at every overflow.
HALVINGS = 16
REMEDY = 'try a lower optim_wrapper.optimizer.lr, a longer warm-up or clip_grad'


@HOOKS.register_module()
class StopAtInvalidLoss(Hook):
    """Check every iteration's loss, which mmengine has on the CPU for the log anyway, and the weights to be saved.

    mmdet's CheckInvalidLossHook checks every 50 iterations, after which a checkpoint may have been written, and ends in
    an assertion without a message.

    Raises:
        ValueError: a loss or weight that is NaN or infinite; with float16's loss scaling, whose overflows are skipped,
            more than 16 such losses in a row.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the loss."""
        losses = {name: runner.message_hub.get_scalar(f'train/{name}').current() for name in outputs or {}}
        if math.isfinite(losses.get('loss', 0.0)):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row > HALVINGS or getattr(runner.optim_wrapper, 'loss_scaler', None) is None:
            parts = ', '.join(f'{name} {value}' for name, value in losses.items() if not math.isfinite(value))
            raise ValueError(
                f'{runner.work_dir}: iteration {runner.iter + 1}: {parts}; stopped, the last checkpoint '
                f'is from before; {REMEDY}'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights: the step after a finite loss may still spoil them."""
        for name, tensor in checkpoint['state_dict'].items():
            if not torch.isfinite(tensor).all():
                raise ValueError(
                    f'{runner.work_dir}: iteration {runner.iter + 1}: {name} is not finite; stopped, '
                    f'nothing saved; {REMEDY}'
                )
