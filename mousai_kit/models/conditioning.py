"""Conditioning besides text: the conditioners of a stage as one, and what data they are told.

Legend: b batch, c channels, n tokens, t frames, d features of a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from pydantic import create_model
from torch import Tensor, nn

from mousai_kit.core.component import Options, Use
from mousai_kit.core.errors import Argument, MousaiError, Problem, RequestError, format_value
from mousai_kit.core.interfaces import (
    Clip,
    Conditioner,
    NoiseSource,
    SignalSpace,
    Stage,
    TextEmbedding,
)

CONDITION = "condition"
"""What an argument with a condition is called: `condition=melody`."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
"""What a conditioner may be called in a recipe."""
WITHOUT_TEXT = 0.5
"""How often training tells nothing at all where it drops the text."""
PROBED_HZ = 220.0
"""The tone on which the shapes of extras are found."""


def loss_keywords(stage: Stage, extras: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return how `loss` is told extras: not at all where a stage takes none."""
    return {} if stage.extras_extractor is None else {"extras": extras}


def blank_extras(stage: Stage, *, samples: int, batch: int, device: str) -> dict[str, Tensor]:
    """Return zeros of the shapes that a stage's extras have for clips of so many samples.

    Those that a tone does not tell are left out.
    """
    if (extractor := stage.extras_extractor) is None:
        return {}
    space = stage.input_space
    seconds = torch.arange(samples, dtype=torch.float32) / space.sample_rate
    tone = 0.5 * torch.sin(2 * torch.pi * PROBED_HZ * seconds)
    channels = space.channels if space.stride == 1 else 1
    length = samples / space.sample_rate
    clip = Clip(tone.expand(channels, -1).clone(), "", start=0.0, track_seconds=length)
    found = extractor(clip)
    return {name: torch.zeros(batch, *data.shape, device=device) for name, data in found.items()}


@dataclass(frozen=True)
class ConditionerReaders:
    """Conditioners that make data, apart from those that learn: light, on the CPU, picklable."""

    parts: Mapping[str, Conditioner]

    def __call__(self, clip: Clip) -> dict[str, Tensor]:
        """Return the data of those that a clip tells."""
        found = {name: part.from_clip(clip) for name, part in self.parts.items()}
        return {name: data for name, data in found.items() if data is not None}

    def of_values(self, values: Options, samples: int) -> dict[str, Tensor]:
        """Return the data of those values, options by name, that are no null."""
        given = {name: getattr(values, name) for name in self.parts}
        return {
            name: self._of_value(name, value, samples)
            for name, value in given.items()
            if value is not None
        }

    def _of_value(self, name: str, value: Options, samples: int) -> Tensor:
        """Return the data of a value; what is wrong with it is told with the condition's name."""
        try:
            return self.parts[name].from_value(value, samples=samples)
        except MousaiError as error:
            about = Argument(CONDITION, name)
            told = (Problem(about, "", str(problem)) for problem in error.problems)
            raise RequestError(*told) from None


@dataclass(frozen=True, slots=True)
class ExtraConditioning:
    """What a network is told besides the text's tokens; None where there is none of it."""

    tokens: TextEmbedding | None
    """Tokens [b, n, d] that come behind the text's."""
    context: Tensor | None
    """[b, context_channels, t]."""

    def behind(self, text: TextEmbedding) -> TextEmbedding:
        """Return a text with the tokens behind its own."""
        if self.tokens is None:
            return text
        embedding = self.tokens.embedding.to(text.embedding.dtype)
        return TextEmbedding(
            torch.cat([text.embedding, embedding], 1), torch.cat([text.mask, self.tokens.mask], 1)
        )

    def cut(self, first: int, frames: int) -> ExtraConditioning:
        """Return the same of a window of so many frames, from frame `first` on."""
        context = None if self.context is None else self.context[..., first : first + frames]
        return ExtraConditioning(self.tokens, context)


class Conditioners(nn.Module):
    """The conditioners of a stage by name, each with what stands for its being left out.

    Tokens of one that is left out are masked. Its context is a null that is learned, and a further
    channel says whether it is told. Without any there are no parameters and nothing is drawn.
    """

    def __init__(
        self, choices: Mapping[str, Use[Conditioner]], *, space: SignalSpace, text_features: int
    ) -> None:
        super().__init__()
        self._choices, self._build = dict(choices), {"space": space, "text_features": text_features}
        parts = {name: use.build(**self._build) for name, use in choices.items()}
        for name, part in parts.items():
            _check_form(name, part)
        self.parts = nn.ModuleDict(parts)
        self.nulls = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(part.context_channels, 1))
                for name, part in parts.items()
                if part.context_channels
            }
        )
        self._readers: ConditionerReaders | None = None

    def __len__(self) -> int:
        return len(self._choices)

    @staticmethod
    def check_names(names: Iterable[str]) -> None:
        """Raise ValueError where a name is none that options and modules can have."""
        for name in names:
            if not NAME.fullmatch(name):
                told = "must be named with lower-case letters, digits and '_'"
                raise ValueError(f"{told} (got {format_value(name)})")
            if any(hasattr(kind, name) for kind in (Options, nn.ModuleDict, nn.ParameterDict)):
                raise ValueError(f"'{name}' can't be a name here; choose another")

    @property
    def tokens(self) -> int:
        """Return how many tokens come behind the text's."""
        return sum(part.tokens for _, part in self._items())

    @property
    def context_channels(self) -> int:
        """Return the channels of the context; 0 where there is none."""
        contexts = (part.context_channels for _, part in self._items())
        return sum(channels + 1 for channels in contexts if channels)

    @property
    def extras_type(self) -> type[Options] | None:
        """Return what generation may be given: each conditioner's `Value`, or null, by name."""
        if not self._choices:
            return None
        fields: dict[str, Any] = {
            name: (use.component.Value | None, None) for name, use in self._choices.items()
        }
        made: type[Options] = create_model("Conditions", __base__=Options, **fields)
        return made

    @property
    def readers(self) -> ConditionerReaders | None:
        """Return what makes data, None without conditioners; built anew, as data is not learned."""
        if self._readers is None and self._choices:
            with torch.random.fork_rng(devices=[]), torch.device("cpu"):
                parts = {name: use.build(**self._build) for name, use in self._choices.items()}
            self._readers = ConditionerReaders(
                {name: part.eval().requires_grad_(False) for name, part in parts.items()}
            )
        return self._readers

    @property
    def key(self) -> dict[str, Any]:
        """Return the plain values that decide the data of clips."""
        values = {name: use.values() for name, use in self._choices.items()}
        return {
            name: {key: item for key, item in said.items() if key != "dropout"}
            for name, said in values.items()
        }

    def drop(
        self, extras: Mapping[str, Tensor], text_dropped: Tensor, noise: NoiseSource
    ) -> dict[str, Tensor]:
        """Return the data with NaN for items [b] that training leaves out, by each one's dropout.

        Where the text is dropped, half of the time all are. Nothing is drawn without conditioners.
        """
        if not len(self):
            return {}
        bare = text_dropped & (noise.uniform() < WITHOUT_TEXT).to(text_dropped.device)
        left_out = {
            name: bare | (noise.uniform() < part.dropout).to(bare.device)
            for name, part in self._items()
        }
        return {
            name: data.masked_fill(_over(left_out[name].to(data.device), data), torch.nan)
            for name, data in extras.items()
            if name in left_out
        }

    def complete(
        self, extras: Mapping[str, Tensor], *, samples: int, batch: int
    ) -> dict[str, Tensor]:
        """Return a request's data [b, ...], and for what it does not tell what that stands for."""
        made = {name: part.from_nothing(samples=samples) for name, part in self._items()}
        usual = {
            name: data.expand(batch, *data.shape) for name, data in made.items() if data is not None
        }
        return usual | dict(extras)

    def advance(self, extras: Mapping[str, Tensor], *, seconds: float) -> dict[str, Tensor]:
        """Return the data [b, ...] of a clip for what begins so many seconds after its start."""
        parts = dict(self._items())
        return {
            name: parts[name].advance(data, seconds=seconds) if name in parts else data
            for name, data in extras.items()
        }

    def forward(
        self, extras: Mapping[str, Tensor], *, batch: int, frames: int, device: torch.device
    ) -> ExtraConditioning:
        """Return what the network is told of data [b, ...] by name, for signals of so many frames.

        A context has a frame for each of the signal's.
        """
        embeddings, masks, contexts = [], [], []
        for name, part in self._items():
            told, made = self._listen(name, part, extras.get(name), batch, frames, device)
            if part.tokens:
                embeddings.append(made)
                masks.append(told[:, None].expand(-1, part.tokens))
            else:
                null = self.nulls[name].to(made.dtype)
                context = torch.where(told[:, None, None], _resize(made, frames), null)
                presence = told.to(made.dtype)[:, None, None].expand(-1, 1, frames)
                contexts += [context, presence]
        tokens = TextEmbedding(torch.cat(embeddings, 1), torch.cat(masks, 1)) if masks else None
        return ExtraConditioning(tokens, torch.cat(contexts, 1) if contexts else None)

    def _listen(
        self,
        name: str,
        part: Conditioner,
        data: Tensor | None,
        batch: int,
        frames: int,
        device: torch.device,
    ) -> tuple[Tensor, Tensor]:
        """Return which items [b] are told, and what a conditioner makes of them.

        Parameters that no item reaches have a gradient of 0: processes that exchange theirs wait
        for all of them.
        """
        if data is None:
            size = (part.tokens, self._build["text_features"])
            shape = size if part.tokens else (part.context_channels, 1)
            made = torch.zeros(batch, *cast("tuple[int, int]", shape), device=device)
            for parameter in part.parameters():
                made = made + 0 * parameter.flatten()[:1].sum()
            return torch.zeros(batch, dtype=torch.bool, device=device), made
        data = data.to(device)
        told = data.isfinite().flatten(1).all(1)
        return told, part(data.masked_fill(_over(~told, data), 0), frames=frames)

    def _items(self) -> list[tuple[str, Conditioner]]:
        return [(name, cast("Conditioner", part)) for name, part in self.parts.items()]


def pad_context(context: Tensor | None, frames: int) -> Tensor | None:
    """Return a context [b, c, t] with its last frame repeated up to so many frames."""
    if context is None or context.shape[2] >= frames:
        return context
    return F.pad(context, (0, frames - context.shape[2]), mode="replicate")


def _check_form(name: str, part: Conditioner) -> None:
    """Raise where a conditioner has both tokens and a context, or neither."""
    if bool(part.tokens) == bool(part.context_channels):
        raise MousaiError(
            f"conditioners.{name}: '{part.name}' must have tokens or a context, one of them "
            f"(it has {part.tokens} tokens and {part.context_channels} channels)"
        )


def _over(items: Tensor, data: Tensor) -> Tensor:
    """Return [b] as it is spread over data [b, ...]."""
    return items.reshape(-1, *[1] * (data.dim() - 1))


def _resize(context: Tensor, frames: int) -> Tensor:
    """Return a context [b, c, n] as [b, c, frames]: means of frames, or what lies between them."""
    if context.shape[2] == frames:
        return context
    if context.shape[2] > frames:
        return F.adaptive_avg_pool1d(context, frames)
    return F.interpolate(context, frames, mode="linear", align_corners=False)
