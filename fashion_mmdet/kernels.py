"""What all stand-in operators need of torchvision's kernels. Loads no torch by itself."""


def in_kernel_dtype(tensor):
    """Widen bfloat16, and float16 on a CPU, to float32: torchvision lacks kernels for them."""
    import torch
    narrow = tensor.dtype == torch.bfloat16 or (tensor.dtype == torch.float16 and tensor.device.type == 'cpu')
    return tensor.float() if narrow else tensor


def load_torchvision() -> None:
    """Register `torch.ops.torchvision`."""
    import torchvision  # noqa: F401
