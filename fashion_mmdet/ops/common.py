"""What all stand-in operators need."""

import torch
from torch import Tensor


def in_kernel_dtype(tensor: Tensor) -> Tensor:
    """Widen bfloat16, and float16 on a CPU, to float32: torchvision lacks kernels for them."""
    narrow = tensor.dtype == torch.bfloat16 or (tensor.dtype == torch.float16 and tensor.device.type == 'cpu')
    return tensor.float() if narrow else tensor
