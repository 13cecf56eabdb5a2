"""The upper stage: latent diffusion that follows a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.loss import velocity_loss

PAPERS_UNET: dict[str, object] = {
    "use": "unet1d",
    "transform": None,
    "channels": [128, 256, 512, 512, 1024, 1024],
    "factors": [1, 2, 2, 2, 2, 2],
    "blocks": [2, 2, 2, 4, 8, 8],
    "attentions": [0, 0, 1, 1, 1, 1],
    "cross_attentions": [1, 1, 1, 1, 1, 1],
    "context_injections": [],
}
"""The paper's generator: with its null embedding 562.6 M parameters."""


class TextToLatent(mk.Stage):
    """Latent diffusion: the latents of the stage below, given a text (section 3.3 of the paper).

    Trained with the text dropped at times, by default for a learned null embedding, and sampled
    with guidance.
    `conditioners` tell more than the text does, each left out at times by its own `dropout`, and
    all of them half of the time when the text is: so guidance knows what nothing is.
    Latents are normalised by their mean per channel and their deviation, of each channel or of all
    together (as in latent diffusion: Rombach et al., 2022), measured before training and kept with
    the weights.
    """

    name = "text-to-latent"
    controls = (
        *("negative", "guidance_rescale", "guidance_interval", "guidance_schedule"),
        *("blend", "blend_at", "variation", "spread"),
        *mk.EDITING,
    )

    class Options(mk.Options):
        """Options of `stage: text-to-latent`."""

        former_names: ClassVar[Mapping[str, str]] = {"drop": "text_dropout"}

        text: mk.Use[mk.TextEncoder] = mk.default("t5")
        unet: mk.Use[mk.UNet] = mk.default(PAPERS_UNET)
        conditioners: dict[str, mk.Use[mk.Conditioner]] = mk.Field(
            {},
            description="what it is told besides the text, each under the name that generation "
            "gives it by; those with a context need a `unet` that takes one",
        )
        schedule: mk.Use[mk.Schedule] = mk.default("cosine")
        sampler: mk.Use[mk.Sampler] = mk.default("ddim")
        text_dropout: float = mk.Field(
            0.1, ge=0, le=1, description="how often training drops the text for the null embedding"
        )
        without_text: Literal["learned", "masked"] = mk.Field(
            "learned",
            description="what it is told in place of a text: a null embedding that it learns, or "
            "tokens that are all masked",
        )
        always_told: list[str] = mk.Field(
            [],
            description="conditioners that guidance does not lead away from: its pass without a "
            "text is told them, too",
        )
        normalise: Literal["channel", "all"] = mk.Field(
            "channel",
            description="what latents are divided by: each channel by its deviation, or all by "
            "one, so that channels which deviate more count more and are settled first",
        )

        @field_validator("conditioners")
        @classmethod
        def _check_names(cls, conditioners: dict[str, Any]) -> dict[str, Any]:
            mk.Conditioners.check_names(conditioners)
            return conditioners

        @field_validator("always_told")
        @classmethod
        def _check_known(cls, names: list[str], info: ValidationInfo) -> list[str]:
            known = info.data.get("conditioners", names)
            if unknown := [name for name in names if name not in known]:
                hint = mk.did_you_mean(unknown[0], known)
                raise ValueError(f"'{unknown[0]}' is none of the conditioners{hint}")
            return names

    mean: Tensor
    deviation: Tensor
    null: nn.Parameter | None

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.input_space, self.latent_space = input_space, None
        self.text_dropout, self.normalise = options.text_dropout, options.normalise
        self.text = options.text.build()
        self.conditioners = mk.Conditioners(
            options.conditioners, space=input_space, text_features=self.text.features
        )
        self.unet = options.unet.build(
            channels=input_space.channels,
            context_channels=self.conditioners.context_channels,
            text_features=self.text.features,
        )
        self.schedule = options.schedule.build()
        self.sampler = options.sampler.build(schedule=self.schedule)
        self._sampler_use = options.sampler
        self.always_told = options.always_told
        self.null = None
        if options.without_text == "learned":
            self.null = nn.Parameter(torch.randn(self.text.tokens, self.text.features))
        self.register_buffer("mean", torch.zeros(input_space.channels, 1))
        self.register_buffer("deviation", torch.ones(input_space.channels, 1))

    def download(self) -> None:
        """Let the text encoder fetch its model: a missing one shows before hours of work."""
        self.text.download()

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Measure the latents' mean and deviation; let the text encoder learn its vocabulary."""
        self.text.fit_statistics(captions)
        frames = torch.cat([signal.transpose(1, 2).flatten(0, 1) for signal in signals]).double()
        self.mean.copy_(frames.mean(0)[:, None])
        deviation = frames.std(0, correction=0)[:, None]
        if self.normalise == "all":
            deviation = deviation.square().mean().sqrt().expand_as(deviation)
        self.deviation.copy_(deviation.clamp(min=1e-4))

    @property
    def extras_type(self) -> type[mk.Options] | None:
        """Return the conditioners' values by name; None where there are no conditioners."""
        return self.conditioners.extras_type

    @property
    def extras_extractor(self) -> mk.ExtrasExtractor | None:
        """Return what makes the conditioners' data of clips."""
        return self.conditioners.readers

    @property
    def extras_key(self) -> Mapping[str, Any]:
        """Return which conditioners there are."""
        return self.conditioners.key

    def request_extras(self, values: mk.Options, *, samples: int) -> Mapping[str, Tensor]:
        """Return the conditioners' data for values of `extras_type`."""
        readers = self.conditioners.readers
        return {} if readers is None else readers.of_values(values, samples)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
        extras: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss per clip [b] for latents [b, c, frames], their texts and extras."""
        if condition == "other":
            prompts = [*prompts[1:], prompts[0]]
        dropped, extras = torch.full((len(prompts),), condition == "none"), extras or {}
        if condition == "training":
            dropped = noise.uniform() < self.text_dropout
            extras = self.conditioners.drop(extras, dropped, noise)
        told = self._hear(extras, len(prompts), signal.shape[2])
        text = told.behind(self._drop_text(self.text(prompts), dropped))
        velocity = self.unet.bind(told.context, text)
        return velocity_loss(velocity, self._normalise(signal), self.schedule, noise)

    def encode(self, signal: Tensor) -> Tensor:
        """Refuse: above this stage there is only text."""
        raise mk.RequestError("text-to-latent makes latents from text and encodes nothing")

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make latents [b, c, frames] for the request's prompts; `latents` goes unused.

        Guidance leads away from what is made without a text, and without extras but those that are
        `always_told`.
        """
        sampler = mk.EditedSampler(self._sampler_use, self.schedule, request)
        frames = self.input_space.frames(request.samples)
        multiple = 1 if request.controls.loop else self.unet.downsampling
        whole = -(-frames // multiple) * multiple
        velocity = self._velocity(request, frames, whole, sampler.levels())
        source = request.varied_noise()
        noise = source.normal(self.input_space.channels, whole).to(self.mean)
        known = None if request.source is None else self._normalise(request.source)
        x = sampler.sample(
            request.count_evaluations(velocity), noise, source=known, generator=source
        )
        return x[..., :frames].float() * self.deviation + self.mean

    def _velocity(
        self, request: mk.GenerationRequest, frames: int, whole: int, levels: Tensor
    ) -> mk.Velocity:
        """Return the guided velocity of a request, for clips of `frames` padded to `whole`."""
        controls, prompts = request.controls, list(request.prompts)
        extras = self.conditioners.complete(
            request.extras, samples=request.samples, batch=len(prompts)
        )
        if controls.blend is not None:
            prompts += [controls.blend] * len(prompts)
            extras = {name: torch.cat([extra, extra]) for name, extra in extras.items()}
        text = self.text(prompts)
        null = self._drop_text(text, torch.ones(len(text), dtype=torch.bool))
        if controls.negative is not None:
            null = self.text([controls.negative] * len(text))
        kept = {name: extras[name] for name in self.always_told if name in extras}
        told, nothing = (self._hear(said, len(text), frames) for said in (extras, kept))
        guided = mk.ClassifierFreeGuidance(
            self.unet,
            told.behind(text),
            nothing.behind(null),
            scale=request.guidance,
            context=mk.pad_context(told.context, whole),
            null_context=mk.pad_context(nothing.context, whole),
            levels=levels,
            controls=controls,
        )
        if controls.blend is None:
            return guided
        return mk.Blend(guided, frames=frames, at=controls.blend_at)

    def _hear(self, extras: Mapping[str, Tensor], batch: int, frames: int) -> mk.ExtraConditioning:
        """Return what the network is told of extras [b, ...] of signals of so many frames."""
        device = self.mean.device
        return cast(
            "mk.ExtraConditioning",
            self.conditioners(extras, batch=batch, frames=frames, device=device),
        )

    def _normalise(self, signal: Tensor) -> Tensor:
        """Return latents [b, c, frames] as the network knows them."""
        return (signal - self.mean) / self.deviation

    def _drop_text(self, text: mk.TextEmbedding, dropped: Tensor) -> mk.TextEmbedding:
        """Return the text with the null embedding, or nothing, in place of dropped items [b]."""
        where = dropped.to(text.mask.device)[:, None]
        if self.null is None:
            return mk.TextEmbedding(text.embedding, text.mask & ~where)
        null = self.null.to(text.embedding.dtype)
        return mk.TextEmbedding(
            torch.where(where[..., None], null, text.embedding), text.mask | where
        )
