"""Rescorers as files: saved with skops, which runs no code of a stranger's file; loaded once per process."""

import functools
import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from skops import io as skops_io

from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.evaluation.rescorer.features import FEATURE_NAMES, FEATURE_VERSION
from fashion_mmdet.evaluation.rescorer.model import Rescorer
from fashion_mmdet.utils.files import write_bytes
from fashion_mmdet.utils.json_files import parse_object

# What the models hold beside what skops trusts anyway. A `partial` is as harmless as the function it holds, which
# skops asks about too.
TREE = 'sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor'
TRUSTED = ('functools.partial', TREE, 'sklearn.utils.validation.check_array')
FORMAT = 'fashion_mmdet confidence filter'
PACKAGES = ('scikit-learn', 'skops', 'numpy')


def save_rescorer(fitted: Rescorer, path: str | os.PathLike) -> None:
    """Write a rescorer with the names and version of its features, versions of packages, and its `meta`."""
    about = dict(
        format=FORMAT,
        confidence=fitted.confidence,
        feature_version=FEATURE_VERSION,
        feature_names=list(FEATURE_NAMES),
        packages={name: version(name) for name in PACKAGES},
        meta=fitted.meta,
    )
    write_bytes(path, skops_io.dumps(dict(about=json.dumps(about), hit=fitted.hit, gain=fitted.gain)))


def load_rescorer(path: str | os.PathLike) -> Rescorer:
    """Read a rescorer; the same file is read once per process.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a rescorer, one of other features, or one that holds types that no rescorer needs.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such rescorer; tools/train_rescorer.py writes one')
    stat = Path(path).stat()  # asked for every image: too often for a hash
    return _load(os.fspath(path), stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


@functools.lru_cache(maxsize=4)
def _load(path: str, *_: int) -> Rescorer:
    content = Path(path).read_bytes()
    try:
        strange = sorted(set(skops_io.get_untrusted_types(data=content)) - set(TRUSTED))
        parts = {} if strange else skops_io.loads(content, trusted=TRUSTED)
    except Exception as error:  # a damaged file raises anything
        raise ValueError(f'{path}: not a rescorer: {type(error).__name__}: {" ".join(str(error).split())}') from None
    if strange:
        raise ValueError(f'{path}: holds {", ".join(strange)}, which no rescorer needs; not loaded')
    try:
        about = parse_object(parts['about'], f'{path}: not a rescorer')
        _check(path, about)
        if not hasattr(parts['hit'], 'predict_proba') or not hasattr(parts['gain'], 'predict'):
            raise TypeError('it holds no models')
        for model in (parts['hit'], parts['gain']):
            _check_trees(model)
        return Rescorer(parts['hit'], parts['gain'], about['confidence'], about['meta'])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: not a rescorer: {error}') from None


def _check_trees(model: Any) -> None:
    """Raise IndexError where a tree's nodes lead out of it or in a circle: compiled loops follow them unchecked."""
    for tree in (tree for trees in getattr(model, '_predictors', ()) for tree in trees):
        inner = np.flatnonzero(tree.nodes['is_leaf'] == 0)
        nodes, count = tree.nodes[inner], len(tree.nodes)
        children = np.stack([nodes['left'], nodes['right']]).astype(np.int64)
        sets = nodes['bitset_idx'][nodes['is_categorical'] == 1].astype(np.int64)
        features = nodes['feature_idx'].astype(np.int64)
        is_tree = count and (children > inner).all() and (children < count).all()
        known = (features >= 0).all() and (features < len(FEATURE_NAMES)).all()
        if not (is_tree and known and (sets < len(tree.raw_left_cat_bitsets)).all()):
            raise IndexError('a tree leads out of itself')


def _check(path: str, about: dict[str, Any]) -> None:
    """Refuse a rescorer that would misread this version's features; warn of another scikit-learn."""
    if about.get('format') != FORMAT:
        raise ValueError(f'{path}: not a rescorer')
    if about['feature_version'] != FEATURE_VERSION or tuple(about['feature_names']) != FEATURE_NAMES:
        raise ValueError(
            f'{path}: made for version {about["feature_version"]} of the features, this is version '
            f'{FEATURE_VERSION}; train it again with tools/train_rescorer.py'
        )
    made, here = about['packages']['scikit-learn'], version('scikit-learn')
    if made.split('.')[:2] != here.split('.')[:2]:
        warnings.warn(f'{path}: made with scikit-learn {made}, this is {here}; confidences may differ', stacklevel=4)


def rescore(raw: RawPrediction, path: str | os.PathLike) -> RawPrediction:
    """Replace an image's scores by those of a saved rescorer; the first step of `postprocess`."""
    return load_rescorer(path).rescore(raw)
