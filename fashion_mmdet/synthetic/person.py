"""One picture: background, person, outfit, layer by layer from back to front."""

import numpy as np

from fashion_mmdet.synthetic import accessories, body, garments
from fashion_mmdet.synthetic.background import cast_shadow, develop, draw_background
from fashion_mmdet.synthetic.canvas import Canvas, Object
from fashion_mmdet.synthetic.figure import SKINS, sample_figure
from fashion_mmdet.synthetic.outfit import Attribute, Category, Outfit
from fashion_mmdet.synthetic.sample_outfit import sample_outfit
from fashion_mmdet.synthetic.textures import COLOURS, Texture, distinct_colour, make_texture


def draw_person(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, list[Object]]:
    """Draw a person in clothes, and say what is to be seen.

    Args:
        height, width: pixels, at least 32.
        rng: gives everything that varies.

    Returns:
        image: (H, W, 3) uint8 RGB.
        objects: category id, attribute ids and (H, W) bool mask of everything that shows enough of itself
            (see `min_area_px`).
    """
    canvas = paint_person(height, width, rng)
    return canvas.image, list(canvas.objects(min_area_px(height, width)))


def min_area_px(height: int, width: int) -> int:
    """Return the least visible area of a labelled object: 50 px at 384 x 256, in proportion elsewhere, at least 10."""
    return max(10, round(50 * height * width / (384 * 256)))


def paint_person(
    height: int, width: int, rng: np.random.Generator, clothes: np.random.Generator | None = None
) -> Canvas:
    """Draw a person; the canvas holds the image and the labels.

    Args:
        height, width: pixels, at least 32.
        rng: gives everything that varies.
        clothes: gives what is worn, so that another person, pose and light may wear the same: equal generators add the
            same objects to the canvas, in the same order. None takes `rng` for that too.
    """
    skin = SKINS[rng.integers(len(SKINS))]
    clothes = clothes or rng
    # Colours keep apart from the skin; on another person they stay what they are.
    outfit = sample_outfit(clothes, skin if clothes is rng else SKINS[clothes.integers(len(SKINS))])
    narrow = Attribute.PENCIL in (outfit.lower or outfit.whole).attributes
    figure = sample_figure(height, width, rng, skin, 'umbrella' in outfit.extras, narrow)
    background = draw_background(height, width, rng)
    foot_x, foot_y = figure.to_pixels(np.array([[0.02, 0.985]]))[0]
    cast_shadow(background, foot_x, foot_y, 0.21 * figure.scale_px)
    canvas = Canvas(background, figure, rng)
    if 'umbrella' in outfit.extras:
        accessories.draw_umbrella(canvas, _sample_cloth(outfit, clothes, 'plain', 'stripe', 'dot'))
    body.draw_back_hair(canvas)
    _draw_legs(canvas, outfit, clothes)
    body.draw_torso(canvas)
    _draw_clothes(canvas, outfit, clothes)
    _draw_carried(canvas, outfit, rng, clothes)
    _draw_head(canvas, outfit, rng, clothes)
    develop(canvas.image, rng)
    return canvas


def _sample_cloth(outfit: Outfit, rng: np.random.Generator, *patterns: str) -> Texture:
    pattern = patterns[rng.integers(len(patterns))]
    return make_texture(pattern, distinct_colour(outfit.colours, rng), rng)


def _draw_legs(canvas: Canvas, outfit: Outfit, clothes: np.random.Generator) -> None:
    body.draw_legs(canvas)
    hosiery = {'tights', 'sock', 'leg_warmer'} & outfit.extras
    for kind in hosiery:
        names = ('ink', 'burgundy', 'slate', 'navy') if kind == 'tights' else ('chalk', 'red', 'mustard', 'sky')
        accessories.draw_hosiery(canvas, kind, COLOURS[names[clothes.integers(4)]], clothes)
    if 'shoe' in outfit.extras:
        kind = ('sneaker', 'pump', 'boot')[clothes.choice(3, p=(0.5, 0.25, 0.25) if not hosiery else (0.7, 0.3, 0.0))]
        accessories.draw_shoes(canvas, kind, distinct_colour(outfit.colours, clothes))


def _draw_clothes(canvas: Canvas, outfit: Outfit, clothes: np.random.Generator) -> None:
    """Draw garments from the skin outwards; sleeves that a coat would hide are left out."""
    outer = outfit.outer
    sleeves = outer is None or (outer.sleeve == 0 and outer.category != Category.CAPE)
    if outfit.lower and not outfit.tucked:
        garments.draw_lower(canvas, outfit.lower)
    top = outfit.inner or outfit.whole
    (garments.draw_open_front if top.category == Category.SHIRT else garments.draw_pullover)(canvas, top, sleeves)
    if outfit.lower and outfit.tucked:
        garments.draw_lower(canvas, outfit.lower)
    if 'tie' in outfit.extras:
        accessories.draw_tie(canvas, _sample_cloth(outfit, clothes, 'plain', 'stripe', 'dot'))
    sleeve = max(top.sleeve if sleeves else 0, outer.sleeve if outer else 0)
    if outer and outer.category == Category.CAPE:
        body.draw_forearms(canvas, sleeve)
        garments.draw_cape(canvas, outer)
        return
    if outer:
        garments.draw_open_front(canvas, outer, True)
    if 'belt' in outfit.extras:
        closed = outer if outer and outer.gap == 0 else None
        if not outer or closed:
            colour = distinct_colour(outfit.colours, clothes)
            accessories.draw_belt(canvas, closed or top, colour, 'buckle' in outfit.extras)
    body.draw_forearms(canvas, sleeve)


def _draw_carried(canvas: Canvas, outfit: Outfit, rng: np.random.Generator, clothes: np.random.Generator) -> None:
    """Draw what hands and neck carry."""
    extras, side = outfit.extras, int(rng.choice((-1, 1)))
    if 'umbrella' in extras:
        side = -1
    if 'watch' in extras:
        accessories.draw_watch(canvas, -side, COLOURS['ink'])
    if 'bag' in extras:
        accessories.draw_bag(canvas, side, distinct_colour(outfit.colours, clothes), 'tassel' in extras)
    if 'glove' in extras:
        accessories.draw_gloves(canvas, distinct_colour(outfit.colours, clothes))
    if 'scarf' in extras:
        accessories.draw_scarf(canvas, _sample_cloth(outfit, clothes, 'plain', 'check', 'stripe'), 'fringe' in extras)


def _draw_head(canvas: Canvas, outfit: Outfit, rng: np.random.Generator, clothes: np.random.Generator) -> None:
    body.draw_head(canvas, rng)
    if 'hat' in outfit.extras:
        kind = ('beanie', 'brim', 'cap')[clothes.integers(3)]
        accessories.draw_hat(canvas, kind, distinct_colour(outfit.colours, clothes))
    if 'headband' in outfit.extras:
        accessories.draw_headband(canvas, distinct_colour(outfit.colours, clothes), 'flower' in outfit.extras)
    if 'glasses' in outfit.extras:
        frame = ('ink', 'burgundy', 'navy', 'forest')[clothes.integers(4)]
        accessories.draw_glasses(canvas, COLOURS[frame])
