"""The published Riffusion: Stable Diffusion that paints mel pictures, played by Griffin-Lim.

Legend: b batch, c channels of audio, t samples, m mel bands, n frames, d features of a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

import mousai_kit.api as mk
from mousai_kit_riffusion.image import LOUDEST, from_image, to_image
from mousai_kit_riffusion.mel_picture import MelPicture
from mousai_kit_riffusion.pipeline import PicturePipeline

GRID = 8
"""Frames of a picture to a column of Stable Diffusion's latents: where windows may begin."""
LEAST_PIECE = 4
"""Pieces are played that last so many times as long as what they hear of their neighbours."""


class Riffusion(mk.Stage):
    """Riffusion as published: a Stable Diffusion pipeline of diffusers, frozen, text to audio.

    It paints mel pictures of 5.12 s (Forsgren & Martiros, 2022). What is longer is several of them,
    the noise of each that of its place, which are faded into each other before phases are sought
    for all. With `blend` each picture is of a text between the two, as far along as it is in the
    clip. Nothing is learned, and the pipeline is no part of the weights.
    """

    name = "riffusion"
    controls = ("negative", "blend", "blend_at", "variation", "spread")

    class Options(mk.CheckpointOptions):
        """Options of `stage: riffusion`; the defaults are the published parameters."""

        model: mk.PathOrName = mk.Field(
            min_length=1,
            description="a folder of a Stable Diffusion pipeline as diffusers saves it, with "
            "safetensors, or its id on the Hugging Face hub",
        )
        steps: int = mk.Field(50, ge=1, description="steps of the pipeline's scheduler")
        frames: int = mk.Field(512, ge=8, description="width of a picture in pixels, a frame each")
        picture: MelPicture.Options = mk.Field(
            MelPicture.Options.model_validate({}),
            description="options of `mel-picture` by which pictures are played; its `bands` are "
            "their height in pixels",
        )

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        if input_space.stride != 1:
            raise mk.PluginError(f"{self.name} makes audio: it must be the only stage")
        if input_space.channels > 2:
            raise mk.RequestError(
                f"{self.name}: paints mono or stereo (got {input_space.channels} channels)"
            )
        self.input_space, self.latent_space = input_space, None
        self.steps, self.frames = options.steps, options.frames
        self.power, self.bands = options.picture.power, options.picture.bands
        self.domain = MelPicture(
            options.picture,
            audio_channels=input_space.channels,
            sample_rate=input_space.sample_rate,
        )
        self.pipeline = PicturePipeline(options.model, options.revision)
        self.loudest = nn.Parameter(torch.tensor(LOUDEST), requires_grad=False)
        """The magnitude of black."""

    def download(self) -> None:
        """Fetch and load the pipeline: a missing one shows at once."""
        self.pipeline.latent_shape(self.bands, self.frames)

    @property
    def nfe(self) -> int:
        """Return about how many evaluations of its network a picture takes."""
        return self.steps

    def windows(self, request: mk.GenerationRequest) -> int:
        """Return how many pictures are painted for each clip."""
        return len(self._windows(request.samples))

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the pipeline's own loss per clip [b] for audio [b, c, t]: of its first picture.

        Nothing learns from it: it tells how well the pipeline knows the music, and hears the text.
        """
        if signal.is_meta:
            return signal.new_zeros(len(signal))
        if condition == "other":
            prompts = [*prompts[1:], prompts[0]]
        elif condition == "none":
            prompts = [""] * len(prompts)
        length, device = self.frames * self.domain.stride, self.loudest.device
        first = signal[..., :length]
        wave = pad(first, (0, length - first.shape[-1]))
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            image = to_image(self.domain.spectrum.magnitudes(wave), power=self.power)
            text = self.pipeline.embed(prompts, device)
            return self.pipeline.loss(image, text, noise)

    def encode(self, signal: Tensor) -> Tensor:
        """Refuse: above this stage there is only text."""
        raise mk.RequestError("riffusion makes audio from text and encodes nothing")

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make audio [b, c, request.samples] for the request's prompts; `latents` goes unused."""
        return torch.cat([*self.stream(latents, request)], -1)

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece; all pictures are painted before."""
        windows = self._windows(request.samples)
        frames = [mk.scale_range(window, GRID) for window in windows]
        x = torch.cat([*mk.overlap_add(frames, self._paint(request, windows))], -1)
        least = max(self.frames, LEAST_PIECE * self.domain.context_frames)
        yield from self.domain.stream(x.split(least, -1), request.samples)

    def _windows(self, samples: int) -> list[range]:
        """Return the windows that are painted, in units of `GRID` frames."""
        frames = -(-samples // self.domain.stride)
        return mk.overlapping_windows(-(-frames // GRID), self.frames // GRID)

    def _paint(self, request: mk.GenerationRequest, windows: Sequence[range]) -> Iterator[Tensor]:
        """Yield what each window's picture shows [b, c * m, n], of some in one batch."""
        device, clips = self.loudest.device, len(request.seeds)
        channels, height, width = self.pipeline.latent_shape(self.bands, self.frames)
        null = self.pipeline.embed([request.controls.negative or ""] * clips, device)
        texts = self._texts(request, len(windows))
        for first in range(0, len(windows), request.together):
            group = windows[first : first + request.together]
            starts = [window.start * GRID * width // self.frames for window in group]
            image = self.pipeline.paint(
                request.varied_noise(starts).normal(channels, height, width).to(device),
                torch.cat(texts[first : first + request.together]),
                null.repeat(len(group), 1, 1),
                guidance=request.guidance,
                steps=self.steps,
                seeds=[seed + start for start in starts for seed in request.seeds],
                tick=request.tick,
            )
            magnitudes = from_image(
                image,
                channels=self.input_space.channels,
                power=self.power,
                loudest=float(self.loudest),
            )
            x = (magnitudes**self.power).flatten(1, 2)
            for window, shown in zip(group, x.chunk(len(group)), strict=True):
                yield shown[..., : len(window) * GRID]

    def _texts(self, request: mk.GenerationRequest, count: int) -> list[Tensor]:
        """Return the texts' embeddings [b, n, d] for each of `count` pictures."""
        controls, device = request.controls, self.loudest.device
        text = self.pipeline.embed(request.prompts, device)
        if controls.blend is None:
            return [text] * count
        other = self.pipeline.embed([controls.blend] * len(text), device)
        if controls.blend_at is not None:
            return [text.lerp(other, controls.blend_at)] * count
        places = [0.5] if count == 1 else [number / (count - 1) for number in range(count)]
        return [text.lerp(other, place) for place in places]
