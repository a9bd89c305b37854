"""Mixed precision that works without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


def has_fast_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Run the forward pass in bfloat16, on a CPU or a GPU; weights, gradients and the optimizer stay float32.

    mmengine's AmpOptimWrapper needs a GPU. bfloat16 has float32's range, so no loss scaling is needed. A CPU without
    AVX-512 BF16 or AMX, where float32 is faster, stays with float32, and the log says so.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.enabled = get_device() != 'cpu' or has_fast_bfloat16()
        if not self.enabled:
            print_log('this CPU has neither AVX-512 BF16 nor AMX: training in float32', logger='current')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Accumulate gradients as mmengine does, under autocast."""
        with super().optim_context(model), torch.autocast(get_device(), dtype=torch.bfloat16, enabled=self.enabled):
            yield
