"""The contract of conditioners."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import Clip, Conditioner, SignalSpace
from mousai_kit.testing.assertions import (
    assert_alike,
    assert_differs,
    assert_finite,
    forwards_tensors,
    tensor,
)
from mousai_kit.testing.network import NetworkContract, mixes_batch, perturb
from mousai_kit.testing.signals import chords, nothing_drawn

SPACE = SignalSpace(channels=4, stride=512, sample_rate=16_000)
FEATURES, FRAMES = 16, 32


class ConditionerContract(NetworkContract):
    """What every conditioner keeps to.

    `value` is what generation may give it, as options of its `Value`; a fixture may set it, where
    a file has to be made. `clips` must tell something, each something else.
    """

    interface: ClassVar[type[Component]] = Conditioner
    value: Mapping[str, Any] = {}

    def fresh(self, *, seed: int = 0) -> Any:
        """Return the conditioner as it is built."""
        built = self.build(seed=seed, space=SPACE, text_features=FEATURES)
        return forwards_tensors(built, "tokens [b, n, d], or a context [b, c, n], a tensor")

    def network(self, *, seed: int = 0) -> Any:
        """Return the conditioner, stirred."""
        return perturb(self.fresh(seed=seed))

    def clips(self, *, samples: int = FRAMES * SPACE.stride) -> list[Clip]:
        """Return clips of one length, of which all is known."""
        waves = chords(3, 2, samples) * torch.linspace(0.2, 1, 3)[:, None, None]
        words = ("Jazz", "Rock", "Techno")
        return [
            Clip(
                wave,
                word,
                f"{word}.wav",
                start=20.0 * place,
                track_seconds=100.0 + 50 * place,
                facts={"title": f"Song {place}", "genre": word, "year": f"{1990 + place}"},
            )
            for place, (wave, word) in enumerate(zip(waves, words, strict=True))
        ]

    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return the data [b, ...] of the clips."""
        return [torch.stack(self.data(self.fresh())).to(device)]

    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return what the network reads."""
        made: Tensor = network(inputs[0], frames=FRAMES)
        return made

    def data(self, conditioner: Any, clips: Sequence[Clip] | None = None) -> list[Tensor]:
        """Return the data of clips; fail where one tells nothing."""
        rule = "from_clip must tell something of music of which all is known"
        found = [conditioner.from_clip(clip) for clip in clips or self.clips()]
        for item in found:
            assert_finite(tensor(item, rule), rule)
        return found

    def test_it_has_tokens_or_a_context(self) -> None:
        conditioner = self.fresh()
        sizes = [getattr(conditioner, name, None) for name in ("tokens", "context_channels")]
        rule = f"one of `tokens` and `context_channels` must be 0, the other above it (got {sizes})"
        assert all(isinstance(size, int) for size in sizes), rule
        assert sorted(size > 0 for size in sizes if size is not None) == [False, True], rule

    def test_its_dropout_is_that_of_its_options(self) -> None:
        built = self.use(dropout=0.75).build(space=SPACE, text_features=FEATURES)
        assert built.dropout == 0.75, "pass the options on: super().__init__(options, ...)"

    def test_clips_of_one_length_have_data_of_one_shape(self) -> None:
        conditioner = self.fresh()
        for samples in (FRAMES * SPACE.stride, 7001):
            found = self.data(conditioner, self.clips(samples=samples))
            shapes = {tuple(item.shape) for item in found}
            assert len(shapes) == 1, f"data of clips of one length differ in shape (got {shapes})"
            for item in found:
                rule = "data must be float32 on the CPU"
                assert (item.dtype, item.device.type) == (torch.float32, "cpu"), rule

    def test_a_clip_of_which_little_is_known_is_no_error(self) -> None:
        conditioner = self.fresh()
        known = self.data(conditioner)[0]
        wave = self.clips()[0].wave
        for clip in (Clip(wave, ""), Clip(torch.zeros_like(wave), ""), Clip(wave[:1], "")):
            found = conditioner.from_clip(clip)
            rule = "what a clip does not tell is None, or NaN, in the shape that others have"
            assert found is None or found.shape == known.shape, rule

    def test_what_is_asked_has_the_shape_that_clips_have(self) -> None:
        conditioner = self.fresh()
        value = conditioner.Value.model_validate(self.value)
        for samples in (FRAMES * SPACE.stride, 7001):
            (expected,) = self.data(conditioner, self.clips(samples=samples)[:1])
            made = conditioner.from_value(value, samples=samples)
            rule = "from_value must make data as a clip of so many samples has, float32"
            assert (made.shape, made.dtype) == (expected.shape, expected.dtype), rule
            assert_finite(made, "from_value must raise where there is nothing to be told")

    def test_what_stands_for_nothing_said_has_the_shape_that_clips_have(self) -> None:
        conditioner = self.fresh()
        for samples in (FRAMES * SPACE.stride, 7001):
            if (made := conditioner.from_nothing(samples=samples)) is None:
                continue
            (expected,) = self.data(conditioner, self.clips(samples=samples)[:1])
            rule = "from_nothing must make data as a clip of so many samples has, float32, or None"
            assert (made.shape, made.dtype) == (expected.shape, expected.dtype), rule
            assert_finite(made, "from_nothing must make finite data, or return None")

    def test_data_are_the_same_every_time(self) -> None:
        conditioner, clips = self.fresh(), self.clips()
        kept = copy.deepcopy(clips)
        with nothing_drawn():
            once, again = self.data(conditioner), self.data(conditioner, clips)
        rule = "the same clip must have the same data every time: they are kept"
        assert all(map(torch.equal, once, again)), rule
        same = all(one.wave.equal(other.wave) for one, other in zip(clips, kept, strict=True))
        assert same, "a clip is the caller's: copy what you change"

    def test_data_hold_nothing_learned(self) -> None:
        rule = "data are kept while weights change: what is learned belongs into forward"
        expected = self.data(self.fresh())
        for other in (self.fresh(seed=1), self.network()):
            assert all(map(torch.equal, self.data(other), expected)), rule

    def test_it_reads_clips_in_other_processes(self) -> None:
        conditioner = self.fresh()
        conditioner._forward_hooks.clear()
        sent = pickle.loads(pickle.dumps(conditioner))  # noqa: S301 (made above)
        rule = "what was pickled for another process must tell the same of a clip"
        assert all(map(torch.equal, self.data(sent), self.data(self.fresh()))), rule

    @torch.no_grad()
    def test_what_it_makes_has_the_shape_that_it_says(self) -> None:
        network = self.network().eval()
        (data,) = self.inputs()
        for frames in (1, 7, FRAMES, 100):
            made = network(data, frames=frames)
            if network.tokens:
                rule, size = "tokens must be [b, tokens, text_features]", tuple(made.shape)
                assert size == (len(data), network.tokens, FEATURES), f"{rule} (got {size})"
            else:
                rule, size = "a context must be [b, context_channels, n]", tuple(made.shape)
                assert size[:2] == (len(data), network.context_channels), f"{rule} (got {size})"
                assert len(size) == 3 and size[2] > 0, f"{rule} (got {size})"  # noqa: PT018
            assert made.is_floating_point(), "what the network reads are floating-point numbers"
            assert_finite(made, "of finite data it must make finite numbers")

    @torch.no_grad()
    def test_zeros_are_finite_too(self) -> None:
        (data,) = self.inputs()
        made = self.answer(self.network().eval(), [torch.zeros_like(data)])
        assert_finite(made, "data of zeros, which stand for what is not told, must stay finite")

    @torch.no_grad()
    def test_what_it_makes_follows_its_data(self) -> None:
        network = self.network().eval()
        first, *others = self.answer(network, self.inputs())
        for other in others:
            assert_differs(first, other, "clips that differ must be told in different ways")

    def test_items_of_a_batch_do_not_mix(self) -> None:
        rule = "an item must depend on its own data alone"
        network, (data,) = self.network(), self.inputs()
        for training in (True, False):
            given = data.clone().requires_grad_()
            made = self.answer(network.train(training), [given])
            assert not (made.requires_grad and _mixes(made, given)), rule
        with torch.no_grad():
            alone = torch.cat([self.answer(network, [item[None]]) for item in data])
            assert_alike(self.answer(network, [data]), alone, rule)


def _mixes(made: Tensor, given: Tensor) -> bool:
    """Whether the first item follows others; not where nothing differentiable leads to the data."""
    try:
        return mixes_batch(made, given)
    except RuntimeError:  # data that are looked up, as words are
        return False
