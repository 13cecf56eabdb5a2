"""Conditioners with a bug each."""

import torch
import torch.nn.functional as F
from planted_suites import suites
from torch import nn

import mousai_kit.api as mk
from mousai_kit.testing import ConditionerContract


class Healthy(mk.Conditioner):
    """Loudness over time as a context, without a bug."""

    name = "healthy"

    class Value(mk.Options):
        """A loudness."""

        loudness: float = mk.Field(0.5, ge=0, description="loudness of all of it")

    def __init__(self, options, *, space, text_features):
        super().__init__(options, space=space, text_features=text_features)
        self.tokens, self.context_channels = 0, 3
        self.text_features = text_features
        self.enter = nn.Conv1d(1, 3, 3, padding=1)
        self.finish()

    def finish(self):
        pass

    def frames(self, samples):
        return -(-samples // 1000)

    def from_clip(self, clip):
        mean = clip.wave.square().mean(0, keepdim=True)
        return F.adaptive_avg_pool1d(mean, self.frames(mean.shape[1]))

    def from_value(self, value, *, samples):
        return torch.full((1, self.frames(samples)), value.loudness)

    def forward(self, data, *, frames):
        return self.enter(data)


class Both(Healthy):
    """Tokens and a context."""

    breaks = "test_it_has_tokens_or_a_context"

    def finish(self):
        self.tokens = 2


class OneNumberForNothing(Healthy):
    """Where nothing is said it makes a number, whatever the length."""

    breaks = "test_what_stands_for_nothing_said_has_the_shape_that_clips_have"

    def from_nothing(self, *, samples):
        return torch.tensor(0.5)


class Neither(Healthy):
    """Neither tokens nor a context."""

    breaks = "test_it_has_tokens_or_a_context"

    def finish(self):
        self.context_channels = 0


class OwnDropout(Healthy):
    """A dropout that no option changes."""

    breaks = "test_its_dropout_is_that_of_its_options"

    def finish(self):
        self.dropout = 0.1


class AsLongAsItIsLoud(Healthy):
    """Data without what is silent."""

    breaks = "test_clips_of_one_length_have_data_of_one_shape"

    def from_clip(self, clip):
        found = super().from_clip(clip)
        return found[:, found[0] > 0.02]


class Double(Healthy):
    """Data in double precision."""

    breaks = "test_clips_of_one_length_have_data_of_one_shape"

    def from_clip(self, clip):
        return super().from_clip(clip).double()

    def forward(self, data, *, frames):
        return super().forward(data.float(), frames=frames)


class NeedsAPlace(Healthy):
    """Crashes where a clip's place is not known."""

    breaks = "test_a_clip_of_which_little_is_known_is_no_error"

    def from_clip(self, clip):
        return super().from_clip(clip) * (1 + 0 * clip.start)


class OneFrameMore(Healthy):
    """What is asked has a frame more than a clip."""

    breaks = "test_what_is_asked_has_the_shape_that_clips_have"

    def from_value(self, value, *, samples):
        return super().from_value(value, samples=samples + 1000)


class Dithered(Healthy):
    """Noise in the data."""

    breaks = "test_data_are_the_same_every_time"

    def from_clip(self, clip):
        found = super().from_clip(clip)
        return found + 1e-3 * torch.rand_like(found)


class InPlace(Healthy):
    """The clip's wave is squared in place."""

    breaks = "test_data_are_the_same_every_time"

    def from_clip(self, clip):
        clip.wave.mul_(0.5)
        return super().from_clip(clip)


class Learned(Healthy):
    """Data weighed by what is learned."""

    breaks = "test_data_hold_nothing_learned"

    def from_clip(self, clip):
        return super().from_clip(clip) * self.enter.weight.detach().mean()


class Unpicklable(Healthy):
    """A function that can't be sent to another process."""

    breaks = "test_it_reads_clips_in_other_processes"

    def finish(self):
        self.form = lambda wave: wave


class TransposedContext(Healthy):
    """Time before channels."""

    breaks = "test_what_it_makes_has_the_shape_that_it_says"

    def forward(self, data, *, frames):
        return super().forward(data, frames=frames).transpose(1, 2)


class OfManyFramesOnly(Healthy):
    """Crashes where a signal has a frame."""

    breaks = "test_what_it_makes_has_the_shape_that_it_says"

    def forward(self, data, *, frames):
        return super().forward(data, frames=frames)[:, :, : 100 * (frames // 2)]


class DividedByItsPeak(Healthy):
    """Divides by the loudest, which zeros have none of."""

    breaks = "test_zeros_are_finite_too"

    def forward(self, data, *, frames):
        return super().forward(data / data.amax(2, keepdim=True), frames=frames)


class Deaf(Healthy):
    """The same whatever it is told."""

    breaks = "test_what_it_makes_follows_its_data"

    def forward(self, data, *, frames):
        return super().forward(data * 0 + 1, frames=frames)


class CentredOverTheBatch(Healthy):
    """Centred over the batch."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def forward(self, data, *, frames):
        made = super().forward(data, frames=frames)
        return made - made.mean(0)


globals().update(suites(ConditionerContract, Healthy))
