"""Trends in simulated catalogues: how many planted ones are found, and how many risers and fallers are false."""

from dataclasses import dataclass

import numpy as np
from rich.progress import Progress
from scipy import stats

from fashion_mmdet.benchmarks.timing import Table, ticker
from fashion_mmdet.catalogue.trends import LEAST_HITS, adjust, find_trends

CATEGORIES, MONTHS, STYLES = 46, 12, 8
SHARES = np.geomspace(0.5, 0.002, CATEGORIES)  # of the photos, about as uneven as the competition's categories
FACTORS = (1.25, 1.5, 2.0)  # share at the one end over share at the other
PLANTED = 9  # of the 46, three for each factor, drawn for each catalogue; every other one falls
BANDS = ((0.1, 1), (0.01, 0.1), (0, 0.01))  # of a category's share before a trend
CATALOGUES = 200  # a round
LEVEL = 0.05


@dataclass(frozen=True)
class World:
    """What is simulated: photos a month, whether trends are planted, and how much the months differ.

    `concentration` is that of the Dirichlet distribution from which each month draws its mix of styles: campaigns,
    whose photos share outfits. Infinite: all months draw from one mix.
    """

    photos: int
    planted: bool
    concentration: float = np.inf

    @property
    def name(self) -> str:
        """Describe it in a table."""
        return ('trends' if self.planted else 'no trend') + ('' if np.isinf(self.concentration) else ', uneven months')


WORLDS = tuple(
    World(photos, planted, concentration)
    for planted in (False, True)
    for concentration in (np.inf, 200.0)
    for photos in (100, 1000, 10_000)
)


def simulate(
    world: World, catalogues: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the photos that hold each category, month by month.

    A photo has one of 8 styles, and a style its own shares of the categories: categories come together, as in outfits.

    Returns:
        (C, 46, 12) hits and totals, and the (C, 46) planted changes: the factor of a riser, minus that of a faller,
        0 without a trend.
    """
    tilt = generator.lognormal(0, 1, (catalogues, STYLES, CATEGORIES))
    shares = np.minimum(SHARES * tilt / tilt.mean(1, keepdims=True), 0.95)
    mix = np.full((catalogues, MONTHS, STYLES), 1 / STYLES)
    if np.isfinite(world.concentration):
        mix = generator.dirichlet(np.full(STYLES, world.concentration / STYLES), (catalogues, MONTHS))
    photos = generator.multinomial(world.photos, mix)  # (C, 12, S)
    truth = np.zeros((catalogues, CATEGORIES))
    if world.planted:
        truth[:, :PLANTED] = np.resize(FACTORS, PLANTED) * np.resize([1, -1], PLANTED)
        truth = generator.permuted(truth, axis=1)
    chances = shares.transpose(0, 2, 1)[:, :, None] * course(truth)[..., None]  # (C, 46, 12, S)
    hits = generator.binomial(photos[:, None], chances).sum(-1)
    return hits, np.full_like(hits, world.photos), truth


def course(truth: np.ndarray) -> np.ndarray:
    """Return each share over its largest value, (..., 12): linear from 1 / factor to 1, or back, or always 1."""
    least = 1 / np.maximum(np.abs(truth), 1)[..., None]
    rise = least + (1 - least) * np.linspace(0, 1, MONTHS)
    return np.where(truth[..., None] < 0, rise[..., ::-1], rise)


def find_plainly(hits: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Test every category as Cochran and Armitage do, by the binomial variance alone; adjusted p-values, (C, 46)."""
    x = np.arange(MONTHS) - (MONTHS - 1) / 2
    mean = hits.sum(-1) / totals.sum(-1)
    with np.errstate(divide='ignore', invalid='ignore'):
        z = (hits * x).sum(-1) / np.sqrt(mean * (1 - mean) * (totals * x**2).sum(-1))
    enough = np.minimum(hits.sum(-1), (totals - hits).sum(-1)) >= LEAST_HITS
    return adjust(np.where(enough, 2 * stats.norm.sf(np.abs(z)), np.nan))


def run(rounds: int, progress: Progress | None = None, worlds: tuple[World, ...] = WORLDS) -> list[Table]:
    """Simulate `rounds` times 200 catalogues of each world."""
    tick = ticker(progress, 'trends', len(worlds))
    false, found = [], []
    for number, world in enumerate(worlds):
        hits, totals, truth = simulate(world, rounds * CATALOGUES, np.random.default_rng(number))
        trends = find_trends(np.arange(MONTHS), hits, totals)
        shares = [*count_false(trends.q, truth), *count_false(find_plainly(hits, totals), truth)]
        cells = [_percent((~np.isnan(trends.p)).mean()), *map(_percent, shares)]
        false.append((world.name, f'{world.photos:,}', *cells))
        if world.planted:
            right = (trends.q <= LEVEL) & (np.sign(trends.change) == np.sign(truth))
            found += [(world.name, f'{world.photos:,}', *cells) for cells in count_found(right, truth)]
        tick()
    note = (
        f'{rounds * CATALOGUES:,} catalogues a row, {CATEGORIES} categories in 0.2 to 50 % of the photos, {MONTHS} '
        f'months, {PLANTED} trends planted or none, false discovery rate {LEVEL:g}. Tested: at least {LEAST_HITS} '
        'hits. False of found: mean over catalogues. Plain: Cochran and Armitage by the binomial variance alone.'
    )
    header = ('world', 'photos a month', 'tested', 'false of found', 'any false', 'plain: of found', 'plain: any')
    bands = ('world', 'photos a month', 'share of photos', *(f'x{factor:g}' for factor in FACTORS))
    tables = [Table('False trends in simulated catalogues', header, false, note)]
    if found:
        note = 'Over the year, with the right direction, those too rare to be tested counted as missed.'
        tables.append(Table('Planted trends found', bands, found, note))
    return tables


def count_false(q: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the mean share of false ones among the trends found, and the share of catalogues with any."""
    calls = q <= LEVEL
    false = calls & (truth == 0)
    return (false.sum(-1) / np.maximum(calls.sum(-1), 1)).mean(), false.any(-1).mean()


def count_found(right: np.ndarray, truth: np.ndarray) -> list[tuple[str, ...]]:
    """Return the share of planted trends that was found, a row for each band of shares, a column for each factor."""
    rows = []
    for low, high in BANDS:
        band = (low <= SHARES) & (high > SHARES)
        cells = [right[(np.abs(truth) == factor) & band].mean() for factor in FACTORS]
        rows.append((f'{100 * low:g} to {100 * min(high, SHARES[0]):g} %', *map(_percent, cells)))
    return rows


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'
