"""Curves and surfaces to go down: polynomials of one number or two, and their minima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FUNCTIONS: Mapping[str, Sequence[Sequence[float]]] = {
    "parabola": [[0], [0], [1]],
    "two_minima": [[0], [1], [-3], [0], [1]],
    "bowl": [[0, 0, 10], [0, 0, 0], [1, 0, 0]],
    "rosenbrock": [[1, 0, 100], [-2, 0, 0], [1, -200, 0], [0, 0, 0], [100, 0, 0]],
}
"""Coefficients of x^i y^j in row i and column j."""

FORMULAS = {"rosenbrock": "(1 - x)^2 + 100(y - x^2)^2"}
"""How functions are written that are not written as a sum of powers."""

NEAR = 0.01
"""How near a minimum counts as there, plus as much times the minimum's own distance from 0."""

SETTLED = 10
"""Last steps by which a path that has not arrived is judged."""

FAR = 1e3
"""From where on a path has diverged: this far from 0, and this many times as far as it began."""


@dataclass(frozen=True)
class Surface:
    """A polynomial of one number or two.

    Args:
        coefficients: Of x^i y^j in row i and column j; a curve has one column.
    """

    coefficients: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, name: str | None, given: Sequence[Any] | None) -> Surface:
        """Return the function of that name, or of these coefficients."""
        rows = FUNCTIONS[name] if name is not None else given or []
        listed = [row if isinstance(row, list) else [row] for row in rows]
        width = max(map(len, listed), default=1)
        return cls(tuple((*map(float, row), *[0.0] * (width - len(row))) for row in listed))

    @property
    def numbers(self) -> int:
        """How many numbers it depends on."""
        return 1 if len(self.coefficients[0]) == 1 else 2

    def value(self, at: np.ndarray) -> Any:
        """Return its height, (...), at points, (..., 1) or (..., 2)."""
        from numpy.polynomial.polynomial import polyval, polyval2d

        if self.numbers == 1:
            height = polyval(at[..., 0], [row[0] for row in self.coefficients])
        else:
            height = polyval2d(at[..., 0], at[..., 1], self.coefficients)
        return float(height) if height.ndim == 0 else height

    def gradient(self, at: np.ndarray) -> np.ndarray:
        """Return the slope along each number, (1,) or (2,), at a point."""
        from numpy.polynomial.polynomial import polyder

        parts = [np.atleast_2d(polyder(self.coefficients, axis=axis)) for axis in (0, 1)]
        slopes = [_part(part).value(at) for part in parts[: self.numbers]]
        return np.array(slopes, np.float64)

    @property
    def text(self) -> str:
        """It, as one writes it: `x^4 - 3x^2 + x`."""
        terms = [
            (i + j, i, number, _power("x", i) + _power("y", j))
            for i, row in enumerate(self.coefficients)
            for j, number in enumerate(row)
            if number
        ]
        text = ""
        for *_, number, letters in sorted(terms, reverse=True):
            size = "" if abs(number) == 1 and letters else f"{abs(number):g}"
            sign = ("- " if number < 0 else "+ ") if text else ("-" if number < 0 else "")
            text += f" {sign}{size}{letters}" if text else f"{sign}{size}{letters}"
        return text or "0"


def _part(coefficients: np.ndarray) -> Surface:
    return Surface(tuple(map(tuple, coefficients.tolist())))


def _power(letter: str, exponent: int) -> str:
    return "" if not exponent else letter if exponent == 1 else f"{letter}^{exponent}"


def minima_of(surface: Surface, paths: Sequence[np.ndarray], steps: int) -> list[np.ndarray]:
    """Return the minima around where the paths went, the lowest first, found by L-BFGS-B of SciPy
    from a grid of points."""
    from scipy.optimize import minimize

    low, high = region_of(paths, steps)
    found: list[np.ndarray] = []
    count = 21 if surface.numbers == 1 else 7
    grid = np.meshgrid(*(np.linspace(a, b, count) for a, b in zip(low, high, strict=True)))
    for begin in np.stack([axis.ravel() for axis in grid], axis=1):
        reached = minimize(
            surface.value,
            begin,
            jac=surface.gradient,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000},
        ).x
        flat = np.linalg.norm(surface.gradient(reached)) < 1e-5
        around = reached + 1e-3 * np.vstack([np.eye(len(low)), -np.eye(len(low))])
        lowest = (surface.value(around) > surface.value(reached)).all()
        if flat and lowest and all(np.linalg.norm(reached - one) > 1e-3 for one in found):
            found.append(reached)
    return sorted(found, key=surface.value)


def region_of(paths: Sequence[np.ndarray], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper corner of where paths of so many steps went that did not
    diverge, and of the square from -2 to 2."""
    start = paths[0][0]
    near = [path for path in paths if not has_diverged(path, steps)]
    places = np.concatenate([*near, start[None], np.full((1, len(start)), -2.0)])
    places = np.concatenate([places, np.full((1, len(start)), 2.0)])
    low, high = places.min(axis=0), places.max(axis=0)
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


def has_diverged(path: np.ndarray, steps: int) -> bool:
    """Whether a path of so many steps was cut, or went so far that it will not come back."""
    return len(path) <= steps or bool(
        np.linalg.norm(path[-1]) > FAR * (1 + np.linalg.norm(path[0]))
    )


def outcome(
    path: np.ndarray, surface: Surface, minima: Sequence[np.ndarray], steps: int
) -> dict[str, Any]:
    """Return what became of a path: where it ended, and which minimum it reached and when.

    Args:
        path: Its places, (n, 1) or (n, 2); fewer than `steps` + 1 where it cannot be computed on.
        surface: What it goes down.
        minima: Those nearby, the lowest first.
        steps: How many steps it was to take.
    """
    at = path[-1]
    facts: dict[str, Any] = {
        "steps": len(path) - 1,
        "at": at.tolist(),
        "value": surface.value(at),
        "minimum": None,
        "distance": None,
        "arrived": None,
    }
    if has_diverged(path, steps):
        return {**facts, "verdict": "diverged"}
    if not minima:
        return {**facts, "verdict": "there is no minimum nearby"}
    distances = np.array([np.linalg.norm(at - one) for one in minima])
    nearest = int(distances.argmin())
    goal = minima[nearest]
    facts |= {"minimum": nearest, "distance": float(distances[nearest])}
    away = np.linalg.norm(path - goal, axis=1) > NEAR * (1 + np.linalg.norm(goal))
    if not away[-1]:
        facts["arrived"] = int(np.flatnonzero(away)[-1]) + 1 if away.any() else 0
        which = "the global minimum" if nearest == 0 else "a local minimum"
        only = "the minimum" if len(minima) == 1 else which
        return {**facts, "verdict": f"reached {only}"}
    last = path[-SETTLED - 1 :]
    travelled = np.linalg.norm(np.diff(last, axis=0), axis=1).sum()
    to_and_fro = travelled > 2 * np.linalg.norm(last[-1] - last[0])
    return {**facts, "verdict": "jumps about" if to_and_fro else "still on its way"}
