"""Mixed precision that works without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Run the forward pass in bfloat16, on a CPU or a GPU; weights, gradients and the optimizer stay float32.

    mmengine's AmpOptimWrapper refuses to work without a GPU. bfloat16 has float32's range, so no loss scaling is
    needed. On CPUs with AVX-512 BF16 or AMX it halves a training step; on older ones float32 is faster.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Accumulate gradients as mmengine does, under autocast."""
        with super().optim_context(model), torch.autocast(get_device(), dtype=torch.bfloat16):
            yield
