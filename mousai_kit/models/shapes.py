"""Shapes: whether a stage's networks answer in the shape that they are asked in, tried blank."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from mousai_kit.core.errors import RecipeError, error_summary
from mousai_kit.core.interfaces import Stage, TextEmbedding, TextEncoder, UNet
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import blank_copy, loss_inputs
from mousai_kit.recipe import Recipe

SIGNS = (
    "The size of tensor",
    "Sizes of tensors must match",
    "Attempting to broadcast",
    "a and b must have same",
    "mat1 and mat2 shapes",
    "shape '[",
)
"""How torch's errors begin that are of shapes, on meta or a CPU."""
SMALL = 2**25
"""Parameters up to which a stage is tried with zeros: for what is on meta torch imports its
compiler, which takes a second."""


def check_shapes(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where the shapes of a training step, at its length, do not fit.

    Weights are zeros, or shapes alone where they are many. Nothing is said of a stage that can't be
    tried so.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little is to be done that two wait for each other
    try:
        found = {
            name: _misfit(stage, recipe.stages[name].train.length)
            for name, stage in cascade.stages.items()
        }
    finally:
        torch.set_num_threads(threads)
    faults = [
        problem
        for name, told in found.items()
        if told
        for problem in recipe.error_at(("stages", name, "model"), told).problems
    ]
    if faults:
        raise RecipeError(*faults)


class _ShapeError(Exception):
    """A network answers in another shape."""


def _misfit(stage: Stage, samples: int) -> str:
    """Return in what shapes do not fit; empty where they do, or where that can't be told."""
    try:
        small = sum(weight.numel() for weight in stage.parameters()) <= SMALL
        device = "cpu" if small else "meta"
        outline = blank_copy(stage, device)
        for module in outline.modules():
            if isinstance(module, UNet):
                module.register_forward_hook(_check_answer, with_kwargs=True)
            elif isinstance(module, TextEncoder):
                vars(module)["forward"] = partial(_blank_text, module, device)
        inputs = loss_inputs(outline, samples, batch=2, device=device)
        with torch.no_grad():
            outline.loss(**inputs)
    except _ShapeError as error:
        return str(error)
    except Exception as error:  # whatever a plug-in can't do without numbers, or without a download
        told = error_summary(error)
        return f"parts do not fit: {told}" if told.startswith(SIGNS) else ""
    return ""


def _blank_text(encoder: TextEncoder, device: str, prompts: Sequence[str]) -> TextEmbedding:
    """Return what an encoder would of prompts, if it had learned words, or were downloaded."""
    size = (len(prompts), encoder.tokens, encoder.features)
    return TextEmbedding.blank(*size, device=torch.device(device))


def _check_answer(module: nn.Module, args: Any, kwargs: Any, answer: Any) -> None:
    """Raise where a network's v is not of x's shape."""
    asked = args[0] if args else kwargs["x"]
    if answer.shape != asked.shape:
        told = f"its v is {list(answer.shape)} where x is {list(asked.shape)}; they must be alike"
        raise _ShapeError(f"{getattr(module, 'name', type(module).__name__)}: {told}")
