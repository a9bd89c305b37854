"""Outlines in figure coordinates: x to the right from the body's axis, y down from the crown (0) to the ground (1)."""

import numpy as np


def smooth_path(joints: np.ndarray, softness: float = 0.35) -> np.ndarray:
    """Bend three joints (shoulder, elbow, wrist, say) into a soft path, (18, 2)."""
    first, middle, last = np.asarray(joints, np.float64)
    enter, leave = middle + softness * (first - middle), middle + softness * (last - middle)
    t = np.linspace(0, 1, 8)[:, None]
    bend = (1 - t) ** 2 * enter + 2 * t * (1 - t) * middle + t**2 * leave
    return np.concatenate([np.linspace(first, enter, 6)[:-1], bend, np.linspace(leave, last, 6)[1:]])


def cut(path: np.ndarray, start: float, stop: float, points: int = 14) -> np.ndarray:
    """Return the part of a path between two fractions of its length, (points, 2); beyond 0 to 1 it is clamped."""
    steps = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)]) / steps.sum()
    t = np.linspace(start, stop, points)
    return np.stack([np.interp(t, along, path[:, 0]), np.interp(t, along, path[:, 1])], axis=1)


def edges(path: np.ndarray, half_widths: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offset a path to both sides: first the side to the right of its direction on the picture, then the other.

    Args:
        path: (N, 2).
        half_widths: one number, or a few spread evenly from the path's start to its end.
    """
    widths = np.atleast_1d(np.asarray(half_widths, np.float64))
    widths = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), widths)
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * widths[:, None]
    return path + normal, path - normal


def limb(path: np.ndarray, half_widths: float | np.ndarray) -> np.ndarray:
    """Outline a band of varying width along a path, (2 N, 2)."""
    one, other = edges(np.asarray(path, np.float64), half_widths)
    return np.concatenate([one, other[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360) -> np.ndarray:
    """Outline an ellipse or an arc of it; degrees, clockwise on the picture from the right."""
    t = np.radians(np.linspace(start, stop, 40))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def box(x: float, y: float, half_width: float, half_height: float, angle: float = 0.0) -> np.ndarray:
    """Outline a rectangle about (x, y), turned by `angle` radians, (4, 2)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)
    cos, sin = np.cos(angle), np.sin(angle)
    return corners @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


def move(points: np.ndarray, x: float, y: float) -> np.ndarray:
    """Shift an outline."""
    return points + np.array([x, y])


def mirror(points: np.ndarray, side: int) -> np.ndarray:
    """Mirror an outline drawn for the right of the picture (side 1) to the left (side -1)."""
    return points * (side, 1)


def rounded(points: np.ndarray, times: int = 2) -> np.ndarray:
    """Round the corners of an outline (Chaikin: each corner is cut at a quarter of its edges)."""
    points = np.asarray(points, np.float64)
    for _ in range(times):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1).reshape(-1, 2)
    return points


def soft_box(x: float, y: float, half_width: float, half_height: float, angle: float = 0.0) -> np.ndarray:
    """Outline a rectangle about (x, y) whose corners are rounded a little."""
    corners = box(x, y, half_width, half_height, angle)
    after = np.roll(corners, -1, axis=0)
    return rounded(np.stack([0.82 * corners + 0.18 * after, 0.18 * corners + 0.82 * after], axis=1).reshape(-1, 2))


def direction(path: np.ndarray) -> float:
    """Measure how far a path turns from straight down, in radians."""
    x, y = path[-1] - path[0]
    return float(np.arctan2(-x, y))
