"""Cascade: stages stacked from the waveform upwards, played back in reverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mousai_kit.core.component import Options, iter_slots
from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.core.interfaces import GenerationRequest, SignalSpace, SignalStream, Stage
from mousai_kit.core.seeds import derive_seed
from mousai_kit.models.conditioning import Conditioners
from mousai_kit.models.conditions import conditions_type, parse_conditions
from mousai_kit.models.device import autocast_to_play
from mousai_kit.models.overlap import overlap_add, overlapping_windows, scale_range
from mousai_kit.models.weight_init import build_to_load
from mousai_kit.recipe import Precision, Recipe


class Cascade:
    """The stages of a system by name, the lowest first, and in what each computes when it plays."""

    def __init__(
        self,
        audio: SignalSpace,
        stages: Mapping[str, Stage],
        precision: Mapping[str, Precision] | None = None,
    ) -> None:
        self.audio = audio
        self.stages = dict(stages)
        self.precision = dict(precision or {})

    @classmethod
    def build(
        cls, recipe: Recipe, *, device: torch.device | str = "cpu", to_load: bool = False
    ) -> Cascade:
        """Build a recipe's stages with fresh weights, the same ones for the same seed.

        RecipeError where parts do not fit each other. On the `meta` device weights take no memory;
        `to_load` leaves them undrawn where a state dict will bring them.
        """
        audio = SignalSpace(recipe.audio.channels, 1, recipe.audio.sample_rate)
        below, stages = audio, {}
        for name, part in recipe.stages.items():
            build = partial(_build_stage, recipe, name, below, meta=str(device) == "meta")
            try:
                stage = build_to_load(build) if to_load else build()
            except MousaiError as error:
                slots = iter_slots(part.model, ("stages", name, "model"))
                whole = ("stages", name, "model")
                place = next((place for place, slot in slots if slot is error.slot), whole)
                raise recipe.error_at(place, str(error)) from None
            stages[name] = stage.to(device).eval()
            if stage.latent_space is None:
                break
            below = stage.latent_space
        try:
            conditions_type(stages)
        except ValueError as error:
            raise recipe.error_at(("stages", [*stages][-1], "model"), str(error)) from None
        if unreachable := [name for name in recipe.stages if name not in stages]:
            raise recipe.error_at(
                ("stages", unreachable[0]),
                f"stands above '{name}', which makes signals from text alone; leave it out",
            )
        return cls(audio, stages, recipe.played_precision)

    def prepare_for_inference(self) -> None:
        """Let all networks keep their weights as sampling reads them: nothing is trained or saved.

        See `Stage.prepare_for_inference`.
        """
        for stage in self.stages.values():
            stage.prepare_for_inference()

    def input_space(self, name: str) -> SignalSpace:
        """Return the space whose signals a stage learns."""
        return self.stages[name].input_space

    @torch.no_grad()
    def encode(self, wave: Tensor, *, up_to: str | None = None) -> Tensor:
        """Return the signals that stage `up_to` learns, of audio [b, c, t]; None: the highest."""
        signal = wave
        for name, stage in self.stages.items():
            if name == up_to or stage.latent_space is None:
                break
            signal = stage.encode(signal)
        return signal

    @torch.no_grad()
    def encode_to(self, wave: Tensor, top: str, *, window: int | None = None) -> Tensor:
        """Return the latents of stage `top` of audio [b, c, t].

        Audio of more than `window` samples is encoded in overlapping windows of that length.
        """
        *above, lowest = self.down_from(top)
        with self._precision_of(lowest):
            signal = _in_windows(self.stages[lowest], wave, window).float()
        for name in reversed(above):
            with self._precision_of(name):
                signal = self.stages[name].encode(signal).float()
        return signal

    @torch.no_grad()
    def decode_stream(
        self,
        latents: Tensor | SignalStream | None,
        request: GenerationRequest,
        *,
        top: str | None = None,
    ) -> Iterator[Tensor]:
        """Yield audio [b, c, n] piece by piece, from the latents of stage `top` downwards.

        Each stage makes its pieces as the one below asks for them.
        """
        signal = latents
        for name in self.down_from(top):
            stage, order = self.stages[name], _for_stage(request, name)
            if isinstance(signal, SignalStream):
                pieces = stage.stream_latents(signal, order)
            else:
                pieces = stage.stream(signal, order)
            signal = SignalStream(self._compute(name, pieces))
        assert isinstance(signal, SignalStream)
        yield from signal

    @torch.no_grad()
    def make_signal(self, request: GenerationRequest) -> Tensor:
        """Return the signal [b, c, frames] that the top stage makes of a request.

        RequestError where the top stage makes none from text.
        """
        self._require_text()
        name = next(reversed(self.stages))
        with self._precision_of(name):
            return self.stages[name].decode(None, _for_stage(request, name)).float()

    def play_signal(
        self, signal: Tensor | SignalStream, request: GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] of a signal of the top stage, piece by piece."""
        if below := self.below_top:
            yield from self.decode_stream(signal, request, top=below)
        else:
            yield from [signal] if isinstance(signal, Tensor) else signal

    def encode_source(self, wave: Tensor, *, window: int | None = None) -> Tensor:
        """Return the signal of the top stage of audio [b, c, t], encoded in windows."""
        below = self.below_top
        return self.encode_to(wave, below, window=window) if below else wave

    def decode(
        self, latents: Tensor | None, request: GenerationRequest, *, top: str | None = None
    ) -> Tensor:
        """Return audio [b, c, request.samples], from the latents of stage `top` downwards."""
        return torch.cat([*self.decode_stream(latents, request, top=top)], -1)

    def generate_signal(self, request: GenerationRequest) -> Tensor:
        """Make audio [b, c, request.samples] from the request's prompts."""
        return torch.cat([*self.generate_stream(request)], -1)

    def generate_stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Make audio from the request's prompts, and yield it [b, c, n] piece by piece."""
        self._require_text()
        return self.decode_stream(None, request)

    def _compute(self, name: str, pieces: Iterator[Tensor]) -> Iterator[Tensor]:
        """Yield a stage's pieces in float32, each computed in the stage's own precision."""
        while True:
            with self._precision_of(name):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece.float()

    def _precision_of(self, name: str) -> torch.autocast:
        parameters = self.stages[name].parameters()
        device = next((weight.device for weight in parameters), torch.device("cpu"))
        return autocast_to_play(device, self.precision.get(name, "fp32"))

    def _require_text(self) -> None:
        if not (top := self.top).hears_text:
            raise RequestError(
                f"the top stage, {top.name}, does not make music from text; "
                "this recipe can only `reconstruct`"
            )

    @property
    def conditions_type(self) -> type[Options] | None:
        """Return what generation may be given besides text: options by name, None where nothing."""
        return conditions_type(self.stages)

    def parse_conditions(self, given: Mapping[str, Any]) -> Options:
        """Return what is given by name, checked: mappings of options, or in short a number, a text,
        a list.

        RequestError, a line for each that is wrong or that no stage takes.
        """
        return parse_conditions(self.conditions_type, given)

    def request_extras(self, values: Options, samples: int, *, clips: int = 1) -> dict[str, Tensor]:
        """Return a request's extras [clips, ...], alike for all, of what `parse_conditions` gave.

        RequestError, in one line, where a value can't be followed.
        """
        found: dict[str, Tensor] = {}
        for stage in self.stages.values():
            if (known := stage.extras_type) is not None:
                given = {name: getattr(values, name, None) for name in known.model_fields}
                own = known.model_construct(**given)
                found |= stage.request_extras(own, samples=samples)
        return {name: data.expand(clips, *data.shape) for name, data in found.items()}

    def down_from(self, top: str | None) -> list[str]:
        """Return the names of stage `top` (None: the highest) and of those below, downwards."""
        names = list(self.stages)
        return names[names.index(top) :: -1] if top else names[::-1]

    def reports(self, request: GenerationRequest, *, top: str | None = None) -> int:
        """Return about how often `decode_stream` will report progress."""
        stages = [self.stages[name] for name in self.down_from(top)]
        rounds = [-(-stage.windows(request) // request.together) for stage in stages]
        return sum(stage.nfe * count for stage, count in zip(stages, rounds, strict=True))

    @property
    def top(self) -> Stage:
        """Return the highest stage."""
        return next(reversed(self.stages.values()))

    @property
    def below_top(self) -> str | None:
        """Return the name of the stage whose latents the highest makes; None where it is alone."""
        return [None, *self.stages][-2]

    @property
    def nfe(self) -> dict[str, int]:
        """Return about how many evaluations of its network each stage takes to decode a window."""
        return {name: stage.nfe for name, stage in self.stages.items()}

    def named_parts(self) -> Iterator[tuple[str, str, nn.Module, int]]:
        """Yield (stage, part, module, parameters) for each named part of each stage."""
        for name, stage in self.stages.items():
            for part, module in stage.named_children():
                if isinstance(module, Conditioners) and not len(module):
                    continue
                yield name, part, module, sum(p.numel() for p in module.parameters())


def _for_stage(request: GenerationRequest, stage: str) -> GenerationRequest:
    """Return a request with the seeds of a stage of the name."""
    return replace(request, seeds=[derive_seed(seed, stage) for seed in request.seeds])


def _build_stage(recipe: Recipe, name: str, below: SignalSpace, *, meta: bool) -> Stage:
    """Return a stage of a recipe with weights that its seed decides; on meta with none."""
    torch.manual_seed(derive_seed(recipe.seed, "weights", name))
    with _Outline() if meta else torch.device("cpu"):
        return recipe.stages[name].model.build(input_space=below)


class _Outline(TorchFunctionMode):
    """Makes what waits to be filled on the meta device, and does not fill it: weights, that is.

    What is computed at once (windows, filters) stays on the CPU: on meta torch imports its compiler
    for that, and for random numbers, which takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            return func(*args, **kwargs | {"device": "meta"})
        if getattr(func, "__module__", "") == nn.init.__name__ or func in (
            Tensor.normal_,
            Tensor.uniform_,
        ):
            weight = args[0] if args else kwargs["tensor"]
            return weight if weight.is_meta else func(*args, **kwargs)
        return func(*args, **kwargs)


def _in_windows(stage: Stage, wave: Tensor, window: int | None) -> Tensor:
    """Return the latents of audio [b, c, t], encoded in windows of so many samples."""
    space = stage.latent_space
    assert space is not None
    longest = None if window is None else space.frames(window)
    parts = overlapping_windows(space.frames(wave.shape[-1]), longest)
    samples = (scale_range(part, space.stride) for part in parts)
    made = (stage.encode(wave[..., sample.start : sample.stop]) for sample in samples)
    return torch.cat([*overlap_add(parts, made)], -1)
