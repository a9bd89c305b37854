"""The wardrobe: chooses what a person wears; every attribute named here is one that the drawing shows."""

from dataclasses import dataclass, field

import numpy as np

from fashion_mmdet.datasets.sample.textures import PATTERNS, Colour, Texture, distinct_colour, make_texture

SHIRT, TOP, SWEATER, CARDIGAN, JACKET, VEST, PANTS, SHORTS, SKIRT, COAT, DRESS, JUMPSUIT, CAPE = range(13)

# Attribute ids: see classes.ATTRIBUTES.
SINGLE_BREASTED, DOUBLE_BREASTED, ZIP_UP, FLY, TOGGLED, NO_OPENING = 10, 11, 14, 15, 17, 18
SYMMETRICAL, FLARE, FIT_AND_FLARE, BELL_BOTTOM, PENCIL, STRAIGHT, A_LINE, TENT, WIDE_LEG = 20, 23, 24, 29, 32, 33, 34, 35, 37
QUILTED, PLEAT, TIERED = 51, 52, 55
HIGH_WAIST, NORMAL_WAIST, NO_WAIST = 87, 88, 91
FITS = {'tight': (40, 0.005, 0.1), 'regular': (41, 0.013, 0.5), 'loose': (42, 0.028, 1.0)}  # id, ease, boxiness
LENGTHS = {  # id, the hem's y
    'above-the-hip': (0, 0.425), 'hip': (1, 0.500), 'mini': (3, 0.595), 'above-the-knee': (4, 0.660), 'knee': (5, 0.730),
    'below the knee': (6, 0.785), 'midi': (7, 0.835), 'maxi': (8, 0.905),
}  # fmt: skip


@dataclass
class Garment:
    """One main garment (category 0 to 12), as chosen.

    Attributes:
        category: 0 to 12.
        texture: its cloth.
        attributes: ids of what the drawing shows.
        hem: y of the lower edge.
        ease: distance from the body, figure heights.
        boxy: 0 follows the waist, 1 falls straight.
        flare: half width gained per figure height below the hips.
        sleeve: part of the arm that is covered, 0 to 1.
        neck: 'round', 'vee', 'boat' or 'turtle'.
        gap: half width of the front opening at the hem.
        parts: names of what is drawn on it ('pocket', 'zipper', 'lapel', ...).
    """

    category: int
    texture: Texture
    attributes: set[int]
    hem: float
    ease: float = 0.012
    boxy: float = 0.5
    flare: float = 0.0
    sleeve: float = 0.0
    neck: str = 'round'
    gap: float = 0.0
    parts: set[str] = field(default_factory=set)


@dataclass
class Outfit:
    """What one person wears; None and absent names are not worn."""

    inner: Garment | None = None
    lower: Garment | None = None
    whole: Garment | None = None
    outer: Garment | None = None
    extras: set[str] = field(default_factory=set)
    colours: list[Colour] = field(default_factory=list)


class _Tailor:
    """Draws the choices of one outfit from one generator and keeps its colours apart."""

    def __init__(self, rng: np.random.Generator, used: list[Colour]):
        self.rng, self.used = rng, used

    def chance(self, probability: float) -> bool:
        return bool(self.rng.uniform() < probability)

    def pick(self, **weights: float) -> str:
        """Pick a name by weight; underscores stand for spaces, and 'the' keeps its hyphens."""
        names, shares = list(weights), np.array(list(weights.values()), float)
        name = names[self.rng.choice(len(names), p=shares / shares.sum())]
        return {'above_hip': 'above-the-hip', 'above_knee': 'above-the-knee'}.get(name, name.replace('_', ' '))

    def garment(self, category: int, length: str, fit: str, pattern: str, *attributes: int, **shape) -> Garment:
        """Cut a garment; length, fit and pattern give their attributes."""
        length_id, hem = LENGTHS[length]
        fit_id, ease, boxy = FITS[fit]
        texture = make_texture(pattern, distinct_colour(self.used, self.rng), self.rng)
        ids = {length_id, fit_id, PATTERNS[pattern][0], SYMMETRICAL, *attributes}
        hem += self.rng.uniform(-0.008, 0.008)
        return Garment(category, texture, ids, hem, **{'ease': ease, 'boxy': boxy, **shape})


def choose_outfit(rng: np.random.Generator, skin: Colour) -> Outfit:
    """Choose clothes and accessories; frequencies are skewed as in life: tops often, capes rarely."""
    outfit = Outfit(colours=[skin])
    tailor = _Tailor(rng, outfit.colours)
    kind = tailor.pick(separates=0.72, dress=0.22, jumpsuit=0.06)
    if kind == 'separates':
        outfit.inner = tailor_top(tailor)
        outfit.lower = tailor_lower(tailor)
    else:
        outfit.whole = tailor_dress(tailor) if kind == 'dress' else tailor_jumpsuit(tailor)
    chance = 0.52 if outfit.inner and outfit.inner.category != SWEATER else 0.18
    if 'hood' not in (outfit.inner.parts if outfit.inner else ()) and tailor.chance(chance):
        outfit.outer = tailor_outer(tailor)
    _choose_extras(outfit, tailor)
    return outfit


def tailor_top(tailor: _Tailor) -> Garment:
    """Choose a shirt, a T-shirt or sweatshirt, or a sweater."""
    category = {'top': TOP, 'shirt': SHIRT, 'sweater': SWEATER}[tailor.pick(top=0.5, shirt=0.3, sweater=0.2)]
    length, fit = tailor.pick(above_hip=0.3, hip=0.7), tailor.pick(tight=0.3, regular=0.45, loose=0.25)
    if category == SHIRT:
        parts = {'collar'} | ({'breast pocket'} if tailor.chance(0.3) else set()) | ({'bow'} if tailor.chance(0.1) else set())
        pattern = tailor.pick(plain=0.5, stripe=0.2, check=0.2, floral=0.1)
        sleeve = 0.42 if tailor.chance(0.3) else 0.97
        return tailor.garment(SHIRT, length, fit, pattern, SINGLE_BREASTED, sleeve=sleeve, parts=parts)
    if category == SWEATER:
        pattern = tailor.pick(rib=0.55, argyle=0.15, fair_isle=0.15, chevron=0.15)
        neck = tailor.pick(round=0.4, turtle=0.4, vee=0.2)
        return tailor.garment(
            SWEATER, 'hip', 'regular' if fit == 'tight' else fit, pattern, NO_OPENING, sleeve=0.98, neck=neck, parts={'cuff'}
        )
    pattern = tailor.pick(plain=0.45, stripe=0.22, dot=0.1, letters=0.15, floral=0.08)
    sleeve = float(tailor.rng.choice([0.0, 0.3, 0.45, 0.95], p=[0.3, 0.35, 0.15, 0.2]))
    neck = tailor.pick(round=0.5, vee=0.3, boat=0.2)
    parts = {'hood', 'pouch'} if sleeve > 0.9 and tailor.chance(0.6) else set()
    return tailor.garment(TOP, length, fit, pattern, NO_OPENING, sleeve=sleeve, neck=neck, parts=parts)


def tailor_lower(tailor: _Tailor) -> Garment:
    """Choose pants, shorts or a skirt; flare of pants widens the leg, of skirts the hem."""
    kind = tailor.pick(pants=0.56, shorts=0.18, skirt=0.26)
    waist, parts = (HIGH_WAIST if tailor.chance(0.35) else NORMAL_WAIST), {'pocket'} if tailor.chance(0.4) else set()
    if kind == 'pants':
        cut_ = tailor.pick(tight=0.35, straight=0.35, bell=0.12, wide=0.18)
        fit, flare, *ids = {
            'tight': ('tight', 0.0, STRAIGHT), 'straight': ('regular', 0.010, STRAIGHT),
            'bell': ('tight', 0.040, BELL_BOTTOM), 'wide': ('loose', 0.030, WIDE_LEG),
        }[cut_]  # fmt: skip
        pattern = tailor.pick(plain=0.5, twill=0.3, check=0.1, stripe=0.1)
        length = tailor.pick(midi=0.25, maxi=0.75)
        return tailor.garment(PANTS, length, fit, pattern, *ids, waist, FLY, flare=flare, parts=parts)
    if kind == 'shorts':
        fit = tailor.pick(tight=0.3, regular=0.4, loose=0.3)
        flare = {'tight': 0.0, 'regular': 0.008, 'loose': 0.018}[fit]
        pattern = tailor.pick(plain=0.4, twill=0.35, check=0.1, floral=0.15)
        return tailor.garment(
            SHORTS, tailor.pick(mini=0.6, above_knee=0.4), fit, pattern, waist, FLY, STRAIGHT, flare=flare, parts=parts
        )
    return _skirt(tailor, waist)


def _skirt(tailor: _Tailor, waist: int) -> Garment:
    shape, length = tailor.pick(pencil=0.3, a_line=0.4, flare=0.3), tailor.pick(mini=0.35, knee=0.25, midi=0.2, maxi=0.2)
    fit, flare, silhouette = {
        'pencil': ('tight', -0.04, PENCIL), 'a line': ('regular', 0.22, A_LINE), 'flare': ('loose', 0.42, FLARE),
    }[shape]  # fmt: skip
    pattern = tailor.pick(plain=0.5, check=0.15, floral=0.15, dot=0.1, leopard=0.1)
    garment = tailor.garment(SKIRT, length, fit, pattern, silhouette, waist, NO_OPENING, flare=flare)
    if length in ('midi', 'maxi'):
        garment.flare *= 0.6
    if shape == 'flare' and tailor.chance(0.5):
        garment.parts.add('pleat')
        garment.attributes.add(PLEAT)
    elif shape != 'pencil' and tailor.chance(0.25):
        garment.parts.add('ruffle')
    return garment


def tailor_dress(tailor: _Tailor) -> Garment:
    """Choose a dress; loose ones have no waistline, the others a seam at the waist."""
    shape = tailor.pick(pencil=0.25, fit_and_flare=0.45, a_line=0.3)
    length = tailor.pick(mini=0.35, above_knee=0.2, knee=0.2, midi=0.1, maxi=0.15)
    fit, flare, silhouette, waist = {
        'pencil': ('tight', 0.0, PENCIL, NORMAL_WAIST), 'fit and flare': ('tight', 0.42, FIT_AND_FLARE, NORMAL_WAIST),
        'a line': ('loose', 0.22, A_LINE, NO_WAIST),
    }[shape]  # fmt: skip
    pattern = tailor.pick(plain=0.35, floral=0.3, dot=0.15, stripe=0.1, check=0.1)
    sleeve = float(tailor.rng.choice([0.0, 0.3, 0.95], p=[0.5, 0.3, 0.2]))
    neck = tailor.pick(round=0.4, vee=0.4, boat=0.2)
    dress = tailor.garment(
        DRESS, length, fit, pattern, silhouette, waist, NO_OPENING, flare=flare, sleeve=sleeve, neck=neck
    )
    if length in ('midi', 'maxi', 'knee'):
        dress.flare *= 0.6
    if shape != 'pencil' and tailor.chance(0.22):
        dress.parts.add('ruffle')
        dress.attributes.add(TIERED)
    if tailor.chance(0.1):
        dress.parts.add('bow')
    return dress


def tailor_jumpsuit(tailor: _Tailor) -> Garment:
    """Choose a jumpsuit: top and legs of one cloth, with a zipper or without."""
    zipped = tailor.chance(0.5)
    pattern = tailor.pick(plain=0.5, twill=0.25, stripe=0.1, floral=0.15)
    garment = tailor.garment(
        JUMPSUIT, 'maxi', 'regular', pattern, ZIP_UP if zipped else NO_OPENING, STRAIGHT, NORMAL_WAIST,
        boxy=0.2, flare=0.012, sleeve=float(tailor.rng.choice([0.0, 0.3, 0.95])), neck='vee',
    )  # fmt: skip
    garment.parts |= {'zipper', 'collar'} if zipped else set()
    return garment


def tailor_outer(tailor: _Tailor) -> Garment:
    """Choose a coat, jacket, cardigan, vest or cape."""
    kind = tailor.pick(coat=0.28, jacket=0.32, cardigan=0.18, vest=0.12, cape=0.10)
    gap = float(tailor.rng.uniform(0.02, 0.05)) if tailor.chance(0.6) else 0.0
    pocket = {'pocket'} if tailor.chance(0.45) else set()
    if kind == 'coat':
        double = tailor.chance(0.4)
        parts = {'lapel', 'double' if double else 'buttons'} | pocket | ({'epaulette'} if tailor.chance(0.3) else set())
        return tailor.garment(
            COAT, tailor.pick(above_knee=0.3, knee=0.4, midi=0.3), tailor.pick(regular=0.6, loose=0.4),
            tailor.pick(plain=0.65, check=0.25, twill=0.1), DOUBLE_BREASTED if double else SINGLE_BREASTED, STRAIGHT,
            flare=0.08, sleeve=1.0, gap=gap, parts=parts,
        )  # fmt: skip
    if kind == 'jacket':
        return _jacket(tailor, gap, pocket)
    if kind == 'cardigan':
        return tailor.garment(
            CARDIGAN, tailor.pick(hip=0.7, mini=0.3), 'regular', tailor.pick(rib=0.7, stripe=0.3), SINGLE_BREASTED,
            sleeve=0.98, gap=gap, parts={'buttons', 'band', 'cuff'} | pocket,
        )  # fmt: skip
    if kind == 'vest':
        padded = tailor.chance(0.4)
        pattern = 'quilt' if padded else tailor.pick(plain=0.5, check=0.2, argyle=0.3)
        vest = tailor.garment(VEST, 'hip', 'tight', pattern, ZIP_UP if padded else SINGLE_BREASTED, parts=pocket)
        vest.parts |= {'zipper'} if padded else {'buttons'}
        vest.attributes |= {QUILTED} if padded else set()
        return vest
    pattern = tailor.pick(plain=0.6, check=0.4)
    length = tailor.pick(hip=0.6, mini=0.4)
    return tailor.garment(CAPE, length, 'loose', pattern, TOGGLED, TENT, NO_WAIST, parts={'cape collar', 'toggle'})


def _jacket(tailor: _Tailor, gap: float, pocket: set[str]) -> Garment:
    """Choose a zipped jacket, puffed or with a hood at times, or a blazer with lapels."""
    length, fit = tailor.pick(above_hip=0.35, hip=0.65), tailor.pick(regular=0.6, loose=0.4)
    if tailor.chance(0.3):
        return tailor.garment(
            JACKET, 'hip', 'regular', tailor.pick(plain=0.6, check=0.4), SINGLE_BREASTED,
            sleeve=0.98, gap=gap, parts={'lapel', 'buttons'} | pocket,
        )  # fmt: skip
    padded = tailor.chance(0.4)
    pattern = 'quilt' if padded else tailor.pick(plain=0.6, twill=0.4)
    jacket = tailor.garment(JACKET, length, fit, pattern, ZIP_UP, sleeve=0.98, gap=gap)
    jacket.attributes |= {QUILTED} if padded else set()
    jacket.parts |= {'zipper', 'cuff', 'hood' if tailor.chance(0.35) else 'collar'} | pocket
    return jacket


def _choose_extras(outfit: Outfit, tailor: _Tailor) -> None:
    """Add accessories that go with the clothes."""
    extras, lower, top = outfit.extras, outfit.lower or outfit.whole, outfit.inner or outfit.whole
    bare_legs = lower.category in (SHORTS, SKIRT, DRESS) and lower.hem < 0.86
    bare_wrist = max(top.sleeve, outfit.outer.sleeve if outfit.outer else 0) < 0.6
    caped = outfit.outer is not None and outfit.outer.category == CAPE
    if bare_legs:
        legs = tailor.pick(nothing=0.48, tights=0.24, sock=0.2, leg_warmer=0.08)
        extras |= {legs} - {'nothing'}
    extras |= {name for name, p in (('shoe', 0.94), ('bag', 0.32), ('glasses', 0.25)) if tailor.chance(p)}
    head = tailor.pick(nothing=0.68, hat=0.2, headband=0.12)
    extras |= {head} - {'nothing'}
    if 'headband' in extras and tailor.chance(0.3):
        extras.add('flower')
    if top.category == SHIRT and 'bow' not in top.parts and tailor.chance(0.3):
        extras.add('tie')
    elif tailor.chance(0.10) and not caped:
        extras.add('scarf')
    if tailor.chance(0.25) and not caped:
        extras.add('belt')
        extras |= {'buckle'} if tailor.chance(0.6) else set()
    if bare_wrist and tailor.chance(0.22):
        extras.add('watch')
    elif not bare_wrist and tailor.chance(0.1):
        extras.add('glove')
    if tailor.chance(0.05):
        extras.add('umbrella')
    if 'bag' in extras and tailor.chance(0.15):
        extras.add('tassel')
    if 'scarf' in extras and tailor.chance(0.5):
        extras.add('fringe')
