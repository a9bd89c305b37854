"""Draw what is worn besides garments: shoes, bags, hats, glasses, belts and so on."""

import numpy as np

from fashion_mmdet.synthetic.body import LEG_WIDTHS, hand_outline
from fashion_mmdet.synthetic.canvas import NOBODY, Canvas
from fashion_mmdet.synthetic.figure import SIDES, WAIST_Y
from fashion_mmdet.synthetic.outfit import Category, Garment
from fashion_mmdet.synthetic.outlines import half_widths
from fashion_mmdet.synthetic.shapes import box, cut, ellipse, limb, mirror, move, rounded
from fashion_mmdet.synthetic.textures import COLOURS, Colour, Texture, make_texture, tone

GOLD = (214, 176, 92)


def draw_hosiery(canvas: Canvas, kind: str, colour: Colour, rng: np.random.Generator) -> None:
    """Draw tights (one object), or socks or leg warmers (one a side)."""
    if kind == 'tights':
        label = (canvas.add(Category.TIGHTS), 0)
        for leg in canvas.figure.legs:
            x, y = leg[-1]
            canvas.paint([limb(leg, LEG_WIDTHS + 0.001), ellipse(x, y + 0.02, 0.021, 0.024)], Texture(colour), label)
        return
    start, stop = (rng.uniform(0.64, 0.8), 1.0) if kind == 'sock' else (0.62, 0.93)
    texture = Texture(colour) if kind == 'sock' else make_texture('stripe', colour, rng)
    for leg in canvas.figure.legs:
        widths = np.interp(np.linspace(start, stop, 5), np.linspace(0, 1, 5), LEG_WIDTHS)
        grow = 0.002 if kind == 'sock' else 0.012
        label = (canvas.add(Category.SOCK if kind == 'sock' else Category.LEG_WARMER), 0)
        canvas.paint(limb(cut(leg, start, stop), widths + grow), texture, label)
        canvas.stroke(limb(cut(leg, start, start + 0.02), widths[0])[[0, -1]], 0.004, tone(colour, 0.8))


def draw_shoes(canvas: Canvas, kind: str, colour: Colour) -> None:
    """Draw a pair of sneakers, pumps or boots, one object a foot."""
    sole = COLOURS['chalk'] if kind == 'sneaker' else tone(colour, 0.5)
    for side, leg in zip(SIDES, canvas.figure.legs, strict=True):
        x, y = leg[-1]
        label = (canvas.add(Category.SHOE), 0)
        toe = np.array([(-0.024, 0.0), (0.022, 0.0), (0.030, 0.028), (0.034, 0.046), (-0.022, 0.046), (-0.028, 0.028)])
        if kind == 'pump':
            cut_out = [(-0.022, 0.008), (-0.008, 0.018), (0.012, 0.018), (0.022, 0.006)]
            toe = np.array([*cut_out, (0.030, 0.044), (-0.018, 0.046)])
        shapes = [rounded(move(mirror(toe, side), x, y - 0.004), 2 if kind != 'pump' else 1)]
        if kind == 'boot':
            shapes.append(limb(cut(leg, 0.74, 1.0), [0.039, 0.032, 0.028]))
        canvas.paint(shapes, Texture(colour), label)
        canvas.paint(box(x + 0.004 * side, y + 0.041, 0.027, 0.0045), Texture(sole), label, relief=0)
        if kind == 'sneaker':
            for step in (0.010, 0.019):
                canvas.stroke(np.array([(x - 0.011, y + step), (x + 0.013, y + step)]), 0.0016, sole)


def draw_belt(canvas: Canvas, worn_on: Garment, colour: Colour, buckle: bool) -> None:
    """Draw a belt round the waist of the garment it is worn on, with a buckle or without."""
    y, label = WAIST_Y + 0.012, (canvas.add(Category.BELT), 0)
    x = np.linspace(-1, 1, 21) * (float(half_widths(canvas.figure, worn_on, y)) + 0.001)
    path = np.stack([x, y + 0.007 * (1 - (x / x[-1]) ** 2)], axis=1)
    canvas.stroke(path, 0.0135, colour, label)
    if buckle:
        part = (label[0], canvas.add(Category.BUCKLE))
        canvas.paint(box(0, y + 0.007, 0.021, 0.019), Texture(GOLD), part, relief=0.3)
        canvas.paint(box(0, y + 0.007, 0.013, 0.0115), Texture(tone(colour, 0.8)), None, relief=0)
        canvas.stroke(np.array([(-0.004, y + 0.007), (0.016, y + 0.007)]), 0.002, GOLD)


def draw_tie(canvas: Canvas, texture: Texture) -> None:
    """Draw a tie down to the waist."""
    label = (canvas.add(Category.TIE), 0)
    blade = np.array([(-0.008, 0.225), (0.008, 0.225), (0.020, 0.345), (0.0, 0.375), (-0.020, 0.345)])
    knot = np.array([(-0.014, 0.200), (0.014, 0.200), (0.008, 0.228), (-0.008, 0.228)])
    canvas.paint(blade, texture, label, 0.7, angle=0.7)
    canvas.paint(knot, Texture(tone(texture.colour, 0.85)), label, 0.5)


def draw_scarf(canvas: Canvas, texture: Texture, fringe: bool) -> None:
    """Draw a scarf wound round the neck, its ends hanging."""
    owner = canvas.add(Category.SCARF)
    for path in ([(-0.02, 0.20), (-0.034, 0.27), (-0.03, 0.345)], [(0.024, 0.20), (0.036, 0.28), (0.03, 0.395)]):
        tail = cut(np.array(path), 0, 1)
        canvas.paint(limb(tail, 0.023), texture, (owner, 0))
        if fringe:
            ends = np.linspace(-0.018, 0.018, 5)
            threads = [limb(move(np.array([(dx, 0.0), (1.15 * dx, 0.032)]), *tail[-1]), 0.0028) for dx in ends]
            canvas.paint(threads, Texture(tone(texture.colour, 0.8)), (owner, canvas.add(Category.FRINGE)), relief=0)
    wrap = [(-0.05, 0.150), (0.05, 0.150), (0.068, 0.185), (0.05, 0.222), (-0.05, 0.222), (-0.068, 0.185)]
    canvas.paint(rounded(np.array(wrap)), texture, (owner, 0), angle=0.3)
    for y in (0.178, 0.198):
        canvas.stroke(ellipse(0, y - 0.02, 0.055, 0.025, 20, 160), 0.0018, tone(texture.colour, 0.6))


def draw_gloves(canvas: Canvas, colour: Colour) -> None:
    """Draw a glove on each hand."""
    for arm in canvas.figure.arms:
        label = (canvas.add(Category.GLOVE), 0)
        canvas.paint([hand_outline(arm, 0.004), limb(cut(arm, 0.88, 1), 0.021)], Texture(colour), label)


def draw_watch(canvas: Canvas, side: int, colour: Colour) -> None:
    """Draw a wrist watch with a large dial."""
    arm, label = canvas.figure.arms[(side + 1) // 2], (canvas.add(Category.WATCH), 0)
    canvas.paint(limb(cut(arm, 0.85, 0.93), 0.019), Texture(colour), label, relief=0.4)
    x, y = cut(arm, 0.89, 0.9)[0]
    canvas.paint(ellipse(x, y, 0.0175, 0.0175), Texture(GOLD), label, relief=0)
    canvas.paint(ellipse(x, y, 0.0125, 0.0125), Texture(COLOURS['chalk']), None, relief=0)
    canvas.stroke(np.array([(x, y - 0.009), (x, y), (x + 0.006, y + 0.002)]), 0.0014, COLOURS['ink'])


def draw_bag(canvas: Canvas, side: int, colour: Colour, tassel: bool) -> None:
    """Draw a handbag where that side's arm hangs, else one slung across the body."""
    arm, owner = canvas.figure.arms[(side + 1) // 2], canvas.add(Category.BAG)
    carried = arm[-1, 1] > 0.44 and abs(arm[-1, 0]) > 0.13
    dark = tone(colour, 0.62)
    if carried:
        x, y = arm[-1, 0], arm[-1, 1] + 0.115
        canvas.stroke(ellipse(x, y - 0.035, 0.034, 0.058, 180, 360), 0.006, dark, (owner, 0))
    else:
        x, y = side * 0.095, 0.515
        strap = np.array([(-side * 0.07, 0.192), (0.0, 0.33), (x, y - 0.03)])
        canvas.stroke(cut(strap, 0, 1), 0.007, dark, (owner, 0))
    shape = np.array([(-0.050, -0.045), (0.050, -0.045), (0.066, 0.050), (-0.066, 0.050)])
    canvas.paint(rounded(move(shape, x, y), 1), Texture(colour), (owner, 0))
    flap = np.array([(-0.050, -0.045), (0.050, -0.045), (0.054, -0.005), (0.0, 0.014), (-0.054, -0.005)])
    canvas.paint(rounded(move(flap, x, y), 1), Texture(tone(colour, 0.82)), None, relief=0.8)
    canvas.paint(ellipse(x, y + 0.006, 0.008, 0.008), Texture(GOLD), None, relief=0)
    if tassel:
        threads = np.array([(-0.004, -0.02), (0.004, -0.02), (0.016, 0.05), (-0.016, 0.05)])
        part, mustard = (owner, canvas.add(Category.TASSEL)), Texture(COLOURS['mustard'])
        canvas.paint(move(threads, x + 0.035, y + 0.01), mustard, part, relief=0.6)
    if carried:
        canvas.paint(hand_outline(arm), Texture(canvas.figure.skin), NOBODY)


def draw_umbrella(canvas: Canvas, texture: Texture) -> None:
    """Draw an open umbrella behind the head, in the raised right hand."""
    label, (x, y) = (canvas.add(Category.UMBRELLA), 0), canvas.figure.arms[1][-1]
    top = x - 0.06
    canvas.stroke(np.array([(x, y + 0.06), (top, -0.18)]), 0.005, COLOURS['ink'], label)
    dome = ellipse(top, 0.015, 0.24, 0.205, 180, 360)
    t = np.linspace(1, -1, 61)
    scallops = np.stack([top + 0.24 * t, 0.015 - 0.020 * np.abs(np.sin(2.5 * np.pi * t + np.pi / 2))], axis=1)
    canvas.paint(np.concatenate([dome, scallops]), texture, label)
    for share in (-0.6, -0.2, 0.2, 0.6):
        rib = ellipse(top, 0.0, 0.24 * abs(share), 0.19, *((180, 270) if share < 0 else (360, 270)))
        canvas.stroke(rib, 0.0015, tone(texture.colour, 0.65))


def draw_hat(canvas: Canvas, kind: str, colour: Colour) -> None:
    """Draw a beanie, a brimmed hat or a cap."""
    label, band = (canvas.add(Category.HAT), 0), Texture(tone(colour, 0.65))
    if kind == 'beanie':
        canvas.paint(ellipse(0, 0.045, 0.064, 0.078, 180, 360), Texture(colour), label)
        canvas.paint(ellipse(0, -0.038, 0.018, 0.017), Texture(tone(colour, 1.4)), label)
        canvas.paint(rounded(box(0, 0.040, 0.066, 0.013), 1), Texture(tone(colour, 0.8)), label)
    elif kind == 'brim':
        crown = np.array([(-0.052, 0.035), (-0.046, -0.045), (0.0, -0.036), (0.046, -0.045), (0.052, 0.035)])
        canvas.paint(ellipse(0, 0.036, 0.115, 0.020), Texture(colour), label)
        canvas.paint(rounded(crown, 1), Texture(colour), label)
        canvas.paint(box(0, 0.020, 0.050, 0.011), band, None, relief=0.4)
    else:
        peak = rounded(np.array([(-0.06, 0.036), (0.06, 0.036), (0.052, 0.064), (-0.052, 0.064)]))
        canvas.paint(ellipse(0, 0.042, 0.062, 0.072, 180, 360), Texture(colour), label)
        canvas.paint(peak, band, label)
        canvas.paint(ellipse(0, 0.008, 0.014, 0.012), Texture(COLOURS['chalk']), None, relief=0)


def draw_headband(canvas: Canvas, colour: Colour, flower: bool) -> None:
    """Draw a headband over the hair, with a flower or without."""
    owner = canvas.add(Category.HEADBAND)
    canvas.stroke(ellipse(0, 0.070, 0.058, 0.056, 192, 348), 0.011, colour, (owner, 0))
    if flower:
        centres = ellipse(0.045, 0.026, 0.013, 0.013)[:-1:8]
        petals = [ellipse(x, y, 0.010, 0.010) for x, y in centres]
        canvas.paint(petals, Texture(COLOURS['coral']), (owner, canvas.add(Category.FLOWER)), relief=0.4)
        canvas.paint(ellipse(0.045, 0.026, 0.007, 0.007), Texture(COLOURS['mustard']), None, relief=0)


def draw_glasses(canvas: Canvas, colour: Colour) -> None:
    """Draw sunglasses."""
    label = (canvas.add(Category.GLASSES), 0)
    lenses = [rounded(box(side * 0.026, 0.085, 0.0245, 0.019), 2) for side in SIDES]
    canvas.paint([*lenses, box(0, 0.078, 0.052, 0.0045)], Texture(colour), label, relief=0)
    glass = [rounded(box(side * 0.026, 0.085, 0.019, 0.014), 2) for side in SIDES]
    canvas.paint(glass, Texture(tone(colour, 0.4)), None, relief=0)
    for side in SIDES:
        canvas.stroke(np.array([(side * 0.026 - 0.010, 0.090), (side * 0.026 + 0.002, 0.076)]), 0.0022, (168, 178, 190))
