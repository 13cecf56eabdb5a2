"""Stage: one rung of the cascade, with its objective and its way back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from mousai_kit.core.component import Component, Options, Use
from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces.controls import Controls
from mousai_kit.core.interfaces.dataset import Clip
from mousai_kit.core.interfaces.noise import NoiseSource, PositionalNoise, VariedNoise
from mousai_kit.core.interfaces.sampler import Sampler
from mousai_kit.core.interfaces.schedule import Schedule
from mousai_kit.core.interfaces.signal_space import SignalSpace
from mousai_kit.core.interfaces.signal_stream import SignalStream
from mousai_kit.core.interfaces.unet import JumpVelocity, UNet, Velocity
from mousai_kit.core.seeds import derive_seed

Condition = Literal["training", "right", "other", "none"]
"""What a loss tells the network: see `Stage.loss`."""
ExtrasExtractor = Callable[[Clip], Mapping[str, Tensor]]
"""Makes of a clip of audio what a stage is told of it besides text, by name; what the clip does not
tell is left out, or NaN."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What is to be made: b clips of one length."""

    prompts: Sequence[str]
    """b texts."""
    seeds: Sequence[int]
    """b seeds: a clip depends on its own alone."""
    samples: int
    """Length in samples of audio."""
    guidance: float = 1.0
    """Scale of classifier-free guidance: 1 follows the prompt as learned, more insists on it."""
    controls: Controls = field(default_factory=Controls)
    """What is asked beside, of all clips alike."""
    variations: Sequence[int] = ()
    """b numbers in place of `controls.variation`; empty: that of all."""
    source: Tensor | None = None
    """For the top stage: a signal [1 or b, input_space.channels, frames] to begin from."""
    strength: float = 1.0
    """How much noise it begins with: 0 gives the source, 1 makes a signal that has none of it."""
    keep: Tensor | None = None
    """Those of the source's frames, true in [frames], that stay as they are, exactly."""
    start: int = 0
    """Samples of the clip before what is made: more than 0 in later windows of a long clip."""
    total: int | None = None
    """Samples of the clip that a window is of; None: what is made is all of it."""
    window: int | None = None
    """Samples of audio that are made at a time, or about so many; None is all."""
    first_window: int | None = None
    """Samples that are made first, windows growing from there, so that sound begins soon; None:
    windows are of one length."""
    together: int = 1
    """Windows that are made in one batch, at most. It changes no result."""
    progress: Callable[[], None] | None = None
    """Called after each evaluation of a network."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """What stages are told besides the prompts, by name: [b, ...] each, NaN for a clip without."""
    text_shift: Tensor | None = None
    """What is added to each token of the texts, [b, text features]: see `Stage.denoising`."""

    def tick(self) -> None:
        """Report an evaluation, or whatever a stage counts as one, to `progress`."""
        if self.progress is not None:
            self.progress()

    def count_evaluations(self, velocity: Velocity) -> Velocity:
        """Return a velocity that reports each of its evaluations to `progress`."""
        if (report := self.progress) is None:
            return velocity

        inner = JumpVelocity.of(velocity)

        def counting(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
            result = inner(x, sigma, target)
            report()
            return result

        return JumpVelocity(counting, jumps=inner.jumps)

    def noise(self, starts: Sequence[int] = (0,)) -> PositionalNoise:
        """Return a fresh source of noise for signals that begin at each of `starts`, in frames.

        It has an item for every clip from the first start on, then for every clip from the next.
        """
        return PositionalNoise([(seed, start) for start in starts for seed in self.seeds])

    def varied_noise(self, starts: Sequence[int] = (0,)) -> NoiseSource:
        """Return `noise(starts)` of the variations: so far from the seeds' own as their spread."""
        numbers = self.variations or [self.controls.variation] * len(self.seeds)
        if not any(numbers):
            return self.noise(starts)
        pairs = [*zip(self.seeds, numbers, strict=True)]
        others = [
            (derive_seed(seed, "variation", number), start)
            for start in starts
            for seed, number in pairs
        ]
        spreads = [self.controls.spread if number else 0.0 for number in numbers]
        return VariedNoise(self.noise(starts), PositionalNoise(others), spreads * len(starts))


@dataclass(frozen=True, slots=True)
class Denoising:
    """Clips as a stage's network knows them, and the network bound to what it is told of them."""

    signal: Tensor
    """The clean signals [b, c, n], of the space that is diffused; they carry no gradient."""
    velocity: Velocity
    """The network's velocity for noised ones."""
    schedule: Schedule
    """How signal and noise are mixed."""
    importance: Tensor | None = None
    """How much each channel counts in a loss [c], 1 on average; None: all alike."""


class Stage(Component, nn.Module):
    """Learns to make the signals of the space below it from those of its own space, or from text.

    Built with `input_space`, the one whose signals it learns: audio for the lowest stage, else the
    space of the stage below.
    """

    kind: ClassVar[str] = "stage"
    build_kwargs: ClassVar[tuple[str, ...]] = ("input_space",)
    controls: Collection[str] = ()
    """Those of a request's `controls`, by name, that `decode` heeds; the others are refused."""

    input_space: SignalSpace
    latent_space: SignalSpace | None
    """The space of `encode`'s result; None for a stage that makes signals from text alone."""
    starts_from: ClassVar[str | None] = None
    """The option of the stage inside whose weights, given alone, are enough to start from."""
    text_features: int = 0
    """Features of a token of the texts that its network reads; 0: it reads none."""
    highest_level: float = 1.0
    """The noise level at which its sampling begins, above which its network need not know."""
    needs_average: ClassVar[bool] = False
    """Whether `loss` asks `with_average`, so that a training that can't give it is refused."""
    _average: Callable[[], Mapping[str, Tensor]] | None = None

    def __init__(self, options: Options, *, input_space: SignalSpace) -> None:
        super().__init__()

    @abstractmethod
    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
    ) -> Tensor:
        """Return the training loss per clip [b] for signals [b, input_space.channels, t].

        All that is random (level, noise, dropped text) comes from `noise`. `condition` says what
        the network is told (a text or a latent): as in `training` (text dropped at times), the
        `right` one, the `other` one (the next clip's in the batch, the first one's for the last)
        or `none`. A network that listens does worse with another clip's. t may be any length. No
        clip influences another, and neither the signals nor the stage are changed.

        A stage with an `extras_extractor` takes a further keyword, `extras`: [b, ...] by name, on
        any device, are what the clips tell besides. An item that is NaN, and a name that is
        missing, tell nothing. In `training` they are dropped at times, else told as they are:
        `condition` is about the text.
        """

    def denoising(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
        guidance: Tensor | None = None,
        text_shift: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
    ) -> Denoising:
        """Return what `loss` denoises, and with what: the interface of distillation.

        Signals, prompts, `noise`, `condition` and `extras` are those of `loss`; what is dropped in
        `training` comes from `noise`, as the level and the noise of the loss don't. With `guidance`
        [b] the velocity is guided by it, as in generation, which asks the network twice; with a
        `text_shift` [b, text_features], that is added to each token of a text. Neither comes where
        `text_features` is 0. The velocity is right after other calls, too, while the weights stay
        as they are. RequestError, as by default, where the stage denoises nothing.
        """
        raise RequestError(f"'{self.name}' does not denoise, so that it can't be distilled")

    def replace_sampler(self, sampler: Use[Sampler]) -> None:
        """Generate with another sampler from now on: that of a distilled network.

        RequestError, as by default, where the stage denoises nothing.
        """
        raise RequestError(f"'{self.name}' has no sampler that could be replaced")

    def playing_networks(self) -> Iterable[UNet]:
        """Return the networks that `decode` asks; default: all that are inside."""
        return [module for module in self.modules() if isinstance(module, UNet)]

    def prepare_for_inference(self) -> None:
        """Sample only, from now on; default: its networks do (see `UNet.prepare_for_inference`)."""
        for network in self.playing_networks():
            network.prepare_for_inference()

    @abstractmethod
    def encode(self, signal: Tensor) -> Tensor:
        """Return latents [b, latent_space.channels, n] of signals [b, input_space.channels, t].

        A latent covers latent_space.stride / input_space.stride frames of the signal, the last one
        perhaps less. RequestError where `latent_space` is None.
        """

    @abstractmethod
    def decode(self, latents: Tensor | None, request: GenerationRequest) -> Tensor:
        """Make signals [b, input_space.channels, input_space.frames(request.samples)].

        `latents` come from the stage above, or are None at the top, where the text is all.
        RequestError where they are None and needed: unless the stage `hears_text`. The same
        latents, text and seed make the same clip, alone or in a batch.
        """

    def stream(self, latents: Tensor | None, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield pieces [b, input_space.channels, n] of `decode`'s signal in order; default: one.

        A stage that works in windows of `request.window` needs memory for a window only.
        """
        yield self.decode(latents, request)

    def stream_latents(self, latents: SignalStream, request: GenerationRequest) -> Iterator[Tensor]:
        """Yield the pieces of `stream` for latents that come piece by piece, as far as they come.

        Default: once all have come. A stage that reads them window by window is heard while the
        stage above it goes on, and needs memory for a window of them only.
        """
        yield from self.stream(latents.rest(), request)

    def windows(self, request: GenerationRequest) -> int:
        """Return in how many windows `stream` makes what is asked for; default: one."""
        return 1

    def on_train_step(self, step: int, total: int) -> None:
        """Hear, before each step's loss, that `step` of `total` steps are taken; default: nothing.

        Also after a resume, and again for a step that is taken once more. With `minutes` training
        may end before `total`. Validation and evaluation ask for losses of a stage that was told
        nothing, or of the last step: what they need is in its state.
        """

    def set_average(self, average: Callable[[], Mapping[str, Tensor]] | None) -> None:
        """Let `with_average` use what this returns: averaged weights by parameter's name.

        Training calls it; None where it ends.
        """
        self._average = average

    def with_average(self, ask: Callable[[], T]) -> T:
        """Return `ask()` as the stage's averaged weights (EMA) make it, without gradients.

        The teacher of consistency training and distillation: bind a velocity inside `ask`, and use
        it there. Where nothing trains, and while the averaged weights are the stage's own
        (validation), it is the stage's weights that count.
        """
        with torch.no_grad():
            return self.with_weights({} if self._average is None else self._average(), ask)

    def with_weights(self, weights: Mapping[str, Tensor], ask: Callable[[], T]) -> T:
        """Return `ask()` as the stage makes it with other weights, by parameter's name.

        Gradients reach them. What `ask` binds has its own weights again afterwards.
        """
        named = {f"stage.{name}": weight for name, weight in weights.items()}
        result: T = torch.func.functional_call(_Caller(self), named, (ask,))
        return result

    @classmethod
    def with_steps(cls, options: Options, steps: int) -> tuple[Options, bool]:
        """Return options that generate in so many steps, and whether samplers in them are to.

        By default they are as they were, and samplers are: their option `steps` is set.
        """
        return options, True

    @property
    def nfe(self) -> int:
        """Return about how many evaluations of its network a window takes."""
        return sum(sampler.steps for sampler in vars(self).values() if isinstance(sampler, Sampler))

    @property
    def hears_text(self) -> bool:
        """Return whether `decode` follows the prompts, and without latents makes signals of them.

        By default so where `latent_space` is None. A stage that encodes, too, and hears a text (a
        one-stage system) says `hears_text = True`: prompts are then played at the top, and heard
        beside latents where music is brought back.
        """
        return self.latent_space is None

    @property
    def continues(self) -> bool:
        """Return whether a clip longer than what the stage learned from may be made in windows.

        `decode` then gets a request for each: its `samples` from `start` on of a clip of `total`,
        extras of the whole clip, and where there is a window before, what both share as `source`
        with `keep`. Default: no, it makes any length at once.
        """
        return False

    @property
    def extras_type(self) -> type[Options] | None:
        """Return what generation may be given besides text: options by name, None where nothing.

        Each is optional, and null where it is not told.
        """
        return None

    @property
    def extras_extractor(self) -> ExtrasExtractor | None:
        """Return what tells `extras` of a training clip of audio; None where the stage takes none.

        It is called in the processes that read clips, before anything is encoded, and must be
        picklable. What it returns is on the CPU, float32, and holds nothing learned.
        """
        return None

    @property
    def extras_key(self) -> Mapping[str, Any]:
        """Return the plain values that decide what `extras_extractor` tells, for what is kept."""
        return {}

    def request_extras(self, values: Options, *, samples: int) -> Mapping[str, Tensor]:
        """Return the extras of one clip of so many samples, on the CPU, for an `extras_type`.

        RequestError or AudioError, in one line, where a value can't be followed.
        """
        return {}

    @property
    def first(self) -> dict[str, Stage]:
        """Return the stages inside this one that learn before it, each alone, by their option.

        They stand on the same space below. Their parameters require no gradient here: each learns
        as a stage of its own, and its weights are then loaded into this one.
        """
        return {name: child for name, child in self.named_children() if isinstance(child, Stage)}

    @property
    def refines(self) -> Stage | None:
        """Return the one of `first` whose signals this stage begins from, of the same latents."""
        return None

    def download(self) -> None:
        """Fetch what must be there before any stage trains (a model, say); default: nothing."""

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Measure what must be known before training (statistics, vocabulary); default: nothing.

        The signals [b, input_space.channels, t] can be gone through once.
        """


class _Caller(nn.Module):
    """A stage as a module whose `forward` calls whatever it is given, for `functional_call`."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, ask: Callable[[], T]) -> T:
        return ask()
