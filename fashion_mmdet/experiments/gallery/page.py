"""The gallery: a folder with index.html and a JPEG an image.

Everything from a dump (image ids, its path) is untrusted text and goes through `escape`.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from PIL import Image

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.evaluation.overlay import PAPER, draw_pair, save_picture
from fashion_mmdet.evaluation.verdicts import VERDICTS
from fashion_mmdet.experiments.compare.pictures import describe, read_photo
from fashion_mmdet.experiments.gallery.entries import PREDICTED, Entry
from fashion_mmdet.utils.files import picture_name, write_text
from fashion_mmdet.utils.progress import track

PICTURES = 'pictures'
GAP_PX = 8
ORDERS = {
    'worst': 'worst first',
    'best': 'best first',
    'name': 'name',
    **{verdict: f'most {label}' for verdict, label in zip(VERDICTS, ('hits', 'missed', 'spurious'), strict=True)},
}


@dataclass(frozen=True)
class Heading:
    """What stands above the pictures: the title, and sentences below it."""

    title: str
    sentences: Sequence[str]


def describe_gallery(
    dump: str | os.PathLike, entries: Sequence[Entry], categories: Sequence[int], iou: float, missing: int = 0
) -> Heading:
    """Say what the pictures are of, and what the scores mean.

    Args:
        dump: where they come from.
        entries: all of the dump, drawn or not.
        categories: that were asked for; none for all.
        iou: of a hit.
        missing: photos that are not there.
    """
    path = Path(dump).absolute()
    sentences = [f'Only {", ".join(map(short_name, categories))}.'] if categories else []
    if entries and all(entry.score is not None for entry in entries):
        mean = math.fsum(entry.score for entry in entries) / len(entries)
        sentences += [
            f'{len(entries):,} photos score {mean:.3f}: the mean over photos and IoU thresholds 0.50 to 0.95 of '
            'TP / (TP + FP + FN).',
            f'True left, predicted right; a hit overlaps by an IoU above {iou:g}.',
        ]
    else:
        sentences.append('Photo left, predicted right; no truth to judge by.')
    if missing:
        sentences.append(f'{missing:,} {"photo is" if missing == 1 else "photos are"} missing.')
    return Heading(f'{path.parent.name}/{path.name}', sentences)


def write_gallery(entries: Sequence[Entry], photos: Path, out: Path, heading: Heading, best: bool = False) -> Path:
    """Draw every entry and write the page that shows them.

    Args:
        entries: in the order of the page.
        photos: their folder.
        out: the folder to write; index.html comes last.
        heading: title and sentences.
        best: the order is the best first; for the page's choice of orders.

    Returns:
        The page.

    Raises:
        ValueError: a photo that cannot be read.
    """
    figures = []
    for entry in track(entries, 'drawing'):
        picture = draw_entry(entry, photos)
        path = Path(PICTURES) / picture_name(entry.image_id, '.jpg')
        save_picture(picture, out / path)
        figures.append(_figure(entry, path, picture.size))
    page = out / 'index.html'
    write_text(page, format_gallery(entries, figures, heading, best))
    return page


def draw_entry(entry: Entry, photos: Path) -> Image.Image:
    """Draw the truth (or the bare photo) left and the prediction right."""
    photo = read_photo(photo_path(photos, entry.image_id))
    left, right = draw_pair(photo, entry.prediction, entry.truth, entry.judgement)
    sheet = Image.new('RGB', (left.width + GAP_PX + right.width, left.height), PAPER)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + GAP_PX, 0))
    return sheet


def format_gallery(entries: Sequence[Entry], figures: Sequence[str], heading: Heading, best: bool = False) -> str:
    """Write the page's HTML around its figures."""
    judged = all(entry.judgement is not None for entry in entries)
    package = files('fashion_mmdet.experiments')
    return Template(package.joinpath('gallery/page.html').read_text(encoding='utf-8')).substitute(
        style=package.joinpath('page.css').read_text(encoding='utf-8'),
        title=escape(heading.title),
        subtitle=escape(' '.join(heading.sentences)),
        legend=_legend(entries, judged),
        classes=_class_options(entries),
        verdicts=_verdict_options() if judged else '',
        orders=_order_options(best) if judged else '',
        figures=''.join(figures),
    )


def _legend(entries: Sequence[Entry], judged: bool) -> str:
    counts = _by_verdict(sum((entry.tally() for entry in entries), Counter()))
    return ''.join(
        f'<span class="{verdict}"><i></i><b data-count="{verdict}">{counts[verdict]:,}</b> {verdict}</span>'
        for verdict in (VERDICTS if judged else (PREDICTED,))
    )


def _by_verdict(tally: Counter[tuple[int, str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (_, verdict), count in tally.items():
        counts[verdict] += count
    return counts


def _class_options(entries: Sequence[Entry]) -> str:
    images = Counter(category for entry in entries for category in entry.categories)
    return '<option value="">any class</option>' + ''.join(
        f'<option value="{category}">{escape(CATEGORIES[category])} ({count:,})</option>'
        for category, count in sorted(images.items(), key=lambda pair: CATEGORIES[pair[0]])
    )


def _verdict_options() -> str:
    options = ''.join(f'<option value="{verdict}">{verdict}</option>' for verdict in VERDICTS)
    return (
        f'<label>that is <select data-filter="verdict"><option value="">hit or not</option>{options}</select></label>'
    )


def _order_options(best: bool) -> str:
    chosen = 'best' if best else 'worst'
    options = ''.join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{text}</option>'
        for value, text in ORDERS.items()
    )
    return f'<label>Sort <select data-order>{options}</select></label>'


def _figure(entry: Entry, path: Path, size: tuple[int, int]) -> str:
    tally = entry.tally()
    counts, name = _by_verdict(tally), escape(entry.image_id)
    objects = ' '.join(f'{category}:{verdict}:{count}' for (category, verdict), count in sorted(tally.items()))
    marks = ''.join(
        f'<span class="{verdict}"><i></i>{counts[verdict]} {verdict}</span>'
        for verdict in (VERDICTS if entry.judgement else (PREDICTED,))
    )
    score, shown = ('', '') if entry.score is None else (str(entry.score), f'<b>{entry.score:.3f}</b>')
    text = escape(describe(entry.image_id, entry.score, entry.truth, entry.prediction))
    return (
        f'<figure data-name="{name}" data-score="{score}" data-objects="{objects}"><button type="button">'
        f'<img src="{escape(path.as_posix())}" alt="{text}" width="{size[0]}" height="{size[1]}" loading="lazy" '
        f'decoding="async"></button><figcaption>{shown}<code>{name}</code><span class="marks">{marks}</span>'
        '</figcaption></figure>'
    )
