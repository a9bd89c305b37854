"""Focal losses (Lin et al., 2017), forward and backward, as mmcv splits them.

Shapes: input (N, C) logits or probabilities, target (N,) int64 class, weight (C,) of the classes or (0,) for none.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from fashion_mmdet.ops.common import in_kernel_dtype


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of every class's own logit into `output` (N, C); a target beyond the classes is background."""
    sign, factor = _signs_and_factors(input, target, weight, alpha)
    wrong = in_kernel_dtype(input) * -sign  # the logit of the wrong answer
    output.copy_(factor * wrong.sigmoid() ** gamma * softplus(wrong))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the slope of each loss of `sigmoid_focal_loss_forward` by its logit into `grad_input` (N, C).

    With r the probability of the wrong answer, the loss is r^gamma * -log(1 - r), and dr / dlogit is r * (1 - r).
    """
    sign, factor = _signs_and_factors(input, target, weight, alpha)
    wrong = in_kernel_dtype(input) * -sign
    r = wrong.sigmoid()
    grad_input.copy_(-sign * factor * r**gamma * (gamma * (1 - r) * softplus(wrong) + r))


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of every row of probabilities into `output` (N,); 0 where the target is negative."""
    p = _target_probs(softmax, target)
    loss = -alpha * (1 - p) ** gamma * p.clamp(min=torch.finfo(p.dtype).tiny).log()
    output.copy_(loss * _row_weights(target, weight))


def softmax_focal_loss_backward(
    softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the gradient of each loss of `softmax_focal_loss_forward` by the row's logits into `grad_input` (N, C).

    With p the target's probability, dp / dlogit_c = p * ([c is the target] - softmax_c).
    """
    p = _target_probs(softmax, target)
    rest = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)  # a sure row has no slope, for gamma < 1 too
    p_times_slope = alpha * (gamma * rest ** (gamma - 1) * torch.xlogy(p, p) - rest**gamma)
    is_target = target[:, None] == torch.arange(softmax.shape[1], device=softmax.device)
    grad_input.copy_((p_times_slope * _row_weights(target, weight))[:, None] * (is_target.to(p.dtype) - softmax))


def _signs_and_factors(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Return for every logit 1 where its class is the target, else -1, and the factor of its loss; (N, C) both."""
    sign = (target[:, None] == torch.arange(input.shape[1], device=input.device)) * 2 - 1
    factor = torch.where(sign > 0, alpha, 1 - alpha)
    return sign, factor * weight[target][:, None] if len(weight) else factor


def _target_probs(softmax: Tensor, target: Tensor) -> Tensor:
    return in_kernel_dtype(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _row_weights(target: Tensor, weight: Tensor) -> Tensor:
    valid = target >= 0
    return valid * weight[target.clamp(min=0)] if len(weight) else valid
