"""Sample an outfit: frequencies are skewed as in life, tops often and capes rarely."""

import numpy as np

from fashion_mmdet.synthetic import sample_garment
from fashion_mmdet.synthetic.figure import WAIST_Y
from fashion_mmdet.synthetic.outfit import FITS, LENGTHS, Attribute, Category, Outfit
from fashion_mmdet.synthetic.sample_garment import OutfitSampler
from fashion_mmdet.synthetic.textures import Colour


def sample_outfit(rng: np.random.Generator, skin: Colour) -> Outfit:
    """Sample clothes and accessories."""
    outfit = Outfit(colours=[skin])
    sampler = OutfitSampler(rng, outfit.colours)
    kind = sampler.pick(separates=0.72, dress=0.22, jumpsuit=0.06)
    if kind == 'separates':
        outfit.inner = sample_garment.sample_top(sampler)
        outfit.lower = sample_garment.sample_lower(sampler)
    else:
        sample_whole = sample_garment.sample_dress if kind == 'dress' else sample_garment.sample_jumpsuit
        outfit.whole = sample_whole(sampler)
    chance = 0.45 if outfit.inner and outfit.inner.category != Category.SWEATER else 0.18
    if 'hood' not in (outfit.inner.parts if outfit.inner else ()) and sampler.chance(chance):
        outfit.outer = sample_garment.sample_outer(sampler)
    if outfit.lower:
        _tuck(outfit, sampler)
    if outfit.outer:
        _cover(outfit)
    _sample_extras(outfit, sampler)
    return outfit


def _tuck(outfit: Outfit, sampler: OutfitSampler) -> None:
    """Tuck the top in, or let it hang over the waist, which then cannot be seen."""
    inner, lower = outfit.inner, outfit.lower
    outfit.tucked = Attribute.HIGH_WAIST in lower.attributes or ('pouch' not in inner.parts and sampler.chance(0.35))
    if outfit.tucked:
        short, _ = LENGTHS['above-the-hip']
        inner.hem = WAIST_Y + 0.03
        inner.attributes = inner.attributes - _ids(LENGTHS) | {short}
    else:
        lower.attributes -= {Attribute.NORMAL_WAIST, Attribute.FLY}


def _cover(outfit: Outfit) -> None:
    """Drop the attributes that the outer garment hides: fit, waist, and length where the hem does not show."""
    for garment in (outfit.inner, outfit.whole):
        if garment:
            garment.attributes -= _ids(FITS) | {Attribute.NORMAL_WAIST}
            if garment.hem < outfit.outer.hem + 0.03:
                garment.attributes -= _ids(LENGTHS)
    lower = outfit.lower
    if lower and (outfit.outer.gap == 0 or not outfit.tucked):
        lower.attributes -= {Attribute.NORMAL_WAIST, Attribute.HIGH_WAIST, Attribute.FLY}
    if lower and lower.hem < outfit.outer.hem:
        lower.attributes -= _ids(LENGTHS)


def _ids(table: dict[str, tuple]) -> set[int]:
    return {row[0] for row in table.values()}


def _sample_extras(outfit: Outfit, sampler: OutfitSampler) -> None:
    """Add accessories that go with the clothes."""
    extras, lower, top = outfit.extras, outfit.lower or outfit.whole, outfit.inner or outfit.whole
    bare_legs = lower.category in (Category.SHORTS, Category.SKIRT, Category.DRESS) and lower.hem < 0.86
    bare_wrist = max(top.sleeve, outfit.outer.sleeve if outfit.outer else 0) < 0.6
    caped = outfit.outer is not None and outfit.outer.category == Category.CAPE
    hooded = any('hood up' in garment.parts for garment in (top, outfit.outer) if garment)
    if bare_legs:
        legs = sampler.pick(nothing=0.48, tights=0.24, sock=0.2, leg_warmer=0.08)
        extras |= {legs} - {'nothing'}
    extras |= {name for name, p in (('shoe', 0.8), ('bag', 0.25), ('glasses', 0.17)) if sampler.chance(p)}
    head = sampler.pick(nothing=0.74, hat=0.17, headband=0.09)
    extras |= {head} - {'nothing'} if not hooded else set()
    if 'headband' in extras and sampler.chance(0.3):
        extras.add('flower')
    if top.category == Category.SHIRT and 'bow' not in top.parts and sampler.chance(0.3):
        extras.add('tie')
    elif sampler.chance(0.10) and not caped:
        extras.add('scarf')
    if sampler.chance(0.18) and not caped:
        extras.add('belt')
        extras |= {'buckle'} if sampler.chance(0.55) else set()
    if bare_wrist and sampler.chance(0.15):
        extras.add('watch')
    elif not bare_wrist and sampler.chance(0.1):
        extras.add('glove')
    if sampler.chance(0.05):
        extras.add('umbrella')
    if 'bag' in extras and sampler.chance(0.15):
        extras.add('tassel')
    if 'scarf' in extras and sampler.chance(0.5):
        extras.add('fringe')
