"""Ours beside its peers on the same input in the same run; a module a piece of work, tools/benchmark.py runs them."""

NAMES = (
    'index',
    'loader',
    'masks',
    'postprocess',
    'metric',
    'submission',
    'step',
    'threads',
    'workers',
    'growth',
    'trends',
    'vectors',
    'colours',
)
