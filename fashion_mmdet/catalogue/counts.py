"""How often each category, attribute and colour occurs in each month or week of a catalogue, counted by DuckDB.

Three kinds of share, each with its own denominator:

- category: photos with at least one garment of it, of all photos of the period;
- attribute: garments of a category that have it, of all garments of that category in the period;
- colour: garments of a category whose largest colour has that name, of the same garments.

Attributes and colours are also counted over the garments of all categories together; their category is ''.
"""

import glob
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.catalogue.schema import Catalogue

PERIODS = ('month', 'week')
PHOTOS = """
create temp table photo as
select image, date_trunc('{by}', try_cast({date} as timestamp))::date as period from read_parquet($paths)
"""
GARMENTS = """
create temp table garment as
with one as (
    select image, period, category, coalesce(attributes, []) as attributes, colours[1].name as colour
    from read_parquet($paths) join photo using (image) where period is not null
)
from one union all select image, period, '', attributes, colour from one
"""
# y garments of an image have the term, n are of the category. Sums of squares give the variance between images.
TERMS = """
with size as (select period, image, category, count(*) as n from garment group by all),
hit as (
    select 'attribute' as kind, category, name, period, image, count(*) as y
    from (select period, image, category, unnest(list_distinct(attributes)) as name from garment) group by all
    union all
    select 'colour', category, colour, period, image, count(*) from garment where colour is not null group by all
)
select kind, category, name, period, sum(y)::bigint as y, sum(y * y)::bigint as yy, sum(y * n)::bigint as yn
from hit join size using (period, image, category) group by all
union all
select 'category', category, '', period, count(*), count(*), count(*) from size where category <> '' group by all
order by kind, category, name, period
"""
SIZES = """
select category, period, sum(n)::bigint as n, sum(n * n)::bigint as nn
from (select period, image, category, count(*) as n from garment group by all) group by all
"""


@dataclass(frozen=True)
class Counts:
    """Hits and denominators of K terms in T periods; n_i and y_i are an image's denominator and hits.

    Attributes:
        terms: (kind, category, name) of each; the name of a category is ''.
        periods: (T,) datetime64[D], the first day of each period that has a photo, ascending.
        x: (T,) the period's number from the first, gaps counted.
        photos: (T,) photos of each period.
        undated: photos without a date that can be read.
        hits, totals: (K, T) sums of y_i and n_i.
        yy, yn, nn: (K,) sums of y_i^2, y_i n_i and n_i^2 over all periods.
    """

    terms: list[tuple[str, str, str]]
    periods: np.ndarray
    x: np.ndarray
    photos: np.ndarray
    undated: int
    hits: np.ndarray
    totals: np.ndarray
    yy: np.ndarray
    yn: np.ndarray
    nn: np.ndarray


def count_terms(catalogue: Catalogue, date: str, by: str = 'month') -> Counts:
    """Count a catalogue's categories, attributes and colours by period.

    Args:
        catalogue: to read; an unfinished one is read as far as it is.
        date: column of the input that holds the date, as a date, a timestamp or ISO text.
        by: 'month' or 'week' (from Monday).

    Raises:
        ValueError: no such column, or no photo with a date in it; extra `catalogue` missing.
    """
    try:
        import duckdb
    except ImportError:
        raise ValueError('trends need DuckDB: pip install -e .[catalogue]') from None
    columns = catalogue.schemas['photos'].names
    if date not in columns:
        raise ValueError(f'{catalogue.folder}: no column {date!r}; the photos have {", ".join(columns)}')
    quoted = '"' + date.replace('"', '""') + '"'
    with duckdb.connect() as connection:
        _fill(connection, catalogue, PHOTOS.format(by=by, date=quoted), 'photos')
        periods = connection.execute(
            'select period, count(*) as n from photo group by all order by period'
        ).fetchnumpy()
        dated = ~np.ma.getmaskarray(periods['period'])
        if not dated.any():
            raise ValueError(
                f'{catalogue.folder}: column {date!r} holds no date; ISO dates such as 2024-01-31 are read'
            )
        _fill(connection, catalogue, GARMENTS, 'garments')
        terms = connection.execute(TERMS).fetchnumpy()
        sizes = connection.execute(SIZES).fetchnumpy()
    days = np.ma.getdata(periods['period'])[dated].astype('datetime64[D]')
    photos, undated = periods['n'][dated], int(periods['n'][~dated].sum())
    return _arrange(terms, sizes, days, _number(days, by), photos, undated)


def _fill(connection: 'duckdb.DuckDBPyConnection', catalogue: Catalogue, query: str, table: str) -> None:  # noqa: F821
    """Run a query over the files of a table."""
    import duckdb

    paths = [glob.escape(str(path)) for path in catalogue.paths(table)]
    if not paths:
        raise ValueError(f'{catalogue.folder}: no shard of the catalogue is finished; run tools/annotate.py again')
    try:
        connection.execute(query, dict(paths=paths))
    except duckdb.Error as error:
        raise ValueError(f'{catalogue.folder}: {str(error).splitlines()[0]}') from None


def _number(days: np.ndarray, by: str) -> np.ndarray:
    """Number periods from the first."""
    steps = days.astype('datetime64[M]').astype(int) if by == 'month' else days.astype(int) // 7
    return (steps - steps[0]).astype(float)


def _arrange(
    found: dict[str, np.ndarray],
    sizes: dict[str, np.ndarray],
    days: np.ndarray,
    x: np.ndarray,
    photos: np.ndarray,
    undated: int,
) -> Counts:
    """Lay the rows of both queries out by term and period."""
    keys = list(zip(found['kind'].tolist(), found['category'].tolist(), found['name'].tolist(), strict=True))
    terms = list(dict.fromkeys(keys))
    row_of = {term: row for row, term in enumerate(terms)}
    rows = np.array([row_of[key] for key in keys], int)
    columns = np.searchsorted(days, found['period'].astype('datetime64[D]'))
    hits = np.zeros((len(terms), len(days)), np.int64)
    hits[rows, columns] = found['y']
    yy, yn = (np.bincount(rows, found[name], len(terms)) for name in ('yy', 'yn'))

    categories = sorted(set(sizes['category'].tolist()))
    place = {category: row for row, category in enumerate(categories)}
    garments, squares = np.zeros((len(categories), len(days)), np.int64), np.zeros(len(categories))
    row = np.array([place[category] for category in sizes['category'].tolist()], int)
    garments[row, np.searchsorted(days, sizes['period'].astype('datetime64[D]'))] = sizes['n']
    np.add.at(squares, row, sizes['nn'])
    by_photo = np.array([kind == 'category' for kind, _, _ in terms])
    row = np.array([place[category] for _, category, _ in terms], int)
    totals = np.where(by_photo[:, None], photos, garments[row]) if terms else hits
    nn = np.where(by_photo, photos.sum(), squares[row]) if terms else yy
    return Counts(terms, days, x, photos, undated, hits, totals, yy, yn, nn)
