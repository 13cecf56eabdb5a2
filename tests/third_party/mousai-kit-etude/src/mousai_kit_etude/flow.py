"""Rectified flow (Liu et al., 2022, arXiv 2209.03003): straight paths from noise to a signal.

Legend: s the normalised signal, n noise, t from 0 (signal) to 1 (noise), y = (1 - t) s + t n the
point on the path, u = n - s its direction, which the network learns; x = alpha s + beta n and
v = alpha n - beta s are the same path as samplers see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import mousai_kit.api as mk
import torch
from torch import Tensor, nn

UNET = {
    "use": "unet1d",
    "transform": None,
    "channels": [256, 256, 384],
    "factors": [1, 2, 2],
    "blocks": [2, 2, 2],
    "attentions": [0, 1, 1],
    "cross_attentions": [1, 1, 1],
    "attention_heads": 4,
    "context_injections": [],
    "head": "gain",
}
"""A network for latents; unet1d's own defaults are a decoder's, which needs a context."""


class RectifiedFlow(mk.Stage):
    """Rectified flow to the signals below, given a text: straight paths (Liu et al., 2022).

    Where the schedule mixes alpha and beta, t = beta / (alpha + beta) and y = x / (alpha + beta)
    lie on the same ray, and v = ((alpha - beta) x + u) / (alpha + beta): so every sampler plays it.
    Levels are trained as in Esser et al. (2024, arXiv 2403.03206): t is logit-normal.
    """

    name = "rectified-flow"

    class Options(mk.Options):
        """Options of `use: rectified-flow`."""

        text: mk.Use[mk.TextEncoder] = mk.default("ngrams")
        unet: mk.Use[mk.UNet] = mk.default(UNET)
        schedule: mk.Use[mk.Schedule] = mk.default("cosine")
        sampler: mk.Use[mk.Sampler] = mk.default("kutta-3")
        drop: float = mk.Field(
            0.1, ge=0, le=1, description="how often training drops the text for the null embedding"
        )
        spread: float = mk.Field(
            1.0, gt=0, le=10, description="deviation of logit(t) in training: less is nearer to 1/2"
        )

    mean: Tensor
    deviation: Tensor

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.input_space, self.latent_space = input_space, None
        self.drop, self.spread = options.drop, options.spread
        self.text = options.text.build()
        self.unet = options.unet.build(
            channels=input_space.channels, context_channels=0, text_features=self.text.features
        )
        self.schedule = options.schedule.build()
        self.sampler = options.sampler.build(schedule=self.schedule)
        self.null = nn.Parameter(torch.zeros(self.text.tokens, self.text.features))
        self.register_buffer("mean", torch.zeros(input_space.channels, 1))
        self.register_buffer("deviation", torch.ones(input_space.channels, 1))

    def download(self) -> None:
        """Let the text encoder fetch what it needs."""
        self.text.download()

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Measure mean and deviation per channel; let the text encoder learn its vocabulary."""
        count, total, squares = 0, torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        for signal in signals:
            count += signal.shape[0] * signal.shape[2]
            total += signal.sum((0, 2))[:, None]
            squares += signal.square().sum((0, 2))[:, None]
        self.mean.copy_(total / count)
        variance = squares / count - self.mean.square()
        self.deviation.copy_(variance.clamp(min=1e-8).sqrt())
        self.text.fit_statistics(captions)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the mean squared error of u per clip [b]."""
        s = (signal - self.mean) / self.deviation
        t = (self.spread * torch.special.ndtri(noise.uniform())).sigmoid().to(s)
        n = noise.like(s)
        dropped = noise.uniform().to(s.device) < self.drop
        text = self._told(prompts, condition, dropped)
        y = torch.lerp(s, n, t[:, None, None])
        u = self.unet(y, t, text=text)
        loss: Tensor = (u.float() - (n - s)).square().mean((1, 2))
        return loss

    def encode(self, signal: Tensor) -> Tensor:
        """Refuse: above this stage there is only text."""
        raise mk.RequestError("rectified-flow makes signals from text; nothing stands above it")

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make signals for the request's prompts."""
        text = self.text(request.prompts)
        flow = mk.ClassifierFreeGuidance(
            self.unet, text, self._nothing(len(text)), scale=request.guidance
        )
        source = request.noise()
        noise = source.normal(self.input_space.channels, self.input_space.frames(request.samples))
        velocity = request.count_evaluations(self.velocity(flow))
        made = self.sampler.sample(velocity, noise.to(self.mean.device), generator=source)
        return made * self.deviation + self.mean

    def velocity(self, flow: mk.Velocity) -> mk.Velocity:
        """Return v(x, sigma) for a flow u(y, t)."""

        def velocity(x: Tensor, sigma: Tensor) -> Tensor:
            alpha, beta = self.schedule.weights(sigma)
            total = (alpha + beta)[:, None, None]
            u = flow(x / total, beta / (alpha + beta))
            return ((alpha - beta)[:, None, None] * x + u) / total

        return velocity

    def _told(
        self, prompts: Sequence[str], condition: mk.Condition, dropped: Tensor
    ) -> mk.TextEmbedding:
        """Return what the network hears of the prompts [b] under a condition."""
        if condition == "none":
            return self._nothing(len(prompts))
        if condition == "other":
            prompts = [*prompts[1:], prompts[0]]
        text: mk.TextEmbedding = self.text(prompts)
        if condition != "training":
            return text
        null = self._nothing(len(prompts))
        embedding = torch.where(dropped[:, None, None], null.embedding, text.embedding)
        return mk.TextEmbedding(embedding, text.mask | dropped[:, None])

    def _nothing(self, count: int) -> mk.TextEmbedding:
        """Return the learned embedding that stands for no text."""
        embedding = self.null.expand(count, -1, -1)
        return mk.TextEmbedding(
            embedding, embedding.new_ones(embedding.shape[:2], dtype=torch.bool)
        )
