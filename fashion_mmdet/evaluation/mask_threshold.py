"""The threshold that turns mask probabilities into a mask: fixed, or by the IoU to expect."""

import numpy as np

EMPTY_THR = 0.5  # of masks without any probability, which are empty at every threshold


def expected_iou_thresholds(probs: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Choose each mask's threshold so that the IoU to expect is the highest.

    If pixel i belongs to the object with probability p_i, independently of the others, then a mask of k pixels whose
    probabilities sum to s shares s pixels with the object and misses sum(p) - s, so to first order its expected IoU is
    s / (k + sum(p) - s). For a given k the most probable pixels are best; hence one sort and one cumulative sum try
    every mask that can be the best. Probabilities 0.9, 0.6, 0.4, 0.1 give 0.9 / (1 + 1.1) = 0.43,
    1.5 / (2 + 0.5) = 0.6, 1.9 / (3 + 0.1) = 0.61, 2 / 4 = 0.5: three pixels, where 0.5 would take two. An uncertain
    mask thus grows, and a certain one keeps 0.5. (RankSEG: Dai and Li, JMLR 2023, who treat Dice and IoU exactly.)

    Args:
        probs: (N, M, M) float in [0, 1].
        temperature: divides the logits before the choice; above 1 makes overconfident probabilities less certain.

    Returns:
        (N,) float32 thresholds for `probs` as they are: halfway between the least probable pixel that is in and the
        next probability below it.
    """
    ranked = -np.sort(
        -probs.reshape(len(probs), probs.shape[1] ** 2).astype(np.float64), axis=1
    )  # (N, M * M), descending
    calibrated = ranked
    if temperature != 1:
        with np.errstate(divide='ignore'):
            odds = (ranked / (1 - ranked)) ** (1 / temperature)
            calibrated = np.where(np.isinf(odds), 1.0, odds / (1 + odds))
    inside = calibrated.cumsum(axis=1)
    total = inside[:, -1:]
    expected = inside / np.maximum(np.arange(1, ranked.shape[1] + 1) + total - inside, np.finfo(float).tiny)
    # Pixels of one probability are in together: only the last of them counts.
    below = np.concatenate([ranked[:, 1:], np.zeros((len(probs), 1))], axis=1)
    best = np.where(below < ranked, expected, -1.0).argmax(axis=1)
    rows = np.arange(len(probs))
    thresholds = (ranked[rows, best] + below[rows, best]) / 2
    return np.where(total[:, 0] > 0, thresholds, EMPTY_THR).astype(np.float32)
