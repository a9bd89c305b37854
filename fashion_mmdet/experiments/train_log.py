"""The log of a training: the scalars.json of each of its starts, joined."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fashion_mmdet.utils.json_files import COUNT, MEASURED, NUMBER, check_fields, parse_object

LOSS, SCORE, SCORE_50 = 'loss', 'fashion/score', 'fashion/score_50'
FIELDS = {'step': COUNT, 'epoch': COUNT, LOSS: MEASURED, SCORE: NUMBER, SCORE_50: NUMBER}  # a loss may be NaN


@dataclass(frozen=True)
class Log:
    """What a run logged while training.

    Attributes:
        train: lines with a `loss`; their `step` counts iterations.
        val: lines with a `fashion/score`; their `step` counts epochs, or iterations where training counts no epochs.
    """

    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)

    @property
    def by_epoch(self) -> bool:
        """Whether the val scores' steps are epochs; else they are iterations."""
        return not self.train or any('epoch' in line for line in self.train)

    @property
    def iterations_an_epoch(self) -> float | None:
        """Iterations per epoch: at least s / e by a line of epoch e at step s; None where training counts no epochs."""
        return max((line['step'] / line['epoch'] for line in self.train if line.get('epoch')), default=None)

    @property
    def epochs(self) -> int | None:
        """The last epoch that was begun; None where training counts no epochs."""
        return max((line['epoch'] for line in self.train if line.get('epoch')), default=None)

    def losses(self, iterations_an_epoch: float) -> list[tuple[float, float]]:
        """List (epochs done, loss); iterations instead, where `iterations_an_epoch` is 1."""
        return [(line['step'] / iterations_an_epoch, float(line[LOSS])) for line in self.train]

    def scores(self, iterations_an_epoch: float) -> list[tuple[float, float]]:
        """List (epochs done, score), likewise."""
        scale = 1 if self.by_epoch else iterations_an_epoch
        return [(line['step'] / scale, float(line[SCORE])) for line in self.val]


def read_log(paths: Sequence[Path]) -> Log:
    """Join a run's logs.

    Args:
        paths: scalars.json files in order of time.

    Raises:
        ValueError: a field of another kind, or a line that is not a JSON object, unless it is a file's last, which a
            kill may cut off.
    """
    log = Log()
    for path in paths:
        lines = _place_scores(_read_lines(path))
        log = join(log, Log([line for line in lines if LOSS in line], [line for line in lines if SCORE in line]))
    return log


def _place_scores(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give val scores at step 0 (mmengine's, where training counts no epochs) the step of the last loss before them."""
    placed, step = [], 0
    for line in lines:
        step = line['step'] if LOSS in line else step
        placed.append({**line, 'step': line['step'] or step} if SCORE in line else line)
    return placed


def join(earlier: Log, later: Log) -> Log:
    """Append the log of a resumed training to the earlier one; where their steps overlap, the later counts.

    A run that was killed in epoch 5 and resumed from the checkpoint of epoch 4 trains epoch 5 again. One that was
    started again in the same folder begins at step 1: nothing of the earlier log stays.
    """
    first_train = min((line['step'] for line in later.train), default=float('inf'))
    first_val = min((line['step'] for line in later.val), default=float('inf'))
    if later.train:
        first_val = min(first_val, min(line.get('epoch', line['step']) for line in later.train))
    return Log(
        [line for line in earlier.train if line['step'] < first_train] + later.train,
        [line for line in earlier.val if line['step'] < first_val] + later.val,
    )


def _read_lines(path: Path) -> list[dict[str, Any]]:
    texts = path.read_bytes().decode(errors='replace').splitlines()
    lines = []
    for number, text in enumerate(texts, 1):
        where = f'{path}:{number}'
        try:
            line = parse_object(text, where)
        except ValueError:
            if number == len(texts):
                break
            raise
        logged = [name for name in (LOSS, SCORE) if name in line]
        check_fields(line, FIELDS, where, [*logged, 'step'] if logged else [])
        lines.append(line)
    return lines
