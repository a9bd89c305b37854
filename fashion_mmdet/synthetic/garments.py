"""Draw the main garments and the parts on them."""

from dataclasses import replace

import numpy as np

from fashion_mmdet.synthetic import outlines
from fashion_mmdet.synthetic.body import draw_neck
from fashion_mmdet.synthetic.canvas import Canvas
from fashion_mmdet.synthetic.figure import SIDES, WAIST_Y
from fashion_mmdet.synthetic.outfit import Attribute, Category, Garment
from fashion_mmdet.synthetic.shapes import box, cut, direction, ellipse, limb, mirror, rounded, soft_box
from fashion_mmdet.synthetic.textures import COLOURS, Texture, tone, trim

OPENING_DEPTH = {  # of the neck
    Category.SHIRT: 0.02, Category.CARDIGAN: 0.13, Category.JACKET: 0.02, Category.VEST: 0.10, Category.COAT: 0.14,
}  # fmt: skip
SILVER = (205, 208, 214)
BUTTON, POCKET_HEIGHT = 0.0055, 0.025  # radius, half height


def draw_lower(canvas: Canvas, garment: Garment) -> None:
    """Draw pants, shorts or a skirt."""
    owner = canvas.add(garment.category, garment.attributes)
    waist_y = WAIST_Y - 0.012 if Attribute.HIGH_WAIST in garment.attributes else WAIST_Y + 0.022
    if garment.category == Category.SKIRT:
        canvas.paint(outlines.skirt_outline(canvas.figure, garment, waist_y), garment.texture, (owner, 0))
        _draw_hem(canvas, garment, owner, waist_y)
    else:
        draw_trousers(canvas, garment, owner, waist_y)
    _waistband(canvas, garment, owner, waist_y)
    if 'pocket' in garment.parts:
        for side in SIDES:
            patch = soft_box(side * 0.056, waist_y + 0.062, 0.021, POCKET_HEIGHT, -0.15 * side)
            _part(canvas, owner, Category.POCKET, patch, garment.texture, 0.82)


def draw_trousers(canvas: Canvas, garment: Garment, owner: int, waist_y: float) -> None:
    """Draw both legs, each with its own relief, and the fly."""
    for side in SIDES:
        turn = direction(canvas.figure.legs[(side + 1) // 2])
        leg = outlines.trouser_leg(canvas.figure, garment, side, waist_y)
        canvas.paint(leg, garment.texture, (owner, 0), 0.8, turn)
    if garment.category != Category.JUMPSUIT:
        dark = tone(garment.texture.colour, 0.65)
        canvas.stroke(np.array([(0.0, waist_y), (0.002, waist_y + 0.04), (0.0, waist_y + 0.1)]), 0.0015, dark)
        canvas.stroke(np.array([(0.012, waist_y), (0.013, waist_y + 0.04), (0.001, waist_y + 0.07)]), 0.0012, dark)


def _waistband(canvas: Canvas, garment: Garment, owner: int, waist_y: float) -> None:
    width = float(outlines.half_widths(canvas.figure, garment, waist_y + 0.008)) - 0.6 * garment.boxy * garment.ease
    band = box(0, waist_y + 0.008, min(width, canvas.figure.half_width(waist_y) + 0.012), 0.009)
    canvas.paint(band, Texture(trim(garment.texture.colour, 0.78)), (owner, 0), relief=0.5)
    canvas.paint(ellipse(0, waist_y + 0.008, BUTTON, BUTTON), Texture(SILVER), None, relief=0)


def draw_pullover(canvas: Canvas, garment: Garment, sleeves: bool) -> int:
    """Draw a closed garment: top, sweater, dress or the upper half of a jumpsuit; returns its id."""
    owner = canvas.add(garment.category, garment.attributes)
    if garment.category == Category.JUMPSUIT:
        draw_trousers(canvas, garment, owner, WAIST_Y)
        garment = replace(garment, hem=WAIST_Y + 0.055, flare=0.0)
    canvas.paint(outlines.bodice(canvas.figure, garment), garment.texture, (owner, 0))
    if Attribute.NORMAL_WAIST in garment.attributes:
        width = float(outlines.half_widths(canvas.figure, garment, WAIST_Y))
        seam = np.array([(-width, WAIST_Y), (0, WAIST_Y + 0.006), (width, WAIST_Y)])
        canvas.stroke(seam, 0.003, tone(garment.texture.colour, 0.6))
    _draw_hem(canvas, garment, owner, WAIST_Y)
    if sleeves:
        draw_sleeves(canvas, garment, owner)
    if garment.parts & {'hood'}:
        _draw_hood(canvas, garment, owner)
    elif 'collar' not in garment.parts and garment.neck != 'boat':
        _draw_neckline(canvas, garment, owner)
    if 'pouch' in garment.parts:
        pouch = [(-0.034, 0.375), (0.034, 0.375), (0.058, 0.412), (0.054, 0.438), (-0.054, 0.438), (-0.058, 0.412)]
        _part(canvas, owner, Category.POCKET, np.array(pouch), garment.texture, 0.8)
    _draw_front(canvas, garment, owner)
    return owner


def draw_open_front(canvas: Canvas, garment: Garment, sleeves: bool) -> int:
    """Draw a garment of two front panels: shirt, cardigan, jacket, vest, coat; returns its id."""
    owner = canvas.add(garment.category, garment.attributes)
    depth = 0.14 if 'lapel' in garment.parts else OPENING_DEPTH[garment.category]
    for side in SIDES:
        canvas.paint(outlines.front_panel(canvas.figure, garment, side, depth), garment.texture, (owner, 0))
    if 'pocket' in garment.parts:
        y = min(garment.hem - 0.045, 0.452)
        for side in SIDES:
            x = side * 0.62 * float(outlines.half_widths(canvas.figure, garment, y))
            patch = soft_box(x, y, 0.026, POCKET_HEIGHT, -0.12 * side)
            _part(canvas, owner, Category.POCKET, patch, garment.texture, 0.8)
    if 'breast pocket' in garment.parts:
        _part(canvas, owner, Category.POCKET, soft_box(0.046, 0.285, 0.019, POCKET_HEIGHT), garment.texture, 0.82)
    if sleeves:
        draw_sleeves(canvas, garment, owner)
    if 'epaulette' in garment.parts:
        for side in SIDES:
            strap = box(side * (canvas.figure.shoulder - 0.024), 0.2, 0.027, 0.011, side * 0.3)
            _part(canvas, owner, Category.EPAULETTE, strap, Texture(garment.texture.colour), 0.7)
    if 'hood' in garment.parts:
        _draw_hood(canvas, garment, owner)
    _draw_front(canvas, garment, owner)
    return owner


def draw_cape(canvas: Canvas, garment: Garment) -> None:
    """Draw a cape: a bell over shoulders and arms, closed by toggles."""
    owner = canvas.add(Category.CAPE, garment.attributes)
    shoulder, hem = canvas.figure.shoulder, garment.hem
    for side in SIDES:
        top = [(0.0, 0.2), (0.036, 0.182), (shoulder - 0.01, 0.2), (shoulder + 0.035, 0.25)]
        points = [*top, (shoulder + 0.085, hem - 0.03), (0.10, hem), (0.004, hem + 0.01)]
        canvas.paint(mirror(rounded(np.array(points), 1), side), garment.texture, (owner, 0))
    for side in SIDES:
        flap = np.array([(0.004, 0.215), (0.034, 0.168), (0.078, 0.205), (0.05, 0.245)])
        canvas.paint(mirror(flap, side), Texture(tone(garment.texture.colour, 0.75)), None, relief=0.6)
    for y in (0.27, 0.33):
        canvas.stroke(np.array([(-0.03, y), (0, y), (0.03, y)]), 0.004, COLOURS['camel'])


def draw_sleeves(canvas: Canvas, garment: Garment, owner: int) -> None:
    """Draw the left and the right sleeve, where there are any."""
    if garment.sleeve <= 0:
        return
    for arm in canvas.figure.arms:
        part = canvas.add(Category.SLEEVE)
        turn = direction(cut(arm, 0, garment.sleeve))
        canvas.paint(outlines.sleeve_outline(arm, garment), garment.texture, (owner, part), angle=turn)
        end = cut(arm, max(0.0, garment.sleeve - 0.07), garment.sleeve)
        if 'cuff' in garment.parts:
            cuff = Texture(trim(garment.texture.colour, 0.8))
            canvas.paint(limb(end, 0.022 + 0.5 * garment.ease), cuff, (owner, part), 0.6)


def _part(canvas: Canvas, owner: int, category: int, shapes, texture: Texture, shade: float) -> None:
    """Paint a part of a garment, darker than its cloth by `shade`."""
    part = canvas.add(category)
    canvas.paint(shapes, Texture(tone(texture.colour, 0.55 * shade)), (owner, part), relief=0)
    inner = [0.9 * (s - s.mean(axis=0)) + s.mean(axis=0) for s in (shapes if isinstance(shapes, list) else [shapes])]
    canvas.paint(inner, Texture(trim(texture.colour, shade)), None, relief=0.5)


def _draw_hem(canvas: Canvas, garment: Garment, owner: int, waist_y: float) -> None:
    """Draw pleats and a ruffle."""
    if 'pleat' in garment.parts:
        dark = tone(garment.texture.colour, 0.62)
        waist, hem = (float(outlines.half_widths(canvas.figure, garment, y)) for y in (waist_y, garment.hem))
        for t in np.linspace(-0.85, 0.85, 9):
            canvas.stroke(np.array([(t * waist * 0.9, waist_y + 0.02), (t * hem, garment.hem)]), 0.0018, dark)
    if 'ruffle' in garment.parts:
        width = float(outlines.half_widths(canvas.figure, garment, garment.hem - 0.045))
        x = np.linspace(-width, width, 41)
        top = np.stack([x, np.full_like(x, garment.hem - 0.045)], axis=1)
        bottom = np.stack([1.1 * x, garment.hem + 0.012 + 0.009 * np.sin(np.arange(41) * np.pi / 2.5)], axis=1)
        part = canvas.add(Category.RUFFLE)
        canvas.paint(np.concatenate([top, bottom[::-1]]), Texture(trim(garment.texture.colour, 0.75)), (owner, part))
        for index in range(3, 40, 5):
            canvas.stroke(np.stack([top[index], bottom[index]]), 0.0015, tone(garment.texture.colour, 0.5))


def _draw_neckline(canvas: Canvas, garment: Garment, owner: int) -> None:
    """Draw the band round the neck; a turtleneck is a tube."""
    part, band = canvas.add(Category.NECKLINE), Texture(trim(garment.texture.colour, 0.72))
    if garment.neck == 'turtle':
        tube = [(-0.034, 0.146), (0.034, 0.146), (0.040, 0.192), (0.022, 0.206), (-0.022, 0.206), (-0.040, 0.192)]
        canvas.paint(rounded(np.array(tube), 1), band, (owner, part), relief=0.8)
        return
    ring = np.concatenate([outlines.neck_curve(garment), outlines.neck_curve(garment, 0.014)[::-1]])
    canvas.paint(ring, band, (owner, part), relief=0.3)


def _draw_hood(canvas: Canvas, garment: Garment, owner: int) -> None:
    """Draw a hood that lies round the neck, or one that is up round the head."""
    part, colour = canvas.add(Category.HOOD), garment.texture.colour
    if 'hood up' in garment.parts:
        right = np.array([(0.05, -0.03), (0.088, 0.06), (0.07, 0.2)])
        canvas.paint(
            rounded(np.concatenate([right, mirror(right, -1)[::-1]])), Texture(tone(colour, 0.9)), (owner, part)
        )
        canvas.paint(ellipse(0, 0.09, 0.064, 0.092), Texture(tone(colour, 0.5)), (owner, part), relief=0.4)
    else:
        roll = [(-0.05, 0.13), (0.05, 0.13), (0.088, 0.185), (0.03, 0.225), (-0.03, 0.225), (-0.088, 0.185)]
        canvas.paint(rounded(np.array(roll)), Texture(tone(colour, 0.9)), (owner, part))
        canvas.paint(ellipse(0, 0.166, 0.044, 0.034), Texture(tone(colour, 0.5)), (owner, part), relief=0.4)
    draw_neck(canvas)


def _draw_front(canvas: Canvas, garment: Garment, owner: int) -> None:
    """Draw what lies on the front: collar, lapels, zipper, buttons, bow."""
    colour, parts = garment.texture.colour, garment.parts
    if 'zipper' in parts:
        _draw_zipper(canvas, garment, owner)
    if parts & {'buttons', 'double'} or garment.category == Category.SHIRT:
        _draw_buttons(canvas, garment)
    if 'band' in parts:
        for side in SIDES:
            gap = garment.gap
            edge = np.array([(0.034, 0.19), (0.5 * gap + 0.008, 0.31), (gap + 0.008, garment.hem + 0.006)])
            canvas.stroke(cut(mirror(edge, side), 0, 1), 0.007, trim(colour, 0.75))
    if 'lapel' in parts:
        outside = [(0.030, 0.172), (0.050, 0.182), (0.078, 0.246), (0.058, 0.252), (0.066, 0.268)]
        flap = np.array([*outside, (0.5 * garment.gap + 0.004, 0.318), (0.022, 0.20)])
        flaps = [mirror(flap, side) for side in SIDES]
        _part(canvas, owner, Category.LAPEL, flaps, garment.texture, 0.8)
    if 'collar' in parts:
        flap = np.array([(0.002, 0.205), (0.026, 0.160), (0.052, 0.182), (0.060, 0.228), (0.034, 0.238)])
        _part(canvas, owner, Category.COLLAR, [mirror(flap, side) for side in SIDES], garment.texture, 1.25)
    if 'bow' in parts:
        wing = np.array([(0.0, 0.212), (0.045, 0.190), (0.048, 0.236), (0.0, 0.218)])
        tail = np.array([(0.0, 0.214), (0.006, 0.214), (0.028, 0.272), (0.012, 0.276)])
        shapes = [mirror(shape, side) for side in SIDES for shape in (wing, tail)]
        _part(canvas, owner, Category.BOW, [*shapes, ellipse(0, 0.214, 0.010, 0.011)], garment.texture, 0.7)


def _draw_zipper(canvas: Canvas, garment: Garment, owner: int) -> None:
    top, bottom = (0.205, garment.hem) if garment.category != Category.VEST else (0.31, garment.hem)
    gap = garment.gap
    path = np.array([(0.5 * gap + 0.004, top), (0.5 * gap + 0.004, 0.3), (gap + 0.004, bottom)])
    canvas.stroke(cut(path, 0, 1), 0.0075, SILVER, (owner, canvas.add(Category.ZIPPER)))
    for x, y in cut(path, 0.02, 0.98, max(4, round((bottom - top) / 0.014))):
        canvas.paint(box(x, y, 0.0055, 0.0022), Texture((92, 94, 102)), None, relief=0)


def _draw_buttons(canvas: Canvas, garment: Garment) -> None:
    top = 0.235 if garment.category == Category.SHIRT else 0.345
    dark = np.mean(garment.texture.colour) < 120
    horn = Texture(COLOURS['sand'] if dark else COLOURS['ink'])
    for y in np.arange(top, min(garment.hem - 0.02, 0.56), 0.05):
        for x in (-0.028, 0.028) if 'double' in garment.parts else (0.014,):
            canvas.paint(ellipse(x + np.sign(x) * garment.gap, y, BUTTON, BUTTON), horn, None, relief=0)
