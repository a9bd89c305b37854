"""Sample single garments: cut, length, cloth and parts; every attribute is one the drawing shows."""

import numpy as np

from fashion_mmdet.synthetic.outfit import (
    A_LINE,
    BELL_BOTTOM,
    CAPE,
    CARDIGAN,
    COAT,
    DOUBLE_BREASTED,
    DRESS,
    FIT_AND_FLARE,
    FITS,
    FLARE,
    FLY,
    HIGH_WAIST,
    JACKET,
    JUMPSUIT,
    LENGTHS,
    NO_OPENING,
    NO_WAIST,
    NORMAL_WAIST,
    PANTS,
    PENCIL,
    PLEAT,
    QUILTED,
    SHIRT,
    SHORTS,
    SINGLE_BREASTED,
    SKIRT,
    STRAIGHT,
    SWEATER,
    SYMMETRICAL,
    TENT,
    TIERED,
    TOGGLED,
    TOP,
    VEST,
    WIDE_LEG,
    ZIP_UP,
    Garment,
)  # fmt: skip
from fashion_mmdet.synthetic.textures import PATTERNS, Colour, distinct_colour, make_texture


class Sampler:
    """Draws the choices of one outfit from one generator and keeps its colours apart."""

    def __init__(self, rng: np.random.Generator, used: list[Colour]):
        self.rng, self.used = rng, used

    def chance(self, probability: float) -> bool:
        return bool(self.rng.uniform() < probability)

    def pick(self, **weights: float) -> str:
        """Pick a name by weight; underscores stand for spaces; two names get their hyphens back."""
        names, shares = list(weights), np.array(list(weights.values()), float)
        name = names[self.rng.choice(len(names), p=shares / shares.sum())]
        return {'above_hip': 'above-the-hip', 'above_knee': 'above-the-knee'}.get(name, name.replace('_', ' '))

    def hood(self) -> set[str]:
        """Sample a hood that is down, or up at times."""
        return {'hood', 'hood up'} if self.chance(0.35) else {'hood'}

    def garment(self, category: int, length: str, fit: str, pattern: str, *attributes: int, **shape) -> Garment:
        """Sample a garment; length, fit and pattern give their attributes."""
        length_id, hem = LENGTHS[length]
        fit_id, ease, boxy = FITS[fit]
        texture = make_texture(pattern, distinct_colour(self.used, self.rng), self.rng)
        ids = {length_id, fit_id, PATTERNS[pattern][0], SYMMETRICAL, *attributes}
        hem += self.rng.uniform(-0.008, 0.008)
        return Garment(category, texture, ids, hem, **{'ease': ease, 'boxy': boxy, **shape})


def sample_top(sampler: Sampler) -> Garment:
    """Sample a shirt, a T-shirt or sweatshirt, or a sweater."""
    category = {'top': TOP, 'shirt': SHIRT, 'sweater': SWEATER}[sampler.pick(top=0.5, shirt=0.3, sweater=0.2)]
    length, fit = sampler.pick(above_hip=0.3, hip=0.7), sampler.pick(tight=0.3, regular=0.45, loose=0.25)
    if category == SHIRT:
        parts = {'collar'} | {name for name, p in (('breast pocket', 0.3), ('bow', 0.1)) if sampler.chance(p)}
        pattern = sampler.pick(plain=0.5, stripe=0.2, check=0.2, floral=0.1)
        sleeve = 0.42 if sampler.chance(0.3) else 0.97
        return sampler.garment(SHIRT, length, fit, pattern, SINGLE_BREASTED, sleeve=sleeve, parts=parts)
    if category == SWEATER:
        pattern = sampler.pick(rib=0.55, argyle=0.15, fair_isle=0.15, chevron=0.15)
        neck = sampler.pick(round=0.4, turtle=0.4, vee=0.2)
        return sampler.garment(
            SWEATER,
            'hip',
            'regular' if fit == 'tight' else fit,
            pattern,
            NO_OPENING,
            sleeve=0.98,
            neck=neck,
            parts={'cuff'},
        )
    pattern = sampler.pick(plain=0.45, stripe=0.22, dot=0.1, letters=0.15, floral=0.08)
    sleeve = float(sampler.rng.choice([0.0, 0.3, 0.45, 0.95], p=[0.42, 0.28, 0.12, 0.18]))
    neck = sampler.pick(round=0.5, vee=0.3, boat=0.2)
    parts = sampler.hood() | {'pouch'} if sleeve > 0.9 and sampler.chance(0.6) else set()
    return sampler.garment(TOP, length, fit, pattern, NO_OPENING, sleeve=sleeve, neck=neck, parts=parts)


def sample_lower(sampler: Sampler) -> Garment:
    """Sample pants, shorts or a skirt; flare of pants widens the leg, of skirts the hem."""
    kind = sampler.pick(pants=0.56, shorts=0.18, skirt=0.26)
    waist, parts = (HIGH_WAIST if sampler.chance(0.35) else NORMAL_WAIST), {'pocket'} if sampler.chance(0.25) else set()
    if kind == 'pants':
        cut_ = sampler.pick(tight=0.35, straight=0.35, bell=0.12, wide=0.18)
        fit, flare, *ids = {
            'tight': ('tight', 0.0, STRAIGHT), 'straight': ('regular', 0.010, STRAIGHT),
            'bell': ('tight', 0.040, BELL_BOTTOM), 'wide': ('loose', 0.030, WIDE_LEG),
        }[cut_]  # fmt: skip
        pattern = sampler.pick(plain=0.5, twill=0.3, check=0.1, stripe=0.1)
        length = sampler.pick(midi=0.25, maxi=0.75)
        return sampler.garment(PANTS, length, fit, pattern, *ids, waist, FLY, flare=flare, parts=parts)
    if kind == 'shorts':
        fit = sampler.pick(tight=0.3, regular=0.4, loose=0.3)
        flare = {'tight': 0.0, 'regular': 0.008, 'loose': 0.018}[fit]
        pattern = sampler.pick(plain=0.4, twill=0.35, check=0.1, floral=0.15)
        return sampler.garment(
            SHORTS, sampler.pick(mini=0.6, above_knee=0.4), fit, pattern, waist, FLY, STRAIGHT, flare=flare, parts=parts
        )
    return _sample_skirt(sampler, waist)


def _sample_skirt(sampler: Sampler, waist: int) -> Garment:
    shape, length = (
        sampler.pick(pencil=0.3, a_line=0.4, flare=0.3),
        sampler.pick(mini=0.35, knee=0.25, midi=0.2, maxi=0.2),
    )
    fit, flare, silhouette = {
        'pencil': ('tight', -0.01, PENCIL), 'a line': ('regular', 0.22, A_LINE), 'flare': ('loose', 0.42, FLARE),
    }[shape]  # fmt: skip
    pattern = sampler.pick(plain=0.5, check=0.15, floral=0.15, dot=0.1, leopard=0.1)
    garment = sampler.garment(SKIRT, length, fit, pattern, silhouette, waist, NO_OPENING, flare=flare)
    if length in ('midi', 'maxi'):
        garment.flare *= 0.6
    if shape == 'flare' and sampler.chance(0.5):
        garment.parts.add('pleat')
        garment.attributes.add(PLEAT)
    elif shape != 'pencil' and sampler.chance(0.25):
        garment.parts.add('ruffle')
    return garment


def sample_dress(sampler: Sampler) -> Garment:
    """Sample a dress; loose ones have no waistline, the others a seam at the waist."""
    shape = sampler.pick(pencil=0.25, fit_and_flare=0.45, a_line=0.3)
    length = sampler.pick(mini=0.35, above_knee=0.2, knee=0.2, midi=0.1, maxi=0.15)
    fit, flare, silhouette, waist = {
        'pencil': ('tight', 0.0, PENCIL, NORMAL_WAIST), 'fit and flare': ('tight', 0.42, FIT_AND_FLARE, NORMAL_WAIST),
        'a line': ('loose', 0.22, A_LINE, NO_WAIST),
    }[shape]  # fmt: skip
    pattern = sampler.pick(plain=0.35, floral=0.3, dot=0.15, stripe=0.1, check=0.1)
    sleeve = float(sampler.rng.choice([0.0, 0.3, 0.95], p=[0.6, 0.23, 0.17]))
    neck = sampler.pick(round=0.4, vee=0.4, boat=0.2)
    dress = sampler.garment(
        DRESS, length, fit, pattern, silhouette, waist, NO_OPENING, flare=flare, sleeve=sleeve, neck=neck
    )
    if length in ('midi', 'maxi', 'knee'):
        dress.flare *= 0.6
    if shape != 'pencil' and sampler.chance(0.22):
        dress.parts.add('ruffle')
        dress.attributes.add(TIERED)
    if sampler.chance(0.1):
        dress.parts.add('bow')
    return dress


def sample_jumpsuit(sampler: Sampler) -> Garment:
    """Sample a jumpsuit: top and legs of one cloth, with a zipper or without."""
    zipped = sampler.chance(0.5)
    pattern = sampler.pick(plain=0.5, twill=0.25, stripe=0.1, floral=0.15)
    garment = sampler.garment(
        JUMPSUIT, 'maxi', 'regular', pattern, ZIP_UP if zipped else NO_OPENING, STRAIGHT, NORMAL_WAIST,
        boxy=0.2, flare=0.012, sleeve=float(sampler.rng.choice([0.0, 0.3, 0.95])), neck='vee',
    )  # fmt: skip
    garment.parts |= {'zipper', 'collar'} if zipped else set()
    return garment


def sample_outer(sampler: Sampler) -> Garment:
    """Sample a coat, jacket, cardigan, vest or cape."""
    kind = sampler.pick(coat=0.28, jacket=0.32, cardigan=0.18, vest=0.12, cape=0.10)
    gap = float(sampler.rng.uniform(0.02, 0.05)) if sampler.chance(0.6) else 0.0
    pocket = {'pocket'} if sampler.chance(0.3) else set()
    if kind == 'coat':
        double = sampler.chance(0.4)
        parts = (
            {'lapel', 'double' if double else 'buttons'} | pocket | ({'epaulette'} if sampler.chance(0.3) else set())
        )
        return sampler.garment(
            COAT, sampler.pick(above_knee=0.3, knee=0.4, midi=0.3), sampler.pick(regular=0.6, loose=0.4),
            sampler.pick(plain=0.65, check=0.25, twill=0.1), DOUBLE_BREASTED if double else SINGLE_BREASTED, STRAIGHT,
            flare=0.08, sleeve=1.0, gap=gap, parts=parts,
        )  # fmt: skip
    if kind == 'jacket':
        return _sample_jacket(sampler, gap, pocket)
    if kind == 'cardigan':
        return sampler.garment(
            CARDIGAN, sampler.pick(hip=0.7, mini=0.3), 'regular', sampler.pick(rib=0.7, stripe=0.3), SINGLE_BREASTED,
            sleeve=0.98, gap=gap, parts={'buttons', 'band', 'cuff'} | pocket,
        )  # fmt: skip
    if kind == 'vest':
        padded = sampler.chance(0.4)
        pattern = 'quilt' if padded else sampler.pick(plain=0.5, check=0.2, argyle=0.3)
        vest = sampler.garment(VEST, 'hip', 'tight', pattern, ZIP_UP if padded else SINGLE_BREASTED, parts=pocket)
        vest.parts |= {'zipper'} if padded else {'buttons'}
        vest.attributes |= {QUILTED} if padded else set()
        return vest
    pattern = sampler.pick(plain=0.6, check=0.4)
    length = sampler.pick(hip=0.6, mini=0.4)
    return sampler.garment(CAPE, length, 'loose', pattern, TOGGLED, TENT, NO_WAIST, parts={'cape collar', 'toggle'})


def _sample_jacket(sampler: Sampler, gap: float, pocket: set[str]) -> Garment:
    """Sample a zipped jacket, puffed or with a hood at times, or a blazer with lapels."""
    length, fit = sampler.pick(above_hip=0.35, hip=0.65), sampler.pick(regular=0.6, loose=0.4)
    if sampler.chance(0.3):
        return sampler.garment(
            JACKET, 'hip', 'regular', sampler.pick(plain=0.6, check=0.4), SINGLE_BREASTED,
            sleeve=0.98, gap=gap, parts={'lapel', 'buttons'} | pocket,
        )  # fmt: skip
    padded = sampler.chance(0.4)
    pattern = 'quilt' if padded else sampler.pick(plain=0.6, twill=0.4)
    jacket = sampler.garment(JACKET, length, fit, pattern, ZIP_UP, sleeve=0.98, gap=gap)
    jacket.attributes |= {QUILTED} if padded else set()
    jacket.parts |= {'zipper', 'cuff'} | pocket | (sampler.hood() if sampler.chance(0.35) else {'collar'})
    return jacket
