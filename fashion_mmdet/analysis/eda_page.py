"""The page of a data set: one Markdown file with a sentence, a picture and the numbers for each question."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from fashion_mmdet.analysis import eda, eda_plots
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES, NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import find_problem, photo_path
from fashion_mmdet.datasets.records import Record, Row, read_rows
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.utils.files import count_lines, write_text
from fashion_mmdet.utils.progress import track
from fashion_mmdet.utils.tables import format_markdown

LABELS = (2, 10)  # objects an image that most images have
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SPARE_EXAMPLES = 20  # drawn beside the asked ones, for photos that cannot be read
EXAMPLE_DPI = 160


def write_pages(root: Path, out: Path, examples: int, seed: int) -> Path:
    """Parse ROOT/train.csv once, check the photos in ROOT/train where there are any, write pictures and page.

    Args:
        root: folder of the data set.
        out: folder to write; README.md comes last.
        examples: number of photos to show.
        seed: seed of their choice.

    Returns:
        The page.

    Raises:
        ValueError: the file is not this CSV, or none of its rows holds an object.
        OSError: no such file, or a folder that cannot be written.
    """
    path, photos = root / 'train.csv', root / 'train'
    audit, draw = Audit(), eda.ExampleDraw(examples + SPARE_EXAMPLES, seed)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; --data or FASHION_DATA names the folder that holds train.csv')
    out.mkdir(parents=True, exist_ok=True)
    rows = track(read_rows(path, audit), 'rows', total=max(count_lines(path) - 1, 1))
    tables = eda.collect(rows, draw.offer)
    if not tables.image.size:
        raise ValueError(f'{path}: no row holds an object; the audit found: {audit.report()}')
    if photos.is_dir():  # 45,625 headers take about a minute
        images = zip(tables.image_ids, tables.sizes_px.tolist(), strict=True)
        for image_id, size in track(images, 'photos', total=len(tables.image_ids)):
            if problem := find_problem(photo_path(photos, image_id), *size):
                audit.add(*problem)
    parts = (
        describe_sizes,
        describe_labels,
        describe_categories,
        describe_attributes,
        describe_together,
        describe_areas,
    )
    with matplotlib.rc_context(eda_plots.STYLE):
        sections = [describe(tables, out) for describe in track(parts, 'pictures')]
        sections.append(describe_examples(draw.drawn(), photos, examples, out))
    intro = (
        f'# The data in {root}\n\n{_count(len(tables.image_ids), "image")} with '
        f'{_count(tables.image.size, "object")} in `train.csv`, counted after the audit below.'
    )
    write_text(out / 'README.md', '\n\n'.join([intro, *sections, describe_audit(audit, photos)]) + '\n')
    return out / 'README.md'


def describe_sizes(tables: eda.Tables, out: Path) -> str:
    """Draw the image sizes and list the ten commonest."""
    sizes, counts = eda.count_sizes(tables.sizes_px)
    if len(sizes) == 1:
        return _section('Image sizes', f'Every image is {sizes[0][0]}x{sizes[0][1]} (height x width, px).')
    images, pixels = len(tables.image_ids), sizes.prod(axis=1)
    names = [f'{height}x{width}' for height, width in (sizes[pixels.argmin()], sizes[pixels.argmax()], sizes[0])]
    portrait = float((tables.sizes_px[:, 0] > tables.sizes_px[:, 1]).mean())
    rows = [(*size, f'{count:,}', _percent(count / images)) for size, count in zip(sizes[:10], counts, strict=False)]
    return _section(
        'Image sizes',
        f'The images have {len(sizes):,} distinct sizes from {names[0]} to {names[1]} (height x width, px), the '
        f'commonest, {names[2]}, in {_percent(counts[0] / images)} of them; {_percent(portrait)} are higher than wide.',
        _picture(eda_plots.plot_sizes(tables.sizes_px), out / 'sizes.png', 'image sizes'),
        format_markdown(('height, px', 'width, px', 'images', 'share'), rows),
    )


def describe_labels(tables: eda.Tables, out: Path) -> str:
    """Draw the number of objects per image."""
    counts = np.bincount(tables.image)
    return _section(
        'Objects in an image',
        f'{_percent(eda.share_between(counts, *LABELS))} of the images have {LABELS[0]} to {LABELS[1]} objects; the '
        f'median is {np.median(counts):g}, the mean {counts.mean():.1f}, the most {counts.max()}.',
        _picture(eda_plots.plot_labels(counts, *LABELS), out / 'labels.png', 'objects in an image'),
    )


def describe_categories(tables: eda.Tables, out: Path) -> str:
    """Draw how often each category occurs and list all numbers."""
    objects, images = eda.count_categories(tables.image, tables.category)
    first, absent = int(objects.argmax()), np.flatnonzero(objects == 0)
    rarest = np.sort(objects)[: NUM_CATEGORIES // 2].sum() / objects.sum()
    numbers = enumerate(zip(CATEGORIES, objects, images, strict=True))
    rows = [(category, name, f'{number:,}', f'{holding:,}') for category, (name, number, holding) in numbers]
    return _section(
        'Categories',
        f'{CATEGORIES[first].capitalize()} leads with {_percent(objects[first] / objects.sum())} of the objects, in '
        f'{_percent(images[first] / len(tables.image_ids))} of the images; the rarer half of the {NUM_CATEGORIES} '
        f'categories holds {_percent(rarest)} of the objects, and {absent.size or "none"} of the categories '
        f'{"has" if absent.size == 1 else "have"} no object.',
        _picture(eda_plots.plot_categories(objects, images), out / 'categories.png', 'objects and images by category'),
        _details('All categories', format_markdown(('id', 'category', 'objects', 'images'), rows)),
    )


def describe_attributes(tables: eda.Tables, out: Path) -> str:
    """Draw how often each attribute occurs, and in which categories."""
    counts = np.bincount(tables.attribute, minlength=NUM_ATTRIBUTES)
    main = int((tables.category < NUM_MAIN_CATEGORIES).sum())
    garments = f'{_count(main, "main garment")} (categories 0 to 12)'
    if not counts.any():
        return _section('Attributes', f'None of the {garments} has an attribute.')
    shares = eda.attribute_shares(tables.category, tables.attribute_object)
    described = np.unique(tables.attribute_object).size
    first, most = int(counts.argmax()), int(np.nanargmax(shares))
    reading = (
        f'{_percent(described / main)} of the {garments} have attributes, '
        f'{counts.sum() / described:.1f} each; {ATTRIBUTES[first]!r} is the commonest ({counts[first]:,})'
    )
    by_category = []
    if np.nanmin(shares) < shares[most]:  # equal bars say nothing
        reading += f', {CATEGORIES[most]} the category that has them most often ({_percent(shares[most])})'
        by_category = [
            'Share of the objects that have attributes, by category:',
            _picture(
                eda_plots.plot_attribute_shares(shares),
                out / 'attribute_shares.png',
                'share of the objects with attributes by category',
            ),
        ]
    rows = [(attribute, ATTRIBUTES[attribute], f'{count:,}') for attribute, count in enumerate(counts)]
    return _section(
        'Attributes',
        f'{reading}.',
        _picture(eda_plots.plot_attributes(counts), out / 'attributes.png', 'objects by attribute'),
        *by_category,
        _details('All attributes', format_markdown(('id', 'attribute', 'objects'), rows)),
    )


def describe_together(tables: eda.Tables, out: Path) -> str:
    """Draw which categories share images."""
    together = eda.count_together(tables.image, tables.category, len(tables.image_ids))
    pair = eda.commonest_pair(together)
    if pair is None:
        return _section('Categories together', 'No image holds two categories.')
    first, second = pair
    images, shared = len(tables.image_ids), together[first, second]
    by_chance = together[first, first] / images * together[second, second] / images
    return _section(
        'Categories together',
        f'{CATEGORIES[first].capitalize()} and {CATEGORIES[second]} share the most images, {shared:,} or '
        f'{_percent(shared / images)}; met by chance they would share {_percent(by_chance)}.',
        _picture(eda_plots.plot_together(together), out / 'together.png', 'categories that share images'),
    )


def describe_areas(tables: eda.Tables, out: Path) -> str:
    """Draw the mask areas by category."""
    quantiles = eda.area_quantiles(tables.area_share, tables.category, QUANTILES)
    objects, _ = eda.count_categories(tables.image, tables.category)
    medians, pixels = quantiles[:, 2], SIZE[0] * SIZE[1]
    small, large, median = int(np.nanargmin(medians)), int(np.nanargmax(medians)), float(np.median(tables.area_share))
    return _section(
        'Mask areas',
        f'The median object covers {100 * median:.2g} % of its photo ({median * pixels:,.0f} px of the '
        f'{SIZE[0]}x{SIZE[1]} at which masks are scored), by category from {100 * medians[small]:.2g} % '
        f'({CATEGORIES[small]}, {medians[small] * pixels:,.0f} px) to {100 * medians[large]:.2g} % '
        f'({CATEGORIES[large]}).',
        _picture(eda_plots.plot_areas(quantiles, objects), out / 'areas.png', 'share of the photo by category'),
    )


def describe_examples(drawn: Sequence[tuple[Record, list[Row]]], photos: Path, examples: int, out: Path) -> str:
    """Draw the first photos of the draw that can be read, one panel per object."""
    if not photos.is_dir():
        return _section('Examples', f'No examples: no folder {photos}.')
    shown, problems = [], []
    for earlier in out.glob('example_*.png'):
        earlier.unlink()
    for record, rows in drawn:
        if len(shown) == examples:
            break
        try:
            photo = read_photo(photo_path(photos, record.image_id), record.height, record.width)
        except ValueError as error:
            problems.append(str(error))
            continue
        path = out / f'example_{len(shown) + 1}.png'
        picture = _picture(eda_plots.plot_example(photo, record, rows), path, record.image_id, EXAMPLE_DPI)
        shown.append(f'`{record.image_id}`\n\n{picture}')
    reading = (
        f'{_count(len(shown), "photo")} drawn at random, each beside its objects, the largest first, with their '
        f'share of the photo; squashed to the {SIZE[0]}x{SIZE[1]} at which masks are scored.'
    )
    left_out = [f'Drawn but left out, for their file:\n\n```text\n{chr(10).join(problems)}\n```'] if problems else []
    return _section('Examples', reading, *shown, *left_out)


def read_photo(path: Path, height: int, width: int) -> np.ndarray:
    """Read a photo at the size at which masks are scored, squashed as they are; (512, 512, 3) uint8, RGB.

    Raises:
        ValueError: missing, unreadable, cut off, or of another size than the CSV says; names file and problem.
    """
    if problem := find_problem(path, height, width):
        raise ValueError(f'{problem[0]}: {problem[1]}')
    return cv2.cvtColor(cv2.resize(load_photo(path), SIZE[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def describe_audit(audit: Audit, photos: Path) -> str:
    """Report what the audit found."""
    checked = 'rows and photos' if photos.is_dir() else f'rows (the photos were not checked: no folder {photos})'
    if not audit.counts:
        return _section('Audit', f'The audit found nothing wrong with the {checked}.')
    return _section(
        'Audit',
        f'The audit of the {checked} found {_count(sum(audit.counts.values()), "problem")} of '
        f'{_count(len(audit.counts), "kind")}; images with a bad photo are still counted above.',
        f'```text\n{audit.report()}\n```',
    )


def _section(title: str, *parts: str) -> str:
    return '\n\n'.join([f'## {title}', *parts])


def _picture(figure: Figure, path: Path, what: str, dpi: int = eda_plots.DPI) -> str:
    """Save a figure and return the link to it."""
    eda_plots.save_figure(figure, path, dpi)
    return f'![{what}]({path.name})'


def _details(title: str, content: str) -> str:
    return f'<details><summary>{title}</summary>\n\n{content}\n\n</details>'


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'


def _count(number: int, noun: str) -> str:
    return f'{number:,} {noun}{"" if number == 1 else "s"}'
