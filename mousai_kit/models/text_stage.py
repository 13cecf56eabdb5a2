"""Diffusion that follows a text: what stages share that make signals of it.

Legend: b batch, c channels, n frames, d features of a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor, nn

from mousai_kit.core.component import Field, Options, Use, default
from mousai_kit.core.errors import did_you_mean
from mousai_kit.core.interfaces import (
    ChannelLayout,
    Condition,
    Conditioner,
    Denoising,
    ExtrasExtractor,
    GenerationRequest,
    NoiseSource,
    Sampler,
    Schedule,
    SignalSpace,
    Stage,
    TextEmbedding,
    TextEncoder,
    UNet,
    Velocity,
)
from mousai_kit.models.conditioning import Conditioners, ExtraConditioning, pad_context
from mousai_kit.models.editing import EditedSampler
from mousai_kit.models.guidance import Blend, ClassifierFreeGuidance
from mousai_kit.models.loss import velocity_loss


class TextStageOptions(Options):
    """Options of stages that follow a text by diffusion; a subclass has defaults of its own."""

    text: Use[TextEncoder] = default("t5-scratch")
    unet: Use[UNet] = default("unet1d")
    conditioners: dict[str, Use[Conditioner]] = Field(
        {},
        description="what it is told besides the text, each under the name that generation "
        "gives it by; those with a context need a `unet` that takes one",
    )
    schedule: Use[Schedule] = default("cosine")
    sampler: Use[Sampler] = default("ddim")
    text_dropout: float = Field(
        0.1, ge=0, le=1, description="how often training drops the text for the null embedding"
    )
    without_text: Literal["learned", "masked"] = Field(
        "learned",
        description="what it is told in place of a text: a null embedding that it learns, or "
        "tokens that are all masked",
    )
    always_told: list[str] = Field(
        [],
        description="conditioners that guidance does not lead away from: its pass without a text "
        "is told them, too",
    )

    @field_validator("conditioners")
    @classmethod
    def _check_names(cls, conditioners: dict[str, Any]) -> dict[str, Any]:
        Conditioners.check_names(conditioners)
        return conditioners

    @field_validator("always_told")
    @classmethod
    def _check_known(cls, names: list[str], info: ValidationInfo) -> list[str]:
        known = info.data.get("conditioners", names)
        if unknown := [name for name in names if name not in known]:
            hint = did_you_mean(unknown[0], known)
            raise ValueError(f"'{unknown[0]}' is none of the conditioners{hint}")
        return names


class TextStage(Stage):
    """A stage that makes signals of a text: diffusion in a space of which the subclass knows.

    Trained with the text dropped at times, by default for a learned null embedding, and sampled
    with guidance.
    Conditioners tell more than the text does, each left out at times by its own `dropout`, and all
    of them half of the time when the text is: so guidance knows what nothing is.

    A subclass builds the parts with `build_parts`, asks `text_loss` of what the network knows, and
    makes it of a request with `sample`.
    """

    diffused: SignalSpace
    """The space that the network knows."""
    null: nn.Parameter | None
    """The embedding of no text, where one is learned."""

    def build_parts(
        self,
        options: TextStageOptions,
        *,
        diffused: SignalSpace,
        layout: ChannelLayout | None = None,
    ) -> None:
        """Build text encoder, conditioners, network, schedule, sampler and null embedding."""
        self.diffused, self.latent_space = diffused, None
        self.text_dropout = options.text_dropout
        self.text = options.text.build()
        self.text_features = self.text.features
        self.conditioners = Conditioners(
            options.conditioners, space=diffused, text_features=self.text.features
        )
        self.unet = options.unet.build(
            channels=diffused.channels,
            context_channels=self.conditioners.context_channels,
            text_features=self.text.features,
            layout=layout,
        )
        self.schedule = options.schedule.build()
        self.sampler = options.sampler.build(schedule=self.schedule)
        self._sampler_use = options.sampler
        self.always_told = options.always_told
        self.null = None
        if options.without_text == "learned":
            self.null = nn.Parameter(torch.randn(self.text.tokens, self.text.features))

    def download(self) -> None:
        """Let the text encoder fetch its model: a missing one shows before hours of work."""
        self.text.download()

    @property
    def extras_type(self) -> type[Options] | None:
        """Return the conditioners' values by name; None where there are no conditioners."""
        return self.conditioners.extras_type

    @property
    def extras_extractor(self) -> ExtrasExtractor | None:
        """Return what makes the conditioners' data of clips."""
        return self.conditioners.readers

    @property
    def extras_key(self) -> Mapping[str, Any]:
        """Return which conditioners there are."""
        return self.conditioners.key

    def request_extras(self, values: Options, *, samples: int) -> Mapping[str, Tensor]:
        """Return the conditioners' data for values of `extras_type`."""
        readers = self.conditioners.readers
        return {} if readers is None else readers.of_values(values, samples)

    def text_loss(
        self,
        x: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
        extras: Mapping[str, Tensor] | None = None,
        importance: Tensor | None = None,
    ) -> Tensor:
        """Return the loss per clip [b] for x [b, c, n] as the network knows it, texts and extras.

        `importance` [c] says how much each channel counts; None: all alike.
        """
        velocity = self.text_denoising(
            x, prompts, noise=noise, condition=condition, extras=extras
        ).velocity
        return velocity_loss(velocity, x, self.schedule, noise, importance=importance)

    def text_denoising(
        self,
        x: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
        guidance: Tensor | None = None,
        text_shift: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
        importance: Tensor | None = None,
    ) -> Denoising:
        """Return `denoising` of x [b, c, n] as the network knows it; see `Stage.denoising`."""
        if condition == "other":
            prompts = [*prompts[1:], prompts[0]]
        dropped, extras = torch.full((len(prompts),), condition == "none"), extras or {}
        if condition == "training":
            dropped = noise.uniform() < self.text_dropout
            extras = self.conditioners.drop(extras, dropped, noise)
        told = self._hear(extras, len(prompts), x.shape[2])
        text = _shift(self._drop_text(self.text(prompts), dropped), text_shift)
        if guidance is None:
            velocity = self.unet.bind(told.context, told.behind(text))
        else:
            kept = {name: extras[name] for name in self.always_told if name in extras}
            nothing = self._hear(kept, len(prompts), x.shape[2])
            null = self._drop_text(text, torch.ones(len(prompts), dtype=torch.bool))
            velocity = ClassifierFreeGuidance(
                self.unet,
                told.behind(text),
                nothing.behind(null),
                scale=guidance,
                context=told.context,
                null_context=nothing.context,
            )
        return Denoising(x, velocity, self.schedule, importance)

    def replace_sampler(self, sampler: Use[Sampler]) -> None:
        """Generate with another sampler from now on."""
        self.sampler, self._sampler_use = sampler.build(schedule=self.schedule), sampler

    def sample(self, request: GenerationRequest, source: Tensor | None = None) -> Tensor:
        """Make x [b, c, n] as the network knows it, float32, for the request's prompts.

        Guidance leads away from what is made without a text, and without extras but those that are
        `always_told`. `source` is the request's, as the network knows it.
        """
        sampler = EditedSampler(self._sampler_use, self.schedule, request)
        frames = self.diffused.frames(request.samples)
        multiple = 1 if request.controls.loop else self.unet.downsampling
        whole = -(-frames // multiple) * multiple
        velocity = self._velocity(request, frames, whole, sampler.levels())
        noises = request.varied_noise([request.start // self.diffused.stride])
        noise = noises.normal(self.diffused.channels, whole).to(self._device)
        x = sampler.sample(
            request.count_evaluations(velocity), noise, source=source, generator=noises
        )
        return x[..., :frames].float()

    def _velocity(
        self, request: GenerationRequest, frames: int, whole: int, levels: Tensor
    ) -> Velocity:
        """Return the guided velocity of a request, for clips of `frames` padded to `whole`."""
        controls, prompts = request.controls, list(request.prompts)
        samples, rate = request.total or request.samples, self.diffused.sample_rate
        total, first = self.diffused.frames(samples), request.start // self.diffused.stride
        extras = self.conditioners.complete(request.extras, samples=samples, batch=len(prompts))
        if request.start:
            extras = self.conditioners.advance(extras, seconds=request.start / rate)
        if controls.blend is not None:
            prompts += [controls.blend] * len(prompts)
            extras = {name: torch.cat([extra, extra]) for name, extra in extras.items()}
        text = _shift(self.text(prompts), request.text_shift)
        null = self._drop_text(text, torch.ones(len(text), dtype=torch.bool))
        if controls.negative is not None:
            null = self.text([controls.negative] * len(text))
        kept = {name: extras[name] for name in self.always_told if name in extras}
        told, nothing = (
            self._hear(said, len(text), total).cut(first, frames) for said in (extras, kept)
        )
        guided = ClassifierFreeGuidance(
            self.unet,
            told.behind(text),
            nothing.behind(null),
            scale=request.guidance,
            context=pad_context(told.context, whole),
            null_context=pad_context(nothing.context, whole),
            levels=levels,
            controls=controls,
        )
        if controls.blend is None:
            return guided
        return Blend(guided, frames=total, at=controls.blend_at, first=first)

    def _hear(self, extras: Mapping[str, Tensor], batch: int, frames: int) -> ExtraConditioning:
        """Return what the network is told of extras [b, ...] of signals of so many frames."""
        return cast(
            "ExtraConditioning",
            self.conditioners(extras, batch=batch, frames=frames, device=self._device),
        )

    @property
    def _device(self) -> torch.device:
        return next(self.unet.parameters()).device

    def _drop_text(self, text: TextEmbedding, dropped: Tensor) -> TextEmbedding:
        """Return the text with the null embedding, or nothing, in place of dropped items [b]."""
        where = dropped.to(text.mask.device)[:, None]
        if self.null is None:
            return TextEmbedding(text.embedding, text.mask & ~where)
        null = self.null.to(text.embedding.dtype)
        return TextEmbedding(torch.where(where[..., None], null, text.embedding), text.mask | where)


def _shift(text: TextEmbedding, shift: Tensor | None) -> TextEmbedding:
    """Return a text with a shift [b or fewer, d], repeated, added to each of its tokens."""
    if shift is None:
        return text
    rows = shift.repeat(len(text) // len(shift), 1)[:, None]
    return TextEmbedding(text.embedding + rows.to(text.embedding), text.mask)
