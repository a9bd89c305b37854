"""Sample single garments: cut, length, cloth and parts; every attribute is one that the drawing shows."""

import numpy as np

from fashion_mmdet.synthetic.outfit import FITS, LENGTHS, Garment
from fashion_mmdet.synthetic.outfit import Attribute as A
from fashion_mmdet.synthetic.outfit import Category as C
from fashion_mmdet.synthetic.textures import PATTERNS, Colour, distinct_colour, make_texture

# By silhouette: weight, fit, flare, attributes.
PANTS = {
    'tight': (0.35, 'tight', 0.0, A.STRAIGHT),
    'straight': (0.35, 'regular', 0.010, A.STRAIGHT),
    'bell': (0.12, 'tight', 0.040, A.BELL_BOTTOM),
    'wide': (0.18, 'loose', 0.030, A.WIDE_LEG),
}
SKIRTS = {
    'pencil': (0.3, 'tight', -0.01, A.PENCIL),
    'a-line': (0.4, 'regular', 0.22, A.A_LINE),
    'flare': (0.3, 'loose', 0.42, A.FLARE),
}
DRESSES = {
    'pencil': (0.25, 'tight', 0.0, A.PENCIL, A.NORMAL_WAIST),
    'fit and flare': (0.45, 'tight', 0.42, A.FIT_AND_FLARE, A.NORMAL_WAIST),
    'a-line': (0.3, 'loose', 0.22, A.A_LINE, A.NO_WAIST),
}
SHORTS_FLARE = {'tight': 0.0, 'regular': 0.008, 'loose': 0.018}


class OutfitSampler:
    """Sample the choices of one outfit from one generator and keeps its colours apart."""

    def __init__(self, rng: np.random.Generator, used: list[Colour]):
        self.rng, self.used = rng, used

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self.rng.uniform() < probability)

    def pick(self, **weights: float) -> str:
        """Pick a name by weight."""
        names, shares = list(weights), np.array(list(weights.values()), float)
        return names[self.rng.choice(len(names), p=shares / shares.sum())]

    def silhouette(self, table: dict[str, tuple]) -> tuple[str, str, float, list[int]]:
        """Pick a row of a table by weight: its name, fit, flare and attributes."""
        name = self.pick(**{name: row[0] for name, row in table.items()})
        _, fit, flare, *attributes = table[name]
        return name, fit, flare, attributes

    def sleeve(self, **weights: float) -> float:
        """Pick the part of the arm that is covered."""
        return float(self.pick(**weights))

    def hood(self) -> set[str]:
        """Pick a hood that is down, or up at times."""
        return {'hood', 'hood up'} if self.chance(0.35) else {'hood'}

    def garment(self, category: int, length: str, fit: str, pattern: str, *attributes: int, **shape) -> Garment:
        """Make a garment; length, fit and pattern give their attributes."""
        length_id, hem = LENGTHS[length]
        fit_id, ease, boxy = FITS[fit]
        texture = make_texture(pattern, distinct_colour(self.used, self.rng), self.rng)
        ids = {length_id, fit_id, PATTERNS[pattern][0], A.SYMMETRICAL, *attributes}
        hem += self.rng.uniform(-0.008, 0.008)
        return Garment(category, texture, ids, hem, **{'ease': ease, 'boxy': boxy, **shape})


def sample_top(sampler: OutfitSampler) -> Garment:
    """Sample a shirt, a T-shirt or sweatshirt, or a sweater."""
    pick, chance = sampler.pick, sampler.chance
    kind = pick(top=0.5, shirt=0.3, sweater=0.2)
    length, fit = pick(**{'above-the-hip': 0.3, 'hip': 0.7}), pick(tight=0.3, regular=0.45, loose=0.25)
    if kind == 'shirt':
        parts = {'collar'} | {name for name, p in (('breast pocket', 0.3), ('bow', 0.1)) if chance(p)}
        pattern = pick(plain=0.5, stripe=0.2, check=0.2, floral=0.1)
        sleeve = 0.42 if chance(0.3) else 0.97
        return sampler.garment(C.SHIRT, length, fit, pattern, A.SINGLE_BREASTED, sleeve=sleeve, parts=parts)
    if kind == 'sweater':
        fit = 'regular' if fit == 'tight' else fit
        pattern = pick(**{'rib': 0.55, 'argyle': 0.15, 'fair isle': 0.15, 'chevron': 0.15})
        shape = dict(sleeve=0.98, neck=pick(round=0.4, turtle=0.4, vee=0.2), parts={'cuff'})
        return sampler.garment(C.SWEATER, 'hip', fit, pattern, A.NO_OPENING, **shape)
    pattern = pick(plain=0.45, stripe=0.22, dot=0.1, letters=0.15, floral=0.08)
    sleeve = sampler.sleeve(**{'0': 0.42, '0.3': 0.28, '0.45': 0.12, '0.95': 0.18})
    neck = pick(round=0.5, vee=0.3, boat=0.2)
    parts = sampler.hood() | {'pouch'} if sleeve > 0.9 and chance(0.6) else set()
    return sampler.garment(C.TOP, length, fit, pattern, A.NO_OPENING, sleeve=sleeve, neck=neck, parts=parts)


def sample_lower(sampler: OutfitSampler) -> Garment:
    """Sample pants, shorts or a skirt; flare of pants widens the leg, of skirts the hem."""
    pick = sampler.pick
    kind = pick(pants=0.56, shorts=0.18, skirt=0.26)
    waist = A.HIGH_WAIST if sampler.chance(0.35) else A.NORMAL_WAIST
    parts = {'pocket'} if sampler.chance(0.25) else set()
    if kind == 'pants':
        _, fit, flare, ids = sampler.silhouette(PANTS)
        pattern = pick(plain=0.5, twill=0.3, check=0.1, stripe=0.1)
        length = pick(midi=0.25, maxi=0.75)
        return sampler.garment(C.PANTS, length, fit, pattern, *ids, waist, A.FLY, flare=flare, parts=parts)
    if kind == 'shorts':
        fit = pick(tight=0.3, regular=0.4, loose=0.3)
        pattern = pick(plain=0.4, twill=0.35, check=0.1, floral=0.15)
        length = pick(**{'mini': 0.6, 'above-the-knee': 0.4})
        shape = dict(flare=SHORTS_FLARE[fit], parts=parts)
        return sampler.garment(C.SHORTS, length, fit, pattern, waist, A.FLY, A.STRAIGHT, **shape)
    return _sample_skirt(sampler, waist)


def _sample_skirt(sampler: OutfitSampler, waist: int) -> Garment:
    shape, fit, flare, ids = sampler.silhouette(SKIRTS)
    length = sampler.pick(mini=0.35, knee=0.25, midi=0.2, maxi=0.2)
    pattern = sampler.pick(plain=0.5, check=0.15, floral=0.15, dot=0.1, leopard=0.1)
    garment = sampler.garment(C.SKIRT, length, fit, pattern, *ids, waist, A.NO_OPENING, flare=flare)
    if length in ('midi', 'maxi'):
        garment.flare *= 0.6
    if shape == 'flare' and sampler.chance(0.5):
        garment.parts.add('pleat')
        garment.attributes.add(A.PLEAT)
    elif shape != 'pencil' and sampler.chance(0.25):
        garment.parts.add('ruffle')
    return garment


def sample_dress(sampler: OutfitSampler) -> Garment:
    """Sample a dress; loose ones have no waistline, the others a seam at the waist."""
    shape, fit, flare, ids = sampler.silhouette(DRESSES)
    length = sampler.pick(**{'mini': 0.35, 'above-the-knee': 0.2, 'knee': 0.2, 'midi': 0.1, 'maxi': 0.15})
    pattern = sampler.pick(plain=0.35, floral=0.3, dot=0.15, stripe=0.1, check=0.1)
    sleeve = sampler.sleeve(**{'0': 0.6, '0.3': 0.23, '0.95': 0.17})
    neck = sampler.pick(round=0.4, vee=0.4, boat=0.2)
    dress = sampler.garment(C.DRESS, length, fit, pattern, *ids, A.NO_OPENING, flare=flare, sleeve=sleeve, neck=neck)
    if length in ('midi', 'maxi', 'knee'):
        dress.flare *= 0.6
    if shape != 'pencil' and sampler.chance(0.22):
        dress.parts.add('ruffle')
        dress.attributes.add(A.TIERED)
    if sampler.chance(0.1):
        dress.parts.add('bow')
    return dress


def sample_jumpsuit(sampler: OutfitSampler) -> Garment:
    """Sample a jumpsuit: top and legs of one cloth, with a zipper or without."""
    zipped = sampler.chance(0.5)
    pattern = sampler.pick(plain=0.5, twill=0.25, stripe=0.1, floral=0.15)
    ids = A.ZIP_UP if zipped else A.NO_OPENING, A.STRAIGHT, A.NORMAL_WAIST
    sleeve = float(sampler.rng.choice([0.0, 0.3, 0.95]))
    parts = {'zipper', 'collar'} if zipped else set()
    shape = dict(boxy=0.2, flare=0.012, sleeve=sleeve, neck='vee', parts=parts)
    return sampler.garment(C.JUMPSUIT, 'maxi', 'regular', pattern, *ids, **shape)


def sample_outer(sampler: OutfitSampler) -> Garment:
    """Sample a coat, jacket, cardigan, vest or cape."""
    pick, chance, garment = sampler.pick, sampler.chance, sampler.garment
    kind = pick(coat=0.28, jacket=0.32, cardigan=0.18, vest=0.12, cape=0.10)
    gap = float(sampler.rng.uniform(0.02, 0.05)) if chance(0.6) else 0.0
    pocket = {'pocket'} if chance(0.3) else set()
    if kind == 'coat':
        breasted, buttons = (A.DOUBLE_BREASTED, 'double') if chance(0.4) else (A.SINGLE_BREASTED, 'buttons')
        parts = {'lapel', buttons} | pocket | ({'epaulette'} if chance(0.3) else set())
        length, fit = pick(**{'above-the-knee': 0.3, 'knee': 0.4, 'midi': 0.3}), pick(regular=0.6, loose=0.4)
        pattern = pick(plain=0.65, check=0.25, twill=0.1)
        shape = dict(flare=0.08, sleeve=1.0, gap=gap, parts=parts)
        return garment(C.COAT, length, fit, pattern, breasted, A.STRAIGHT, **shape)
    if kind == 'jacket':
        return _sample_jacket(sampler, gap, pocket)
    if kind == 'cardigan':
        length, pattern = pick(hip=0.7, mini=0.3), pick(rib=0.7, stripe=0.3)
        shape = dict(sleeve=0.98, gap=gap, parts={'buttons', 'band', 'cuff'} | pocket)
        return garment(C.CARDIGAN, length, 'regular', pattern, A.SINGLE_BREASTED, **shape)
    if kind == 'vest':
        if chance(0.4):
            return garment(C.VEST, 'hip', 'tight', 'quilt', A.ZIP_UP, A.QUILTED, parts={'zipper'} | pocket)
        pattern = pick(plain=0.5, check=0.2, argyle=0.3)
        return garment(C.VEST, 'hip', 'tight', pattern, A.SINGLE_BREASTED, parts={'buttons'} | pocket)
    pattern, length = pick(plain=0.6, check=0.4), pick(hip=0.6, mini=0.4)
    return garment(C.CAPE, length, 'loose', pattern, A.TOGGLED, A.TENT, A.NO_WAIST, parts={'cape collar', 'toggle'})


def _sample_jacket(sampler: OutfitSampler, gap: float, pocket: set[str]) -> Garment:
    """Sample a zipped jacket, padded or with a hood at times, or a blazer with lapels."""
    pick = sampler.pick
    length, fit = pick(**{'above-the-hip': 0.35, 'hip': 0.65}), pick(regular=0.6, loose=0.4)
    shape = dict(sleeve=0.98, gap=gap)
    if sampler.chance(0.3):
        pattern, parts = pick(plain=0.6, check=0.4), {'lapel', 'buttons'} | pocket
        return sampler.garment(C.JACKET, 'hip', 'regular', pattern, A.SINGLE_BREASTED, **shape, parts=parts)
    pattern, ids = ('quilt', [A.QUILTED]) if sampler.chance(0.4) else (pick(plain=0.6, twill=0.4), [])
    jacket = sampler.garment(C.JACKET, length, fit, pattern, A.ZIP_UP, *ids, **shape)
    jacket.parts |= {'zipper', 'cuff'} | pocket | (sampler.hood() if sampler.chance(0.35) else {'collar'})
    return jacket
