"""Predictions in plain words."""

from collections.abc import Sequence

from fashion_mmdet.classes import short_name
from fashion_mmdet.inference.result import Garment

SAME_IN_PLURAL = ('pants', 'shorts', 'glasses', 'tights')
ES = ('ch', 'ss')  # watches, dresses


def describe_garments(garments: Sequence[Garment]) -> str:
    """Count garments by category, the surest first: '1 jacket (0.93), 2 shoes (0.91, 0.74), 5 beads (0.83 to 0.51)'."""
    scores: dict[int, list[float]] = {}
    for garment in garments:
        scores.setdefault(garment.category_id, []).append(garment.score)
    found = (
        f'{len(some)} {count_name(category, len(some))} ({_list_scores(some)})' for category, some in scores.items()
    )
    return ', '.join(found) or 'nothing found'


def _list_scores(scores: Sequence[float]) -> str:
    """List scores that descend, up to three of them, else the first and the last."""
    if len(scores) > 3:
        return f'{scores[0]:.2f} to {scores[-1]:.2f}'
    return ', '.join(f'{score:.2f}' for score in scores)


def count_name(category: int, count: int) -> str:
    """Return the short name of a category, in the plural unless there is one."""
    name = short_name(category)
    if count == 1 or name in SAME_IN_PLURAL:
        return name
    return f'{name.removesuffix("f")}ves' if name == 'scarf' else f'{name}{"es" if name.endswith(ES) else "s"}'
