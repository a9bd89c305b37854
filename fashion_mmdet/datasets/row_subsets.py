"""Rows of a train.csv by image: taken out to be corrected, and put back in place of the old ones."""

import os
from collections.abc import Collection

import pandas as pd

from fashion_mmdet.datasets.records import COLUMNS, read_table


def select_rows(csv: str | os.PathLike, images: Collection[str]) -> str:
    """Return the rows of some images as the text of a CSV with the same columns; errors as `records.read_table`."""
    wanted = frozenset(images)
    return _to_text([chunk[chunk['ImageId'].isin(wanted)] for chunk in read_table(csv, COLUMNS)])


def replace_rows(csv: str | os.PathLike, corrected: str | os.PathLike) -> str:
    """Return a CSV's text with all rows of the images in another CSV replaced by the rows there, which come last.

    Args:
        csv: like train.csv.
        corrected: some of its images, with the same columns in any order.

    Raises:
        ValueError: not such files, other columns, or an image that `csv` does not have; names file and value.
    """
    old, new = (pd.concat(read_table(path, COLUMNS)) for path in (csv, corrected))
    if set(old.columns) != set(new.columns):
        odd = sorted(set(old.columns) ^ set(new.columns))[0]
        raise ValueError(f'{corrected}:1: the columns must be those of {csv}; column {odd!r} is in one alone')
    unknown = new[~new['ImageId'].isin(frozenset(old['ImageId']))]
    if len(unknown):
        raise ValueError(f'{corrected}:{unknown.index[0] + 2}: {csv} has no image {unknown["ImageId"].iloc[0]!r}')
    return _to_text([old[~old['ImageId'].isin(frozenset(new['ImageId']))], new[list(old.columns)]])


def _to_text(parts: list[pd.DataFrame]) -> str:
    return pd.concat(parts).to_csv(index=False, lineterminator='\n')
