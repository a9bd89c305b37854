"""Outlines of garments on a figure."""

import numpy as np

from fashion_mmdet.synthetic.body import LEG_WIDTHS
from fashion_mmdet.synthetic.figure import CROTCH_Y, HIP_Y, SHOULDER_Y, WAIST_Y, Figure
from fashion_mmdet.synthetic.outfit import Attribute, Category, Garment
from fashion_mmdet.synthetic.shapes import cut, edges, ellipse, limb, mirror

NECKS = {'round': (0.044, 0.034), 'vee': (0.046, 0.085), 'boat': (0.066, 0.018), 'turtle': (0.032, 0.004)}


def half_widths(figure: Figure, garment: Garment, y: np.ndarray | float) -> np.ndarray:
    """Return a garment's half width at heights below the armholes."""
    body = figure.half_width(y)
    straight = max(figure.chest, figure.hip)
    flare_from = WAIST_Y if Attribute.FIT_AND_FLARE in garment.attributes else HIP_Y
    flare = garment.flare * np.maximum(np.asarray(y) - flare_from, 0)
    return body + garment.ease + garment.boxy * np.maximum(straight - body, 0) + flare


def _shoulder_y(x: float) -> float:
    """Return the height of the shoulder's slope at a distance from the axis."""
    return 0.180 + 0.30 * (x - 0.03)


def _side(figure: Figure, garment: Garment, neck: float) -> np.ndarray:
    """Return the right side from the neck over the shoulder down to the hem, (N, 2)."""
    shoulder = figure.shoulder + 0.4 * garment.ease - (0.016 if garment.category == Category.VEST else 0.004)
    y = np.linspace(0.275, garment.hem, 22)
    trunk = np.stack([half_widths(figure, garment, y), y], axis=1)
    top = [(neck, _shoulder_y(neck)), (shoulder - 0.02, _shoulder_y(shoulder - 0.02)), (shoulder, SHOULDER_Y + 0.012)]
    return np.concatenate([top, [(min(shoulder, trunk[0, 0]) - 0.003, 0.25)], trunk])


def _hem(right: np.ndarray, left: np.ndarray, waves: float) -> np.ndarray:
    """Join two hem corners by a slightly sagging line with waves of that amplitude."""
    t = np.linspace(0, 1, 41)[1:-1, None]
    line = right + t * (left - right)
    line[:, 1:] += 0.010 * 4 * t * (1 - t) + waves * np.sin(10 * np.pi * t)
    return line


def neck_curve(garment: Garment, grow: float = 0.0) -> np.ndarray:
    """Return the neckline from left to right, (31, 2); `grow` widens and deepens it."""
    width, depth = NECKS[garment.neck]
    width, depth = width + grow, depth + 1.2 * grow
    t = np.linspace(-1, 1, 31)
    drop = 1 - np.abs(t) if garment.neck == 'vee' else np.sqrt(1 - t**2)
    return np.stack([width * t, _shoulder_y(width) + depth * drop], axis=1)


def bodice(figure: Figure, garment: Garment) -> np.ndarray:
    """Outline a closed garment from neckline to hem (top, sweater, dress)."""
    curve = neck_curve(garment)
    side = _side(figure, garment, curve[-1, 0])
    waves = 0.005 if garment.flare > 0.2 else 0.0
    return np.concatenate([curve, side, _hem(side[-1], mirror(side[-1], -1), waves), mirror(side, -1)[::-1]])


def front_panel(figure: Figure, garment: Garment, side: int, vee: float) -> np.ndarray:
    """Outline one half of a garment that opens in front; `vee` is the depth of its neck opening."""
    edge = _side(figure, garment, 0.036)
    bottom = garment.hem + 0.010
    inner = [(garment.gap, bottom), (0.5 * garment.gap, NECKS['round'][0] + 0.14 + vee), (0.036, _shoulder_y(0.036))]
    return mirror(np.concatenate([edge, inner]), side)


def sleeve_outline(arm: np.ndarray, garment: Garment) -> list[np.ndarray]:
    """Outline a sleeve and its round shoulder."""
    ease = 0.55 * garment.ease
    path = cut(arm, 0, garment.sleeve)
    full = np.array([0.030, 0.029, 0.026, 0.021]) + ease * np.array([0.6, 1, 1, 1])
    widths = np.interp(np.linspace(0, garment.sleeve, 6), np.linspace(0, 1, 4), full)
    return [limb(path, widths), ellipse(*arm[0], full[0], full[0])]


def skirt_outline(figure: Figure, garment: Garment, waist_y: float) -> np.ndarray:
    """Outline a skirt from its waist to the hem."""
    y = np.linspace(waist_y, garment.hem, 22)
    side = np.stack([half_widths(figure, garment, y) - 0.6 * garment.boxy * garment.ease, y], axis=1)
    waves = 0.005 if garment.flare > 0.2 else 0.0
    return np.concatenate([side, _hem(side[-1], mirror(side[-1], -1), waves), mirror(side, -1)[::-1]])


def trouser_leg(figure: Figure, garment: Garment, side: int, waist_y: float) -> np.ndarray:
    """Outline one half of pants, shorts or a jumpsuit's legs, with its half of the waist.

    The hem lies at `garment.hem`; flare widens the leg, below the knee only where the cut is tight (bell bottom).
    """
    leg = figure.legs[(side + 1) // 2] * (side, 1)
    stop = (garment.hem - leg[0, 1]) / (leg[-1, 1] - leg[0, 1])
    path = cut(leg, 0, min(stop, 1.0), 20)
    below_knee = garment.ease < 0.008
    flare = np.interp(path[:, 1], (0.68, 0.9) if below_knee else (0.5, 0.75), (0, garment.flare))
    widths = np.interp(path[:, 1], np.linspace(leg[0, 1], leg[-1, 1], 5), LEG_WIDTHS) + 0.8 * garment.ease + flare
    inner, outer = edges(path, 1.0)
    inner, outer = path + (inner - path) * widths[:, None], path + (outer - path) * widths[:, None]
    y = np.linspace(waist_y, CROTCH_Y - 0.01, 8)
    hip = np.stack([figure.half_width(y) + 0.7 * garment.ease, y], axis=1)
    low = path[:, 1] > CROTCH_Y + 0.02
    inner[:, 0] = np.maximum(inner[:, 0], 0.001)
    seam = [(0.0, CROTCH_Y + 0.015), (0.0, waist_y + 0.004)]
    return mirror(np.concatenate([hip, outer[low], inner[low][::-1], seam]), side)
