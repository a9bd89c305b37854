"""The lines below a comparison: what its numbers mean, and what stands in the way of comparing."""

from collections.abc import Container, Iterator
from itertools import chain

from fashion_mmdet.classes import short_name
from fashion_mmdet.experiments.compare.comparison import Comparison, Row
from fashion_mmdet.experiments.runs import Run

GROUPS = ('score', 'difference', 'keys', 'deck', 'classes', 'cost', 'commit', 'changes')  # of a table's columns
METRIC = dict(average='image', match='category', size=[512, 512])


def write_notes(comparison: Comparison, groups: Container[str] = GROUPS) -> list[str]:
    """Write the lines that belong below a table with these groups of columns."""
    return [
        *_explain(comparison, groups),
        *(
            f'{row.name} against {row.against.name}: no difference given: {row.obstacle}.'
            for row in comparison.rows
            if 'difference' in groups and row.obstacle and row.scores and row.against.scores
        ),
        *chain.from_iterable(map(_describe_source, comparison.rows)),
    ]


def _explain(comparison: Comparison, groups: Container[str]) -> Iterator[str]:
    scored = [row.by_seed[0] for row in comparison.rows if row.by_seed]
    counts = sorted({len(scores.images) for scores in scored})
    other = f'baseline {comparison.baseline.name}' if comparison.baseline else 'run above'
    errors = dict(
        score=f'±: standard error of the mean over the val images ({" or ".join(f"{count:,}" for count in counts)}). ',
        difference=f'Difference: against the {other}, mean over the same images [95 % interval]; one that includes 0 '
        'may be noise. ',
    )
    shown = [text for group, text in errors.items() if group in groups]
    degrees = max((row.difference.seed_degrees for row in comparison.rows if row.difference), default=0)
    if counts and shown and not degrees:
        yield (
            ''.join(shown)
            + ('Both cover' if len(shown) == 2 else 'It covers')
            + ' the choice of photos only; another seed moves a training too.'
        )
    elif counts and shown:
        yield ''.join(shown).rstrip()
        yield from _explain_seeds(comparison, groups, degrees)
    if comparison.targets and 'classes' in groups:
        names = ', '.join(
            f'{short_name(category)} ({category}' + (f'; {scored[0].objects(category):,} objects)' if scored else ')')
            for category in comparison.targets
        )
        yield (
            f'Sensitivity: recall at IoU 0.5. Classes: {names}; {comparison.targets_from}. Others: the objects of '
            'all other classes together.'
        )


def _explain_seeds(comparison: Comparison, groups: Container[str], degrees: int) -> Iterator[str]:
    if 'score' in groups:
        yield (
            'Seeds: runs that differ in the seed only are one row: their number and the standard deviation of their '
            "scores; score and ± are those of their mean. Log, curves and pictures are the first seed's."
        )
    if 'difference' in groups:
        photos_only = [row.name for row in comparison.rows if row.difference and not row.difference.seed_degrees]
        yield (
            'The intervals hold for other photos and other seeds: crossed random effects, the spread between seeds '
            f'pooled over all rows scored alike (degrees of freedom: {degrees}), which a row of one seed borrows'
            + (f'; for other photos only: {", ".join(photos_only)}.' if photos_only else '.')
        )


def _describe_source(row: Row) -> Iterator[str]:
    name = row.name
    if row.source == 'log':
        last = row.log.val[-1]
        yield (
            f'* {name}: not scored from val.parquet; the last score in its log '
            f'({"epoch" if row.log.by_epoch else "iteration"} {last["step"]})'
            f'{_own_metric(row)}; no paired difference.'
        )
    if row.source == 'val.json':
        yield f'* {name}: the score that tools/test.py printed into val.json{_own_metric(row)}; no paired difference.'
    if row.source == '':
        yield f'{name}: no score; neither val.parquet nor a val score in its log.'
    for run in row.runs:
        yield from _describe_run(run, row)


def _describe_run(run: Run, row: Row) -> Iterator[str]:
    name = run.name
    if run.dump is not None and row.scores is None:
        yield f'{name}: val.parquet cannot be scored again: {run.truth} is missing.'
    trained = run.data.get('train_csv_sha256')
    if row.scores is not None and trained is not None and trained != row.scores.truth_sha256:
        yield f'{name}: {run.truth} has changed since the training; val may hold photos it was trained on.'
    if row.source == 'dump' and run.finished_s is not None and run.dump.stat().st_mtime < run.finished_s:
        yield f'{name}: val.parquet is older than the end of the training: an earlier checkpoint made it.'
    if run.record.get('random_start'):
        yield f'{name}: began from random weights; the pretrained ones could not be had.'


def _own_metric(row: Row) -> str:
    """Say how a run's own metric differs from the competition's; '' where it does not."""
    evaluators = row.run.config.to_dict().get('val_evaluator') or []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        if evaluator.get('type') == 'FashionIoUSweepMetric':
            own = {name: evaluator.get(name, value) for name, value in METRIC.items()}
            own['size'] = list(own['size']) if isinstance(own['size'], tuple) else own['size'] or None
            differing = [f'{name}={own[name]!r}' for name in METRIC if own[name] != METRIC[name]]
            return f', by its own metric: {", ".join(differing)}' if differing else ''
    return ''
