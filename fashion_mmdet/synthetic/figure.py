"""The person: where it stands, how it is built, how it holds arms and legs."""

from dataclasses import dataclass

import numpy as np

from fashion_mmdet.synthetic.shapes import smooth_path
from fashion_mmdet.synthetic.textures import Colour

SIDES = (-1, 1)  # left and right of the picture
NECK_Y, SHOULDER_Y, WAIST_Y, HIP_Y, CROTCH_Y = 0.178, 0.205, 0.385, 0.475, 0.515
UPPER_ARM, FOREARM = 0.150, 0.145
UMBRELLA_REACH = 0.19  # how far the canopy goes beyond the hand that holds it

SKINS: tuple[Colour, ...] = (
    (255, 224, 196), (241, 194, 152), (224, 172, 125), (190, 132, 88), (141, 88, 58), (98, 62, 44),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (38, 28, 26), (74, 46, 32), (118, 74, 42), (186, 134, 72), (226, 190, 122), (150, 64, 38), (150, 146, 144),
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One person in figure coordinates (see shapes), and the way to pixels.

    Attributes:
        scale_px: the person's height in pixels.
        anchor_px: (2,) x, y of the pixel under the point (0, 0.5).
        lean: turn of the whole body, radians clockwise.
        sway: how far hip and chest shift against each other.
        shoulder, chest, waist, hip: half widths.
        arms, legs: paths (N, 2) of the left and the right limb, from the body outwards.
        skin, hair: RGB colours.
        hairstyle: 'short', 'bob', 'long' or 'bun'.
    """

    scale_px: float
    anchor_px: np.ndarray
    lean: float
    sway: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    arms: tuple[np.ndarray, np.ndarray]
    legs: tuple[np.ndarray, np.ndarray]
    skin: Colour
    hair: Colour
    hairstyle: str

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Map (N, 2) figure coordinates to x, y in pixels."""
        x, y = points[:, 0] + self.sway * np.sin(2 * np.pi * (points[:, 1] - 0.1)), points[:, 1] - 0.5
        cos, sin = np.cos(self.lean), np.sin(self.lean)
        return self.anchor_px + self.scale_px * np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)

    def half_width(self, y: np.ndarray | float) -> np.ndarray:
        """Return the trunk's half width at a height; below the hips that of the hips."""
        heights = (SHOULDER_Y, 0.27, 0.33, WAIST_Y, 0.43, HIP_Y, CROTCH_Y)
        middle = (0.4 * self.chest + 0.6 * self.waist, 0.45 * self.waist + 0.55 * self.hip)
        widths = (self.shoulder, self.chest, middle[0], self.waist, middle[1], self.hip, self.hip)
        return np.interp(y, heights, widths)


def sample_figure(
    height: int, width: int, rng: np.random.Generator, skin: Colour, umbrella: bool = False, narrow: bool = False
) -> Figure:
    """Draw a person that fills 75 to 95 % of the picture's height, less where a narrow picture leaves no room.

    Args:
        height, width: of the picture, pixels.
        rng: the picture's own generator.
        skin: RGB.
        umbrella: leave room above the head and raise the right arm.
        narrow: keep the legs together, for a narrow hem.
    """
    fill = rng.uniform(0.75, 0.78) if umbrella else rng.uniform(0.78, 0.92)
    slim = rng.uniform(0, 1)
    shoulder = 0.100 + 0.014 * slim
    arms = tuple(_arm(side, shoulder, 'raised' if umbrella and side > 0 else _pose(rng), rng) for side in SIDES)
    left = max(0.15, -float(arms[0][:, 0].min())) + 0.04
    right = max(0.15, float(arms[1][:, 0].max())) + (UMBRELLA_REACH if umbrella else 0.04)
    scale_px = min(fill * height, width / (left + right))
    middle, free_x = width / 2 + (left - right) / 2 * scale_px, (width - (left + right) * scale_px) / 2
    free_y = max(0.0, height - 1.06 * scale_px) / 2
    drop = 0.97 * height - scale_px / 2 if umbrella else height / 2 + 0.02 * scale_px + rng.uniform(-0.8, 0.8) * free_y
    style = ('short', 'bob', 'long', 'bun')[rng.choice(4, p=(0.3, 0.2, 0.35, 0.15))]
    return Figure(
        scale_px=float(scale_px),
        anchor_px=np.array([middle + rng.uniform(-0.8, 0.8) * free_x, drop]),
        lean=float(rng.normal(0, 0.02)),
        sway=float(rng.uniform(-0.012, 0.012)),
        shoulder=shoulder,
        chest=0.082 + 0.010 * slim,
        waist=0.062 + 0.014 * slim,
        hip=0.084 + 0.004 * rng.uniform(-1, 1),
        arms=arms,
        legs=_legs(rng, narrow),
        skin=skin,
        hair=HAIRS[rng.integers(len(HAIRS))],
        hairstyle=style,
    )


def _pose(rng: np.random.Generator) -> str:
    return ('down', 'out', 'hip', 'bent')[rng.choice(4, p=(0.5, 0.2, 0.18, 0.12))]


def _arm(side: int, shoulder: float, pose: str, rng: np.random.Generator) -> np.ndarray:
    """Return the path of an arm; angles in degrees from straight down, outwards positive."""
    low, high, bend_low, bend_high = {
        'down': (10, 20, -12, 4),
        'out': (24, 40, -10, 18),
        'hip': (42, 52, -98, -86),
        'bent': (14, 24, 30, 70),
        'raised': (24, 30, 130, 136),
    }[pose]
    upper = rng.uniform(low, high)
    fore = upper + rng.uniform(bend_low, bend_high)
    start = np.array([shoulder - 0.022, SHOULDER_Y + 0.027])
    elbow = start + UPPER_ARM * _ray(upper)
    return smooth_path(np.array([start, elbow, elbow + FOREARM * _ray(fore)]), 0.25) * (side, 1)


def _legs(rng: np.random.Generator, narrow: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the paths of both legs; the feet stand at y 0.95, or a little higher for a leg that steps back."""
    spread = -0.004 if narrow else rng.uniform(0.0, 0.045)
    raised = rng.choice(2) if rng.uniform() < 0.3 and not narrow else -1
    legs = []
    for index, side in enumerate(SIDES):
        lift = rng.uniform(0.01, 0.025) if index == raised else 0.0
        foot = np.array([0.047 + spread + rng.uniform(-0.006, 0.006) + lift, 0.945 - lift])
        knee = np.array([0.047 + 0.5 * spread + lift * rng.uniform(-0.2, 0.8), 0.73 - 0.3 * lift])
        legs.append(smooth_path(np.array([(0.044, HIP_Y + 0.01), knee, foot])) * (side, 1))
    return legs[0], legs[1]


def _ray(degrees: float) -> np.ndarray:
    return np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
