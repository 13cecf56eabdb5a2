"""Kutta's third-order family, in a coordinate in which a steady picture is a straight line.

Legend: x the noised signal, v the velocity, phi the angle of a level (tan phi = noise / signal),
psi the middle of a stride. With u = tan(phi - psi) and z = x / cos(phi - psi),

    dx / dphi = v   becomes   dz / du = w = cos(phi - psi) v + sin(phi - psi) x,

and w is constant where the network sees the same signal all the way: a stride of any order is then
exact, as DDIM is. (With one evaluation a stride is DDIM's.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, sin, tan

import mousai_kit.api as mk
from torch import Tensor

LARGEST = 4.0
"""Weights beyond this multiply the network's errors; such a stride is made in single turns."""

Point = tuple[Tensor, mk.NoiseLevel]
"""sigma [b] for the network, and the level where it stands."""


class Kutta(mk.SteppedSampler):
    """Kutta's third order (1901): three evaluations a stride, at the schedule's own levels.

    The nodes of a stride are levels of the schedule, wherever they lie: the weights follow from
    them (Kutta, Zeitschrift fuer Mathematik und Physik 46, 1901; Butcher, 2016, section 233). The
    first stride has what is left over of `steps`, one or two, and is of that order.
    """

    name = "kutta-3"

    class Options(mk.SamplerOptions):
        """Options of `sampler: kutta-3`."""

        steps: int = mk.Field(30, ge=1, le=10_000, description="evaluations of the network")

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x = noise
        for nodes, end in self._strides(noise):
            x = _stride(velocity, x, nodes, end)
        return x

    def _strides(self, x: Tensor) -> Iterator[tuple[list[Point], mk.NoiseLevel]]:
        """Yield the nodes of each stride, one to three, and the level where it ends."""
        nodes: list[Point] = []
        left = self.steps
        for sigma, now, later in self.iterate_levels(x):
            nodes.append((sigma, now))
            left -= 1
            if left % 3 == 0:
                yield from _well_placed(nodes, later)
                nodes = []


@dataclass(frozen=True, slots=True)
class Weights:
    """A method of up to three stages: `stages[i][j]` weighs w_j on the way to node i."""

    stages: list[list[float]]

    @classmethod
    def of(cls, nodes: list[float]) -> Weights:
        """Return the weights for nodes [0, c2, c3] in a stride from 0 to 1; the last row ends it.

        They fulfil the conditions of third order: sum b = 1, sum b c = 1 / 2, sum b c^2 = 1 / 3,
        b3 a32 c2 = 1 / 6. Fewer nodes fulfil as many as they can.
        """
        match nodes:
            case [_]:
                return cls([[], [1.0]])
            case [_, c2]:
                b2 = 1 / (2 * c2)
                return cls([[], [c2], [1 - b2, b2]])
        _, c2, c3 = nodes
        b2 = (3 * c3 - 2) / (6 * c2 * (c3 - c2))
        b3 = (2 - 3 * c2) / (6 * c3 * (c3 - c2))
        a32 = 1 / (6 * b3 * c2) if b3 else float("inf")
        return cls([[], [c2], [c3 - a32, a32], [1 - b2 - b3, b2, b3]])

    @property
    def largest(self) -> float:
        """Return the size of the largest weight."""
        return max(abs(weight) for row in self.stages for weight in row)


def _stride(velocity: mk.Velocity, x: Tensor, nodes: list[Point], end: mk.NoiseLevel) -> Tensor:
    """Return x [b, c, t] carried from the first node's level to the end."""
    begin = nodes[0][1].angle
    half = (end.angle - begin) / 2
    psi, length = begin + half, 2 * tan(half)
    method = Weights.of(_nodes(nodes, end))
    z = x / cos(half)
    slopes: list[Tensor] = []
    for (sigma, level), row in zip(nodes, method.stages, strict=False):
        turn = level.angle - psi
        there = cos(turn) * _moved(z, slopes, row, length)
        slopes.append(cos(turn) * velocity(there, sigma) + sin(turn) * there)
    return cos(half) * _moved(z, slopes, method.stages[-1], length)


def _moved(z: Tensor, slopes: list[Tensor], row: list[float], length: float) -> Tensor:
    for slope, weight in zip(slopes, row, strict=True):
        z = z + length * weight * slope
    return z


def _nodes(nodes: list[Point], end: mk.NoiseLevel) -> list[float]:
    """Return where the nodes lie in u, the stride being 0 to 1."""
    begin = nodes[0][1].angle
    half = (end.angle - begin) / 2
    return [(1 + tan(level.angle - begin - half) / tan(half)) / 2 for _, level in nodes]


def _well_placed(
    nodes: list[Point], end: mk.NoiseLevel
) -> Iterator[tuple[list[Point], mk.NoiseLevel]]:
    """Yield a stride, or single turns in its place where the nodes would make it shake."""
    if Weights.of(_nodes(nodes, end)).largest <= LARGEST:
        yield nodes, end
        return
    ends = [*(level for _, level in nodes[1:]), end]
    for node, its_end in zip(nodes, ends, strict=True):
        yield [node], its_end
