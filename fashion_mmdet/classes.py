"""The 46 categories and 92 attributes of iMaterialist (Fashion) 2019, and a colour for every category.

Names and numbers as in the competition's label_descriptions.json: position in the tuple = id. Categories 0 to 12 are
main garments and may carry attributes; 13 to 26 are accessories; 27 to 45 are garment parts, closures, decorations.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

CATEGORIES: tuple[str, ...] = (
    'shirt, blouse',  # 0 upperbody
    'top, t-shirt, sweatshirt',  # 1 upperbody
    'sweater',  # 2 upperbody
    'cardigan',  # 3 upperbody
    'jacket',  # 4 upperbody
    'vest',  # 5 upperbody
    'pants',  # 6 lowerbody
    'shorts',  # 7 lowerbody
    'skirt',  # 8 lowerbody
    'coat',  # 9 wholebody
    'dress',  # 10 wholebody
    'jumpsuit',  # 11 wholebody
    'cape',  # 12 wholebody
    'glasses',  # 13 head
    'hat',  # 14 head
    'headband, head covering, hair accessory',  # 15 head
    'tie',  # 16 neck
    'glove',  # 17 arms and hands
    'watch',  # 18 arms and hands
    'belt',  # 19 waist
    'leg warmer',  # 20 legs and feet
    'tights, stockings',  # 21 legs and feet
    'sock',  # 22 legs and feet
    'shoe',  # 23 legs and feet
    'bag, wallet',  # 24 others
    'scarf',  # 25 others
    'umbrella',  # 26 others
    'hood',  # 27 garment parts
    'collar',  # 28 garment parts
    'lapel',  # 29 garment parts
    'epaulette',  # 30 garment parts
    'sleeve',  # 31 garment parts
    'pocket',  # 32 garment parts
    'neckline',  # 33 garment parts
    'buckle',  # 34 closures
    'zipper',  # 35 closures
    'applique',  # 36 decorations
    'bead',  # 37 decorations
    'bow',  # 38 decorations
    'flower',  # 39 decorations
    'fringe',  # 40 decorations
    'ribbon',  # 41 decorations
    'rivet',  # 42 decorations
    'ruffle',  # 43 decorations
    'sequin',  # 44 decorations
    'tassel',  # 45 decorations
)

ATTRIBUTES: tuple[str, ...] = (
    'above-the-hip (length)',  # 0 length
    'hip (length)',  # 1 length
    'micro (length)',  # 2 length
    'mini (length)',  # 3 length
    'above-the-knee (length)',  # 4 length
    'knee (length)',  # 5 length
    'below the knee (length)',  # 6 length
    'midi',  # 7 length
    'maxi (length)',  # 8 length
    'floor (length)',  # 9 length
    'single breasted',  # 10 opening type
    'double breasted',  # 11 opening type
    'lace up',  # 12 opening type
    'wrapping',  # 13 opening type
    'zip-up',  # 14 opening type
    'fly (opening)',  # 15 opening type
    'buckled (opening)',  # 16 opening type
    'toggled (opening)',  # 17 opening type
    'no opening',  # 18 opening type
    'asymmetrical',  # 19 silhouette
    'symmetrical',  # 20 silhouette
    'peplum',  # 21 silhouette
    'circle',  # 22 silhouette
    'flare',  # 23 silhouette
    'fit and flare',  # 24 silhouette
    'trumpet',  # 25 silhouette
    'mermaid',  # 26 silhouette
    'balloon',  # 27 silhouette
    'bell',  # 28 silhouette
    'bell bottom',  # 29 silhouette
    'bootcut',  # 30 silhouette
    'peg',  # 31 silhouette
    'pencil',  # 32 silhouette
    'straight',  # 33 silhouette
    'a-line',  # 34 silhouette
    'tent',  # 35 silhouette
    'baggy',  # 36 silhouette
    'wide leg',  # 37 silhouette
    'high low',  # 38 silhouette
    'curved (fit)',  # 39 silhouette
    'tight (fit)',  # 40 silhouette
    'regular (fit)',  # 41 silhouette
    'loose (fit)',  # 42 silhouette
    'oversized',  # 43 silhouette
    'burnout',  # 44 textile finishing, manufacturing techniques
    'distressed',  # 45 textile finishing, manufacturing techniques
    'washed',  # 46 textile finishing, manufacturing techniques
    'embossed',  # 47 textile finishing, manufacturing techniques
    'frayed',  # 48 textile finishing, manufacturing techniques
    'printed',  # 49 textile finishing, manufacturing techniques
    'ruched',  # 50 textile finishing, manufacturing techniques
    'quilted',  # 51 textile finishing, manufacturing techniques
    'pleat',  # 52 textile finishing, manufacturing techniques
    'gathering',  # 53 textile finishing, manufacturing techniques
    'smocking',  # 54 textile finishing, manufacturing techniques
    'tiered',  # 55 textile finishing, manufacturing techniques
    'cutout',  # 56 textile finishing, manufacturing techniques
    'slit',  # 57 textile finishing, manufacturing techniques
    'perforated',  # 58 textile finishing, manufacturing techniques
    'lining',  # 59 textile finishing, manufacturing techniques
    'no special manufacturing technique',  # 60 textile finishing, manufacturing techniques
    'plain (pattern)',  # 61 textile pattern
    'abstract',  # 62 textile pattern
    'cartoon',  # 63 textile pattern
    'letters, numbers',  # 64 textile pattern
    'camouflage',  # 65 textile pattern
    'check',  # 66 textile pattern
    'dot',  # 67 textile pattern
    'fair isle',  # 68 textile pattern
    'floral',  # 69 textile pattern
    'geometric',  # 70 textile pattern
    'paisley',  # 71 textile pattern
    'stripe',  # 72 textile pattern
    'houndstooth (pattern)',  # 73 textile pattern
    'herringbone (pattern)',  # 74 textile pattern
    'chevron',  # 75 textile pattern
    'argyle',  # 76 textile pattern
    'leopard',  # 77 animal
    'snakeskin (pattern)',  # 78 animal
    'cheetah',  # 79 animal
    'peacock',  # 80 animal
    'zebra',  # 81 animal
    'giraffe',  # 82 animal
    'toile de jouy',  # 83 textile pattern
    'plant',  # 84 textile pattern
    'empire waistline',  # 85 waistline
    'dropped waistline',  # 86 waistline
    'high waist',  # 87 waistline
    'normal waist',  # 88 waistline
    'low waist',  # 89 waistline
    'basque (wasitline)',  # 90 waistline
    'no waistline',  # 91 waistline
)

NUM_CATEGORIES = len(CATEGORIES)
NUM_ATTRIBUTES = len(ATTRIBUTES)
NUM_MAIN_CATEGORIES = 13  # attributes on any later category are annotation errors
HUE_STEP = 0.0937  # the 11 steps of shirt to dress go once round the wheel; shoe and bag fall in between


def _palette(size: int) -> tuple[tuple[int, int, int], ...]:
    """Spread hues so that what is worn together (the main garments, shoe, bag) differs most; RGB, 0 to 255."""
    colours = []
    for index in range(size):
        lightness = (0.45, 0.58, 0.68)[index % 3]
        red, green, blue = colorsys.hls_to_rgb(index * HUE_STEP % 1, lightness, 0.85)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return tuple(colours)


PALETTE = _palette(NUM_CATEGORIES)


def short_name(category: int) -> str:
    """Return the first of a category's names: 'shirt' for 'shirt, blouse'."""
    return CATEGORIES[category].split(',')[0]


def category_ids(dataset_meta: dict) -> tuple[int, ...]:
    """Return the category id of each label of a data set."""
    return tuple(CATEGORIES.index(name) for name in dataset_meta['classes'])


def to_multi_hot(attributes: Sequence[Sequence[int]]) -> np.ndarray:
    """Convert the attribute ids of N objects to (N, 92) bool; the row of an unlabelled object is empty."""
    marks = np.zeros((len(attributes), NUM_ATTRIBUTES), bool)
    for row, ids in zip(marks, attributes, strict=True):
        row[list(ids)] = True
    return marks


def parse_class_id(text: str) -> tuple[int, tuple[int, ...]]:
    """Split a ClassId such as `10_3_20_34` into its category and its attributes, ascending; any numbers are taken.

    Raises:
        ValueError: not whole numbers joined by underscores.
    """
    words = text.split('_')
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f'ClassId {text!r} is not category or category_attribute_attribute...')
    category, *attributes = map(int, words)
    return category, tuple(sorted(set(attributes)))


def format_class_id(category: int, attributes: tuple[int, ...] = ()) -> str:
    """Join a category and its attributes as the competition writes them."""
    return '_'.join(map(str, (category, *sorted(attributes))))
