"""Trends: shares counted by image, intervals and tests by hand, false ones bounded, a page that shows them."""

import csv
import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import special

from fashion_mmdet.benchmarks.trends import World, count_false, count_found, find_plainly, run, simulate
from fashion_mmdet.catalogue.counts import count_terms
from fashion_mmdet.catalogue.schema import Catalogue
from fashion_mmdet.catalogue.trends import LEAST_HITS, adjust, design_effect, find_trends, moderate, wilson
from tests.builders import EVIL, write_catalogue
from tools import trends as tool

DATE = pa.schema([('date', pa.string())])


def test_a_pair_in_one_image_counts_once():
    """Images (y, n) = (2, 2), (0, 2): p = 1/2, sum (y - n p)^2 = 1 + 1, binomial 1/4 * 4 = 1: twice the variance.

    One hit in each of two pairs varies less than chance, which is not believed: 1. So is what has no variance.
    """
    hits, totals = np.array([2, 2, 0, 0]), np.array([4, 4, 4, 0])
    yy, yn, nn = np.array([4, 2, 0, 0]), np.array([4, 4, 0, 0]), np.array([8, 8, 8, 0])
    np.testing.assert_allclose(design_effect(hits, totals, yy, yn, nn), [2, 1, 1, 1])


def test_wilson_interval_of_no_hit_in_ten():
    """[0, z^2 / (n + z^2)] with z^2 = 3.8415: 0.2775; 20 garments with a design effect of 2 are worth ten."""
    low, high = wilson(np.array([0, 0, 0]), np.array([10, 20, 0]), np.array([1, 2, 1]))
    np.testing.assert_allclose(low, [0, 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(high, [0.2775, 0.2775, np.nan], atol=1e-4)


def test_a_straight_rise_by_hand():
    """Shares 0.1, 0.2, 0.3, 0.4 of 100: change 0.3, p = 0.25, sum n (x - m)^2 = 100 * 5 = 500, no scatter.

    The slope's error is sqrt(0.1875 / 500) = 0.019365, t = 5.16398; with 2 degrees of freedom the two-sided p is
    1 - t / sqrt(2 + t^2) = 0.035515, and 97.5 % of t lies below 4.30265: 0.3 +- 3 * 0.019365 * 4.30265. A design
    effect of 4 doubles the error.
    """
    hits, totals = np.array([[10, 20, 30, 40]]), np.full((1, 4), 100)
    found = find_trends(np.arange(4), hits, totals)
    np.testing.assert_allclose(found.change, 0.3)
    np.testing.assert_allclose([found.p, found.q], 0.035515, rtol=1e-4)
    np.testing.assert_allclose(found.change_high - found.change, 3 * 0.019365 * 4.30265, rtol=1e-4)
    wide = find_trends(np.arange(4), hits, totals, np.array([4.0]))
    np.testing.assert_allclose(wide.change - wide.change_low, 6 * 0.019365 * 4.30265, rtol=1e-4)


def test_months_that_scatter_widen_the_interval():
    """10, 40, 10, 40 of 100: slope 30 / 500 = 0.06, fitted 16, 22, 28, 34, residuals -6, 18, -18, 6.

    X^2 / (T - 2) = 7.2 / 0.1875 / 2 = 19.2, error sqrt(19.2 * 0.1875 / 500) = 0.084853, t = 0.70711, p = 0.5528. By
    the binomial variance alone z is 3.1, p = 0.002.
    """
    found = find_trends(np.arange(4), np.array([[10, 40, 10, 40]]), np.full((1, 4), 100))
    np.testing.assert_allclose(found.p, 0.55279, rtol=1e-4)


def test_a_gap_in_time_is_no_step():
    """Shares 0.1, 0.2, 0.4, 0.5 at months 0, 1, 3, 4 lie on a line of 0.1 a month; month 2 has no denominator."""
    hits = np.array([[10, 20, 0, 40, 50], [20, 40, 60, 80, 0]])
    totals = np.array([[100, 100, 0, 100, 100], [200, 200, 200, 200, 0]])
    found = find_trends(np.arange(5), hits, totals)
    np.testing.assert_allclose(found.change, [0.4, 0.3])
    assert np.isnan(found.share[0, 2])


@pytest.mark.parametrize(
    'hits',
    [[[0, 0, 0, 0]], [[100, 100, 100, 100]], [[LEAST_HITS - 1, 0, 0, 0]], [[81, 100, 100, 100]], np.empty((0, 4), int)],
    ids=['none', 'all', 'few', 'few misses', 'no term'],
)
def test_too_little_is_not_tested(hits: list):
    found = find_trends(np.arange(4), np.array(hits), np.full_like(hits, 100))
    assert np.isnan(found.p).all()
    assert np.isnan(found.q).all()
    assert np.isnan(found.change).all()


def test_three_periods_are_not_tested():
    assert np.isnan(find_trends(np.arange(3), np.array([[10, 20, 30]]), np.full((1, 3), 100)).p).all()


def test_p_values_are_adjusted_over_what_was_tested():
    """Four tests: 0.01 * 4 / 1 = 0.04, 0.02 * 4 / 2 = 0.04, 0.03 * 4 / 3 = 0.04, 0.5."""
    p = np.array([[0.03, np.nan, 0.5, 0.01, 0.02], [np.nan] * 5])
    np.testing.assert_allclose(adjust(p), [[0.04, np.nan, 0.5, 0.04, 0.04], [np.nan] * 5])


def test_scatter_is_moderated_as_far_as_the_terms_agree():
    """20,000 draws of s^2 = f * chi2(10) / 10 with f = 2 * 30 / chi2(30): the prior has 30 degrees of freedom about 2.

    So a term of s^2 = 10 gets (30 * 2 + 10 * 10) / 40 = 4. Where all are equal, all get one value, which is s^2 times
    the bias of its logarithm, and no degrees of freedom are left to estimate. Two terms say nothing of each other.
    """
    generator = np.random.default_rng(0)
    drawn = 2 * 30 / generator.chisquare(30, 20_000) * generator.chisquare(10, 20_000) / 10
    drawn[0] = 10
    scatter, freedom = moderate(drawn, np.full(drawn.shape, 10), np.ones(drawn.shape, bool))
    np.testing.assert_allclose(freedom, 40, rtol=0.05)
    np.testing.assert_allclose(scatter[0], 4, rtol=0.05)

    scatter, freedom = moderate(np.full(5, 3.0), np.full(5, 10), np.array([True] * 4 + [False]))
    assert np.isinf(freedom).all()
    np.testing.assert_allclose(scatter, 3 * 5 / np.exp(special.digamma(5)))

    scatter, freedom = moderate(np.array([1.0, 9.0]), np.array([10, 8]), np.ones(2, bool))
    np.testing.assert_allclose(scatter, [1, 9])
    np.testing.assert_allclose(freedom, [10, 8])


@pytest.mark.parametrize('concentration', [np.inf, 200.0], ids=['even', 'uneven'])
def test_false_trends_stay_within_the_rate(concentration: float):
    """300 catalogues without a trend: any false one in 5 %, four standard errors are 5 %. Uneven months fool a plain
    test in a third of the catalogues."""
    hits, totals, truth = simulate(World(1000, False, concentration), 300, np.random.default_rng(1))
    assert 0 < count_false(find_trends(np.arange(12), hits, totals).q, truth)[1] < 0.1
    if np.isfinite(concentration):
        assert count_false(find_plainly(hits, totals), truth)[1] > 0.25


def test_planted_trends_are_found():
    hits, totals, truth = simulate(World(1000, True), 100, np.random.default_rng(2))
    found = find_trends(np.arange(12), hits, totals)
    right = (found.q <= 0.05) & (np.sign(found.change) == np.sign(truth))
    assert count_found(right, truth)[0][-1] == '100.0 %'  # share doubled, of at least a tenth of the photos
    assert count_false(found.q, truth)[0] < 0.1


def test_the_benchmark_counts_a_world():
    false, found = run(1, None, (World(100, True),))
    assert false.rows[0][:2] == ('trends', '100')
    assert [row[2] for row in found.rows] == ['10 to 50 %', '1 to 10 %', '0 to 1 %']


def garment(image: str, category: str, attributes: list[str] | None = None, colour: str | None = None) -> dict:
    """Make a row with the columns that trends read."""
    colours = [dict(name=colour, share=0.6), dict(name='white', share=0.4)] if colour else []
    return dict(image=image, category=category, attributes=attributes, colours=colours)


def small_catalogue(folder: Path, column: str = 'date') -> Catalogue:
    """Write five photos: two of January, one of them empty, one of March with two shoes and a coat, two undated."""
    pytest.importorskip('duckdb')
    dates = dict(a='2024-01-03', b='2024-01-31', c='2024-03-01', d='soon', e=None)
    garments = [
        garment('a', 'coat', ['maxi', 'check', 'check'], 'navy'),
        garment('c', 'coat', ['maxi'], 'red'),
        garment('c', 'shoe', None, 'red'),
        garment('c', 'shoe', None, 'navy'),
        garment('d', 'shoe', None, 'red'),
    ]
    photos = [{'image': image, column: date} for image, date in dates.items()]
    return Catalogue.open(write_catalogue(folder, garments, photos, pa.schema([(column, pa.string())])))


def test_terms_are_counted_by_photo_and_by_garment(tmp_path: Path):
    """January: 2 photos, one coat. March, two months on: 1 photo, a coat and two shoes, three garments in all.

    Of all garments, red has y = 2 of n = 3 in photo c, navy 1 of 1 in a and 1 of 3 in c.
    """
    counts = count_terms(small_catalogue(tmp_path / 'x[1]*'), 'date')
    np.testing.assert_array_equal(counts.periods, np.array(['2024-01-01', '2024-03-01'], 'datetime64[D]'))
    np.testing.assert_array_equal(counts.x, [0, 2])
    np.testing.assert_array_equal(counts.photos, [2, 1])
    assert counts.undated == 2
    found = {
        term: (hits.tolist(), totals.tolist(), *map(int, sums))
        for term, hits, totals, *sums in zip(
            counts.terms, counts.hits, counts.totals, counts.yy, counts.yn, counts.nn, strict=True
        )
    }
    assert found == {
        ('category', 'coat', ''): ([1, 1], [2, 1], 2, 2, 3),
        ('category', 'shoe', ''): ([0, 1], [2, 1], 1, 1, 3),
        ('attribute', '', 'maxi'): ([1, 1], [1, 3], 2, 4, 10),
        ('attribute', '', 'check'): ([1, 0], [1, 3], 1, 1, 10),
        ('attribute', 'coat', 'maxi'): ([1, 1], [1, 1], 2, 2, 2),
        ('attribute', 'coat', 'check'): ([1, 0], [1, 1], 1, 1, 2),
        ('colour', '', 'navy'): ([1, 1], [1, 3], 2, 4, 10),
        ('colour', '', 'red'): ([0, 2], [1, 3], 4, 6, 10),
        ('colour', 'coat', 'navy'): ([1, 0], [1, 1], 1, 1, 2),
        ('colour', 'coat', 'red'): ([0, 1], [1, 1], 1, 1, 2),
        ('colour', 'shoe', 'navy'): ([0, 1], [0, 2], 1, 2, 4),
        ('colour', 'shoe', 'red'): ([0, 1], [0, 2], 1, 2, 4),
    }


def test_weeks_begin_on_monday_and_a_column_may_have_any_name(tmp_path: Path):
    """3 January 2024 is in the week from the 1st, the 31st in that from the 29th, 1 March from 26 February."""
    counts = count_terms(small_catalogue(tmp_path, 'the "date'), 'the "date', 'week')
    assert counts.periods.astype(str).tolist() == ['2024-01-01', '2024-01-29', '2024-02-26']
    np.testing.assert_array_equal(counts.x, [0, 4, 8])


@pytest.mark.parametrize(('column', 'message'), [('datum', "no column 'datum'"), ('image', 'holds no date')])
def test_a_column_without_dates_is_named(tmp_path: Path, column: str, message: str):
    with pytest.raises(ValueError, match=message):
        count_terms(small_catalogue(tmp_path), column)


def test_a_catalogue_without_garments_has_no_terms(tmp_path: Path):
    pytest.importorskip('duckdb')
    write_catalogue(tmp_path, [], [dict(image='a', date='2024-01-01')], DATE)
    counts = count_terms(Catalogue.open(tmp_path), 'date')
    assert counts.terms == []
    assert find_trends(counts.x, counts.hits, counts.totals).q.shape == (0,)


def test_the_tool_shows_a_rise_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture):
    """Six months of 100 photos, a category in 10, 20 ... 60 of them, named like a script; coats in half."""
    pytest.importorskip('duckdb')
    garments, photos = [], []
    for month in range(6):
        for number in range(100):
            image = f'{month}_{number}'
            photos.append(dict(image=image, date=datetime.date(2024, month + 1, 1 + number % 28).isoformat()))
            garments += [garment(image, EVIL, None, 'navy')] * (number < 10 + 10 * month)
            garments += [garment(image, 'coat', ['maxi'], EVIL)] * (number % 2)
    folder = write_catalogue(tmp_path / 'shop', garments, photos, DATE)
    assert tool.main([str(folder), '--date', 'date', '--out', str(tmp_path / 'out')]) == 0
    assert 'rises' in capsys.readouterr().out
    page = (tmp_path / 'out' / 'index.html').read_text()
    assert '<script' not in page
    assert '&lt;script&gt;' in page
    assert '600 photos from Jan 2024 to Jun 2024' in page
    assert 'background:#000080' in page  # navy
    with open(tmp_path / 'out' / 'trends.csv', newline='') as file:
        rows = {(row['kind'], row['category'], row['name']): row for row in csv.DictReader(file)}
    assert float(rows['category', EVIL, '']['change']) == pytest.approx(0.5, abs=1e-6)
    assert float(rows['category', 'coat', '']['q']) > 0.9
    with open(tmp_path / 'out' / 'shares.csv', newline='') as file:
        shares = [row['share'] for row in csv.DictReader(file) if row['kind'] == 'category' and row['category'] == EVIL]
    assert shares == ['0.1', '0.2', '0.3', '0.4', '0.5', '0.6']


def test_the_tool_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path), '--date', 'date'])
    assert 'no catalogue' in capsys.readouterr().err
