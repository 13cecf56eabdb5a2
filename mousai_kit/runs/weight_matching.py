"""From another project's tensors to a stage's, and back, by the names of a weight format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mousai_kit.core.errors import Problem, WeightsError, some
from mousai_kit.core.interfaces import TensorNames
from mousai_kit.runs.checkpoint import is_extra_state

SAMPLED = 16
"""Names that are tried when the beginning of all names is looked for."""
ROUNDING = 5e-3
"""How far a constant may be off: bfloat16 rounds numbers up to 1 by half of that."""
SHOWN = 3
"""Tensors of one fault that are told by name."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The names that fit a file best, and how all of them begin there."""

    names: TensorNames
    prefix: str
    fitting: int

    @classmethod
    def best(cls, layouts: Sequence[TensorNames], found: Collection[str]) -> NameMatch:
        """Return the layout and the prefix under which most names are found.

        Among equals the averaged weights (`ema`) come first, then the shortest prefix.
        """
        matches = [
            cls(names, prefix, sum(prefix + pair.theirs in found for pair in names.pairs))
            for names in layouts
            for prefix in _prefixes(names, found)
        ]
        return max(
            matches, key=lambda match: (match.fitting, "ema" in match.prefix, -len(match.prefix))
        )

    def to_ours(
        self, found: Mapping[str, Tensor], state: Mapping[str, Tensor], *, origin: str
    ) -> dict[str, Tensor]:
        """Return a stage's tensors, of its types; WeightsError tells all that does not fit.

        `state` has the types and shapes of all tensors of the stage. What a part keeps besides (a
        vocabulary, say) may have any shape.
        """
        inside = {
            name.removeprefix(self.prefix): tensor
            for name, tensor in found.items()
            if name.startswith(self.prefix)
        }
        if faults := list(self._faults(inside, state)):
            raise WeightsError(*(Problem(origin, "", fault) for fault in faults))
        taken = {
            pair.ours: _convert(inside[pair.theirs], state[pair.ours], name=pair.ours)
            for pair in self.names.pairs
            if pair.theirs in inside
        }
        return {**self.names.defaults, **taken}

    def outside(self, found: Collection[str]) -> int:
        """Return how many tensors of a file belong to something else."""
        return sum(not name.startswith(self.prefix) for name in found)

    def _faults(self, inside: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Iterator[str]:
        """Yield a line for each way in which tensors do not fit."""
        have = {pair.ours for pair in self.names.pairs if pair.theirs in inside}
        first = {pair.ours: pair.theirs for pair in reversed(self.names.pairs)}
        missing = [name for ours, name in first.items() if ours not in have]
        known = {pair.theirs for pair in self.names.pairs} | self.names.constants.keys()
        left = [
            item
            for item in inside
            if item not in known and not item.startswith(self.names.foreign or ())
        ]
        faults = {
            "lacks": reversed(missing),
            "has left over": left,
            "has another shape for": self._differing_shapes(inside, state),
            "has different copies of": self._unlike(inside),
            "has numbers that are not finite in": self._infinite(inside),
            "has other constants in": self._inconstant(inside),
        }
        for fault, tensors in faults.items():
            if names := [f"{self.prefix}{name}" for name in tensors]:
                yield f"{fault} {some(names, SHOWN)}"

    def _differing_shapes(
        self, inside: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> Iterator[str]:
        for pair in self.names.pairs:
            wanted = (*state[pair.ours].shape, *([1] if pair.conv1x1 else []))
            if pair.theirs not in inside or is_extra_state(pair.ours):
                continue
            if (got := tuple(inside[pair.theirs].shape)) != wanted:
                yield f"{pair.theirs} ({_shape(got)} for {_shape(wanted)})"

    def _unlike(self, inside: Mapping[str, Tensor]) -> Iterator[str]:
        """Yield tensors that stand for the same one of ours as an earlier one, and differ."""
        earlier: dict[str, Tensor] = {}
        for pair in self.names.pairs:
            if pair.theirs in inside:
                tensor = inside[pair.theirs]
                first = earlier.setdefault(pair.ours, tensor)
                if first is not tensor and not torch.equal(first, tensor):
                    yield pair.theirs

    def _infinite(self, inside: Mapping[str, Tensor]) -> Iterator[str]:
        shown = {pair.ours: pair.theirs for pair in self.names.pairs if pair.theirs in inside}
        return (name for name in shown.values() if not inside[name].isfinite().all())

    def _inconstant(self, inside: Mapping[str, Tensor]) -> Iterator[str]:
        for name, value in self.names.constants.items():
            if name in inside:
                other = inside[name].float()
                if other.shape != value.shape or not torch.allclose(other, value, atol=ROUNDING):
                    yield name


def to_theirs(names: TensorNames, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return all of their tensors for a stage's, repeated where theirs are."""
    made = dict(names.constants)
    for pair in names.pairs:
        tensor = tensors[pair.ours]
        made[pair.theirs] = tensor[..., None] if pair.conv1x1 else tensor
    return made


def _convert(theirs: Tensor, ours: Tensor, *, name: str) -> Tensor:
    """Return their tensor in the type and shape of ours."""
    shape = theirs.shape if is_extra_state(name) else ours.shape
    return theirs.to(ours.dtype).reshape(shape).contiguous()


def _prefixes(names: TensorNames, found: Collection[str]) -> list[str]:
    """Return how names in a file may begin, before the names that are known."""
    sample = [pair.theirs for pair in names.pairs[:: max(1, len(names.pairs) // SAMPLED)]]
    before = (
        name.removesuffix(known) for known in sample for name in found if name.endswith(known)
    )
    return list(dict.fromkeys(["", *before]))


def _shape(sizes: Iterable[int]) -> str:
    return "x".join(map(str, sizes)) or "a number"
