"""Intervals of differences: by hand, and their coverage of simulated runs that differ in nothing (A/A)."""

import numpy as np
import pytest
from scipy import stats

from fashion_mmdet.experiments.compare.intervals import (
    difference_interval,
    estimate_seed_spread,
    paired_difference,
)

PHOTOS = 165


def simulate(
    generator: np.random.Generator,
    seeds: list[int],
    experiments: int = 1000,
    seed: float = 0.008,
    residual: float = 0.08,
    photo: float = 0.2,
    interaction: float = 0.04,
) -> list[np.ndarray]:
    """Draw scores in [0, 1] of configs that are equal: (experiments, S, PHOTOS) each, by their standard deviations."""
    photos = generator.normal(0.3, photo, (experiments, 1, PHOTOS))
    return [
        np.clip(
            photos
            + generator.normal(0, interaction, (experiments, 1, PHOTOS))
            + generator.normal(0, seed, (experiments, count, 1))
            + generator.normal(0, residual, (experiments, count, PHOTOS)),
            0,
            1,
        )
        for count in seeds
    ]


def coverage(seeds: list[int], **spreads: float) -> float:
    """Return the share of A/A experiments whose interval holds 0; the third config and on are others of the table."""
    before, after, *others = simulate(np.random.default_rng(0), seeds, **spreads)
    mean, reach, _ = difference_interval(before, after, others)
    return float((np.abs(mean) <= reach).mean())


@pytest.mark.parametrize('seeds', [[2, 2], [3, 3], [5, 5], [2, 5], [3, 3, 3, 3, 3], [1, 1, 3, 3], [1, 3]])
def test_intervals_of_runs_that_do_not_differ_hold_0_in_95_of_100(seeds: list[int]):
    """Of 1,000, with a standard error of 0.7 of 100."""
    assert 0.93 <= coverage(seeds) <= 0.97


@pytest.mark.parametrize('spreads', [dict(seed=0.02), dict(interaction=0.0, seed=0.006), dict(residual=0.02)])
@pytest.mark.parametrize('count', [2, 3, 5])
def test_the_coverage_holds_whatever_varies_most(count: int, spreads: dict[str, float]):
    """Two seeds each, whose spread has but 2 degrees of freedom, may end a little below."""
    assert (0.915 if count == 2 else 0.93) <= coverage([count, count], **spreads) <= 0.975


@pytest.mark.parametrize('count', [2, 3, 5])
def test_where_seeds_hardly_matter_the_intervals_are_somewhat_too_wide(count: int):
    """The variance is never taken for smaller than either of its parts, which costs when there is but a residual."""
    assert 0.95 <= coverage([count, count], seed=0.0, interaction=0.0) <= 0.995


def test_one_seed_alone_gives_an_interval_for_other_photos_that_is_too_narrow_for_other_seeds():
    assert coverage([1, 1]) < 0.85
    assert 0.93 <= coverage([1, 1], seed=0.0) <= 0.97, 'where seeds do not matter it is right'
    assert difference_interval(*simulate(np.random.default_rng(0), [1, 1]))[2] == 0


def test_seeds_alone_vary():
    """Means 0 and 0.2, and twice 0.5, on both photos alike: the photos' differences are 0.4 and 0.4, without spread.

    Between seeds: squares 0.01 + 0.01 + 0 + 0 over 2 degrees of freedom, 0.01; times 1/2 + 1/2; nothing is left over.
    Satterthwaite: 0.01^2 / (0.01^2 / 2) = 2 degrees of freedom; t(0.975, 2) = 4.30265 times 0.1.
    """
    before, after = np.array([[0.0, 0.0], [0.2, 0.2]]), np.full((2, 2), 0.5)
    mean, reach, degrees = difference_interval(before, after)
    assert (mean, degrees) == (pytest.approx(0.4), 2)
    assert reach == pytest.approx(0.430265, abs=1e-6)


def test_the_residual_counts_once_and_no_part_is_lost():
    """Two seeds against one: the photos differ by 0.9 and 0.8, variance 0.005 / 2 = 0.0025.

    Less their photo's mean the seeds are (-0.1, -0.2) and (0.1, 0.2), means -0.15 and 0.15: 0.045 over 1 degree of
    freedom; residuals of 0.05 four times: 0.01 / 1 / 2 photos = 0.005. Times 1/2 + 1: 0.0675 and 0.0075. The sum
    0.0025 + 0.0675 - 0.0075 is below 0.0675, which therefore stands. Satterthwaite's degrees of freedom, 0.0675^2 /
    (0.0025^2 + 0.0675^2 + 0.0075^2), are below the 1 that each part has: t(0.975, 1) = 12.7062.
    """
    before, after = np.array([[0.0, 0.0], [0.2, 0.4]]), np.ones((1, 2))
    between, residual, degrees = estimate_seed_spread([before, after])
    assert (between, residual, degrees) == (pytest.approx(0.045), pytest.approx(0.005), 1)
    mean, reach, _ = difference_interval(before, after)
    assert mean == pytest.approx(0.85)
    assert reach == pytest.approx(12.7062 * 0.0675**0.5, rel=1e-5)


def test_the_degrees_of_freedom_are_satterthwaite_s():
    """Photos differ by 0, 0.2 and 0.4: variance 0.04 / 3. Seeds differ by 0.2 on all photos: 0.02 over 1 degree of
    freedom, times 1/2 + 1: 0.03. The sum 0.0433333 has 0.0433333^2 / ((0.04 / 3)^2 / 2 + 0.03^2) degrees of freedom.
    """
    before, after = np.array([[0.0, 0.0, 0.0], [0.2, 0.2, 0.2]]), np.array([[0.1, 0.3, 0.5]])
    mean, reach, _ = difference_interval(before, after)
    free = (0.04 / 3 + 0.03) ** 2 / ((0.04 / 3) ** 2 / 2 + 0.03**2)
    assert mean == pytest.approx(0.2)
    assert reach == pytest.approx(stats.t.ppf(0.975, free) * (0.04 / 3 + 0.03) ** 0.5)


def test_equal_runs_have_an_interval_of_no_width():
    same = [dict(a=0.5, b=0.25)] * 2
    assert vars(paired_difference(same, same)) == dict(mean=0.0, low=0.0, high=0.0, images=2, seed_degrees=2)


def test_many_experiments_at_once_are_those_one_by_one():
    before, after = simulate(np.random.default_rng(1), [2, 3], experiments=4)
    together = difference_interval(before, after)
    for number in range(4):
        alone = difference_interval(before[number], after[number])
        np.testing.assert_allclose([together[0][number], together[1][number]], alone[:2])
