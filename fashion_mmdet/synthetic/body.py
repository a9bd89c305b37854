"""The body under the clothes: skin, face, hair. All of it is NOBODY's on the label maps."""

import numpy as np

from fashion_mmdet.synthetic.canvas import NOBODY, Canvas
from fashion_mmdet.synthetic.figure import CROTCH_Y, NECK_Y, SHOULDER_Y, SIDES
from fashion_mmdet.synthetic.shapes import cut, ellipse, limb, mirror, rounded
from fashion_mmdet.synthetic.textures import Texture, tone

ARM_WIDTHS = np.array([0.027, 0.023, 0.021, 0.015])
LEG_WIDTHS = np.array([0.043, 0.042, 0.034, 0.034, 0.020])
BACK_HAIR = {
    'long': [(-0.05, 0.02), (0.05, 0.02), (0.072, 0.12), (0.078, 0.26), (-0.078, 0.26), (-0.072, 0.12)],
    'bob': [(-0.055, 0.01), (0.055, 0.01), (0.074, 0.10), (0.068, 0.168), (-0.068, 0.168), (-0.074, 0.10)],
}
LIP, EYE, WHITE = (190, 84, 84), (46, 34, 32), (250, 248, 244)


def draw_back_hair(canvas: Canvas) -> None:
    """Draw the hair behind the head and the shoulders."""
    style, hair = canvas.figure.hairstyle, Texture(canvas.figure.hair)
    if style == 'bun':
        canvas.paint(ellipse(0, -0.006, 0.030, 0.028), hair, NOBODY)
    elif style in BACK_HAIR:
        canvas.paint(rounded(np.array(BACK_HAIR[style])), hair, NOBODY)


def draw_legs(canvas: Canvas) -> None:
    """Draw bare legs and feet."""
    skin = Texture(canvas.figure.skin)
    for side, leg in zip(SIDES, canvas.figure.legs, strict=True):
        x, y = leg[-1]
        canvas.paint([limb(leg, LEG_WIDTHS), ellipse(x + 0.008 * side, y + 0.02, 0.022, 0.026)], skin, NOBODY)


def draw_torso(canvas: Canvas) -> None:
    """Draw neck, trunk and bare arms."""
    figure, skin = canvas.figure, Texture(canvas.figure.skin)
    for arm in figure.arms:
        canvas.paint([limb(arm, ARM_WIDTHS), ellipse(*arm[0], 0.026, 0.026)], skin, NOBODY)
    y = np.linspace(SHOULDER_Y + 0.01, CROTCH_Y, 14)
    width = figure.half_width(y) - np.where(y < 0.27, 0.012, 0.0)
    right = np.concatenate([[(0.024, NECK_Y)], np.stack([width, y], axis=1), [(0.02, CROTCH_Y + 0.015)]])
    outline = np.concatenate([right, mirror(right, -1)[::-1]])
    canvas.paint(outline, skin, NOBODY, relief=0.6)
    draw_neck(canvas)


def draw_neck(canvas: Canvas) -> None:
    """Draw the neck, with the chin's shadow."""
    neck = [(-0.026, 0.12), (0.026, 0.12), (0.026, 0.17), (0.045, 0.192), (-0.045, 0.192), (-0.026, 0.17)]
    canvas.paint(np.array(neck), Texture(canvas.figure.skin), NOBODY, relief=0.3)
    canvas.paint(ellipse(0, 0.146, 0.025, 0.014), Texture(tone(canvas.figure.skin, 0.82)), None, relief=0)


def draw_forearms(canvas: Canvas, sleeve: float) -> None:
    """Draw what a sleeve (its part of the arm's length) leaves bare in front of the clothes, and the hands."""
    skin = Texture(canvas.figure.skin)
    for arm in canvas.figure.arms:
        bare = cut(arm, np.clip(sleeve, 0.3, 0.98), 1)
        canvas.paint([limb(arm, ARM_WIDTHS), hand_outline(arm)], skin, NOBODY, clip=_sheath(bare))


def _sheath(path: np.ndarray) -> np.ndarray:
    """Outline a wide band along a path and beyond its end: room for arm and hand."""
    beyond = path[-1] + 0.06 * (path[-1] - path[-3]) / np.hypot(*(path[-1] - path[-3]))
    return limb(np.concatenate([path, [beyond]]), 0.034)


def hand_outline(arm: np.ndarray, grow: float = 0.0) -> np.ndarray:
    """Outline the hand at the end of an arm, a mitten shape along the forearm."""
    ray = arm[-1] - arm[-4]
    ray = ray / np.hypot(*ray)
    path = arm[-1] + np.linspace(-0.012, 0.042, 10)[:, None] * ray
    return limb(path, np.array([0.013, 0.018, 0.019, 0.014, 0.006]) + grow)


def draw_head(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw head, face and the hair in front."""
    skin = canvas.figure.skin
    ears = [ellipse(side * 0.052, 0.086, 0.009, 0.015) for side in SIDES]
    canvas.paint(ears, Texture(tone(skin, 0.92)), NOBODY, relief=0.3)
    jaw = [(-0.052, 0.03), (0.052, 0.03), (0.056, 0.09), (0.034, 0.142), (0.0, 0.156), (-0.034, 0.142), (-0.056, 0.09)]
    canvas.paint([rounded(np.array(jaw)), ellipse(0, 0.07, 0.052, 0.062)], Texture(skin), NOBODY, relief=0.5)
    _draw_face(canvas, rng)
    _draw_front_hair(canvas, rng)


def _draw_face(canvas: Canvas, rng: np.random.Generator) -> None:
    figure, look = canvas.figure, rng.uniform(-0.002, 0.002)
    for side in SIDES:
        x = side * 0.0225
        canvas.paint(ellipse(side * 0.033, 0.106, 0.011, 0.007), Texture(_blush(figure.skin)), None, relief=0)
        canvas.paint(ellipse(x, 0.083, 0.0095, 0.0062), Texture(WHITE), None, relief=0)
        canvas.paint(ellipse(x + look, 0.083, 0.0052, 0.006), Texture(EYE), None, relief=0)
        brow = np.array([(x - 0.011, 0.068), (x, 0.065), (x + 0.011, 0.068)])
        canvas.stroke(brow, 0.0022, tone(figure.hair, 0.8))
    canvas.stroke(np.array([(0.001, 0.088), (0.004, 0.103), (-0.002, 0.105)]), 0.0014, tone(figure.skin, 0.75))
    canvas.paint(ellipse(0, 0.123, 0.0125, 0.0055), Texture(LIP), None, relief=0)
    canvas.stroke(np.array([(-0.013, 0.1225), (0.0, 0.1235), (0.013, 0.1225)]), 0.001, tone(LIP, 0.7))


def _blush(skin: tuple[int, int, int]) -> tuple[int, int, int]:
    return tuple(int(0.8 * channel + 0.2 * target) for channel, target in zip(skin, (232, 96, 90), strict=True))


def _draw_front_hair(canvas: Canvas, rng: np.random.Generator) -> None:
    figure, hair = canvas.figure, Texture(canvas.figure.hair)
    parting = rng.uniform(-0.03, 0.03)
    crown = ellipse(0, 0.06, 0.060, 0.068, 172, 368)
    right, left = [(0.054, 0.062), (0.044, 0.044)], [(-0.042, 0.046), (-0.054, 0.062)]
    canvas.paint(np.concatenate([crown, right, [(parting + 0.012, 0.032), (parting, 0.028)], left]), hair, NOBODY)
    if figure.hairstyle in ('long', 'bob'):
        end = 0.225 if figure.hairstyle == 'long' else 0.15
        for side in SIDES:
            lock = np.array([(0.053, 0.05), (0.060, 0.09), (0.062, 0.5 * (0.09 + end)), (0.058, end)])
            canvas.paint(limb(cut(mirror(lock, side), 0, 1), [0.008, 0.013, 0.014, 0.006]), hair, NOBODY)
