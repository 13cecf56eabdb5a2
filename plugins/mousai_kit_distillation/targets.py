"""What a distilled network learns: where its steps begin, and where the teacher's lead from there.

Legend: b batch, c channels, n frames; x the noised signal, v the velocity; s a level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_distillation.few_step import NEAR, turn, turn_weights

AskRows = Callable[[Sequence[int], Tensor, Tensor], Tensor]
"""A network's v [r, c, n] for some rows of a batch: of x [r, c, n] at levels [r]."""


def add_noise(clips: mk.Denoising, noise: Tensor, levels: Tensor) -> Tensor:
    """Return the clips' signals with noise [b, c, n], mixed as at levels [b]."""
    alpha, beta = clips.schedule.weights(levels)
    return alpha[:, None, None].to(noise) * clips.signal + beta[:, None, None].to(noise) * noise


def level_below(levels: Tensor, grid: Tensor) -> Tensor:
    """Return the next of the grid's levels [steps + 1], which rise from 0, below levels [b]."""
    place = torch.searchsorted(grid, levels - NEAR) - 1
    return grid[place.clamp(min=0)]


def solve(clips: mk.Denoising, x: Tensor, now: Tensor, later: Tensor, *, steps: int) -> Tensor:
    """Return x [b, c, n] brought from levels `now` [b] to `later` [b] in so many steps.

    They are even in the level, and of second order after the first: to v comes half of what it
    changed in the step before beyond the turn of a signal that stays, as in a two-step method of
    Adams and Bashforth in the angle, in which nothing is infinite at either end.
    """
    before: Tensor | None = None
    for step in range(steps):
        begin, end = (torch.lerp(now, later, place / steps) for place in (step, step + 1))
        v = clips.velocity(x, begin.to(x)).to(x)
        slope = v if before is None else v + (v - before) / 2
        cos, sin = (weight.to(x) for weight in turn_weights(clips.schedule, begin, end))
        before = cos * v + sin * x
        x = cos * x - sin * slope
    return x


def follow_own_steps(
    clips: mk.Denoising, noise: Tensor, index: Tensor, *, grid: Tensor, ask: AskRows
) -> Tensor:
    """Return where a network's own steps lead from noise [b, c, n]: x [b, c, n].

    Clip by clip from the highest level of the `grid` [steps + 1], which rises from 0, down to that
    of `index[b]`, 1 or more; -1: not at all.
    """
    x = add_noise(clips, noise, grid[-1].expand(len(noise)))
    for step in range(len(grid) - 1, 1, -1):
        rows = [row for row, goal in enumerate(index.tolist()) if 0 < goal < step]
        if rows:
            now, later = (grid[place].expand(len(rows)) for place in (step, step - 1))
            v = ask(rows, x[rows], now.to(x))
            x = x.clone()
            x[rows] = turn(x[rows], v.to(x), clips.schedule, now, later)
    return x
