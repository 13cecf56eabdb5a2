"""U-Nets with a bug each."""

import torch
from planted_suites import suites
from torch import nn
from torch.nn.functional import dropout, interpolate, pad, silu

import mousai_kit.api as mk
from mousai_kit.testing import UNetContract

WIDTH = 8


class Healthy(mk.UNet):
    """Two convolutions at half the rate that hear everything, without a bug."""

    name = "healthy"

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.downsampling = 2
        self.enter = nn.Conv1d(channels, WIDTH, 2, stride=2)
        self.level = nn.Linear(1, WIDTH)
        self.context = nn.Conv1d(context_channels, WIDTH, 1) if context_channels else None
        self.text = nn.Linear(text_features, WIDTH) if text_features else None
        self.leave = nn.ConvTranspose1d(WIDTH, channels, 2, stride=2)

    def padded(self, x):
        return pad(x, (0, x.shape[2] % 2))

    def of_level(self, sigma):
        return self.level(sigma[:, None])[:, :, None]

    def of_context(self, context, length):
        return interpolate(self.context(context), length)

    def of_text(self, text):
        real = text.mask[:, :, None]
        mean = text.embedding.masked_fill(~real, 0).sum(1) / real.sum(1).clamp(min=1)
        return self.text(mean)[:, :, None]

    def made(self, inner):
        return self.leave(silu(inner))

    def forward(self, x, sigma, *, context=None, text=None):
        inner = self.enter(self.padded(x))
        inner = inner + self.of_level(sigma)
        if self.context is not None:
            inner = inner + self.of_context(context, inner.shape[2])
        if self.text is not None:
            inner = inner + self.of_text(text)
        return self.made(inner)[:, :, : x.shape[2]].to(x.dtype)


class DeafToTheLevel(Healthy):
    """The noise level is left out."""

    breaks = "test_v_follows_the_level"

    def of_level(self, sigma):
        return self.level(torch.zeros_like(sigma)[:, None])[:, :, None]


class DeafToTheContext(Healthy):
    """The context is taken, but not heard."""

    breaks = "test_v_follows_the_context"

    def of_context(self, context, length):
        return super().of_context(0 * context, length)


class DeafToTheText(Healthy):
    """The text is taken, but not heard."""

    breaks = "test_v_follows_the_text"

    def of_text(self, text):
        return super().of_text(mk.TextEmbedding(0 * text.embedding, text.mask))


class DeafToX(Healthy):
    """x is worth nothing to it: v is a function of what it is told."""

    breaks = "test_v_follows_x"

    def padded(self, x):
        return 0 * super().padded(x)


class IgnoresTheMask(Healthy):
    """Masked tokens are heard like others."""

    breaks = "test_masked_tokens_have_no_influence"

    def of_text(self, text):
        return super().of_text(mk.TextEmbedding(text.embedding, torch.ones_like(text.mask)))


class MultipliesByTheMask(Healthy):
    """Masked tokens are multiplied by 0, which leaves what is no number."""

    breaks = "test_masked_tokens_have_no_influence"

    def of_text(self, text):
        real = text.mask[:, :, None]
        mean = (text.embedding * real).sum(1) / real.sum(1).clamp(min=1)
        return self.text(mean)[:, :, None]


class DividesByNoTokens(Healthy):
    """The mean over real tokens, of which a text may have none."""

    breaks = "test_a_text_masked_whole_is_allowed"

    def of_text(self, text):
        real = text.mask[:, :, None]
        mean = text.embedding.masked_fill(~real, 0).sum(1) / real.sum(1)
        return self.text(mean)[:, :, None]


class FirstLevelForAll(Healthy):
    """The first item's level for the whole batch, as while sampling."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def of_level(self, sigma):
        return super().of_level(sigma[:1])


class BatchNorm(Healthy):
    """A batch norm, which mixes the items of a batch."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def made(self, inner):
        centred = inner - inner.mean((0, 2), keepdim=True) if self.training else inner
        return super().made(centred)


class Unpadded(Healthy):
    """An odd length loses its last frame."""

    breaks = "test_any_other_length_is_padded_inside_and_cut_again"

    def padded(self, x):
        return x[:, :, : x.shape[2] // 2 * 2]


class OneRateOnly(Healthy):
    """The context must have the network's own rate."""

    breaks = "test_a_context_may_have_any_rate"

    def of_context(self, context, length):
        if context.shape[2] not in (1, 4, length):
            raise ValueError("the context must have a frame for every two of x")
        return super().of_context(context, length)


class DetachesTheContext(Healthy):
    """No gradient reaches what encodes the context."""

    breaks = "test_context_and_text_get_gradients"

    def of_context(self, context, length):
        return super().of_context(context.detach(), length)


class InPlace(Healthy):
    """x is scaled in place."""

    breaks = "test_inputs_are_not_changed_in_place"

    def padded(self, x):
        return super().padded(x.mul_(0.5))


class Doubles(Healthy):
    """v in double precision, whatever x is."""

    breaks = "test_v_has_the_type_of_x_and_is_finite_at_both_ends"

    def forward(self, x, sigma, *, context=None, text=None):
        return super().forward(x, sigma, context=context, text=text).double()


class NoNumberAtTheEnd(Healthy):
    """The logarithm of the level, which is none at 0."""

    breaks = "test_v_has_the_type_of_x_and_is_finite_at_both_ends"

    def of_level(self, sigma):
        return super().of_level(sigma.log())


class DropsAlways(Healthy):
    """Dropout outside of training too."""

    breaks = "test_it_answers_the_same_every_time"

    def made(self, inner):
        return super().made(dropout(inner, 0.1))


class Unused(Healthy):
    """A layer that was forgotten in `forward`."""

    breaks = "test_every_parameter_gets_a_gradient"

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.second = nn.Conv1d(WIDTH, WIDTH, 1)


class PositionsOnTheCPU(Healthy):
    """Positions made on the CPU, wherever x is."""

    breaks = "test_on_the_meta_device_it_makes_shapes"

    def made(self, inner):
        places = torch.linspace(0, 1, inner.shape[2], device="cpu")
        return super().made(inner + places)


class WithoutLevels(Healthy):
    """A `bind` that takes no levels, as of an older interface."""

    breaks = "test_a_plug_in_may_offer_it"

    def bind(self, context=None, text=None):
        return super().bind(context, text)


class OneBindingAtATime(Healthy):
    """What is bound lies in the network: the next binding takes its place."""

    breaks = "test_each_binding_keeps_its_own_conditioning"

    def bind(self, context=None, text=None, *, levels=None):
        self.bound = context, text
        return lambda x, sigma: self(x, sigma, context=self.bound[0], text=self.bound[1])


class LevelsOffByOne(Healthy):
    """The table of levels is read one row too far."""

    breaks = "test_it_is_the_networks_at_levels_that_were_told"

    def bind(self, context=None, text=None, *, levels=None):
        velocity, told = super().bind(context, text), [] if levels is None else levels.tolist()

        def bound(x, sigma):
            if sigma[0].item() in told[:-1]:
                row = told.index(sigma[0].item()) + 1
                sigma = torch.full_like(sigma, told[row])
            return velocity(x, sigma)

        return bound


class NearestLevel(Healthy):
    """A level that was not told is taken for the nearest that was."""

    breaks = "test_it_is_the_networks_at_levels_that_were_not_told"

    def bind(self, context=None, text=None, *, levels=None):
        velocity = super().bind(context, text)
        if levels is None or not len(levels):
            return velocity
        return lambda x, sigma: velocity(
            x, levels[(sigma[:, None] - levels).abs().argmin(1)].to(sigma)
        )


class NeedsLevels(Healthy):
    """The first of the levels is looked at, where there may be none."""

    breaks = "test_levels_may_be_unknown"

    def bind(self, context=None, text=None, *, levels=None):
        if levels is not None:
            assert levels[0] == 1
        return super().bind(context, text)


class StaleTable(Healthy):
    """The table of levels is kept from the first binding on."""

    breaks = "test_a_binding_follows_what_was_learned_since_the_last"

    table = None

    def bind(self, context=None, text=None, *, levels=None):
        if levels is None:
            return super().bind(context, text)
        if self.table is None:
            self.table = self.level.weight.detach().clone(), self.level.bias.detach().clone()
        weight, bias = self.table

        def bound(x, sigma):
            told = nn.functional.linear(sigma[:, None], weight, bias)[:, :, None]
            inner = self.enter(self.padded(x)) + told
            if self.context is not None:
                inner = inner + self.of_context(context, inner.shape[2])
            if self.text is not None:
                inner = inner + self.of_text(text)
            return self.made(inner)[:, :, : x.shape[2]]

        return bound


class BindsTheFirstLevel(Healthy):
    """The level of the first call is kept for all."""

    breaks = "test_a_bound_velocity_is_the_networks_at_every_call"

    def bind(self, context=None, text=None, *, levels=None):
        kept = []

        def bound(x, sigma):
            kept.append(sigma)
            return self(x, kept[0], context=context, text=text)

        return bound


class NoGradientsBound(Healthy):
    """A binding is for sampling alone."""

    breaks = "test_gradients_pass_through_a_binding_as_through_forward"

    def bind(self, context=None, text=None, *, levels=None):
        velocity = super().bind(context, text)

        def bound(x, sigma):
            return velocity(x, sigma).detach() + 0 * self.leave.bias.sum()

        return bound


class SettlesRoughly(Healthy):
    """Weights are rounded to bfloat16 once it is settled."""

    breaks = "test_a_settled_network_has_the_same_velocity"

    def prepare_for_inference(self):
        for parameter in self.parameters():
            parameter.data = parameter.data.bfloat16().float()


class ReflectsTheEnds(Healthy):
    """Ends are reflected, which needs more than one frame."""

    breaks = "test_the_shape_is_kept_at_any_multiple_of_downsampling"

    def made(self, inner):
        return super().made(pad(inner, (1, 1), mode="reflect")[:, :, 1:-1])


class Counting(nn.Module):
    """Follows how often it was called."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return (x * self.calls).sin()


class RemembersInABlock(Healthy):
    """A repeated block finds what it kept of its first call when it is called again."""

    breaks = "test_its_repeated_blocks_may_be_computed_again"

    def __init__(self, *given, **build_kwargs):
        super().__init__(*given, **build_kwargs)
        self.block = Counting()

    def repeated_blocks(self):
        return [self.block]

    def made(self, inner):
        self.block.calls = 0
        return super().made(self.block(inner))


class RoundRate(Healthy):
    """`downsampling` is a float."""

    breaks = "test_its_downsampling_is_a_whole_number"

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.downsampling = 4 / 2


class TextOnly(Healthy):
    """It hears a text alone, and says so."""

    def __init__(self, options, *, channels, context_channels, text_features):
        self.check(context_channels)
        super().__init__(
            options, channels=channels, context_channels=0, text_features=text_features
        )

    def check(self, context_channels):
        if context_channels:
            raise mk.RecipeError("text-only: hears no context; leave it out")


class SilentlyTextOnly(TextOnly):
    """It hears a text alone, and takes a context all the same."""

    breaks = "test_what_it_does_not_hear_it_refuses"

    def check(self, context_channels):
        pass


class Jumping(Healthy):
    """Takes a target, without a bug."""

    name = "jumping"
    jumps = True

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.jump = nn.Linear(1, WIDTH, bias=False)

    def forward(self, x, sigma, *, context=None, text=None, target=None):
        self.way = torch.zeros_like(sigma) if target is None else sigma - target
        return super().forward(x, sigma, context=context, text=text)

    def of_level(self, sigma):
        return super().of_level(sigma) + self.jump(self.way[:, None])[:, :, None]


class DeafToTheTarget(Jumping):
    """A target is taken, but not heard."""

    breaks = "test_v_follows_the_target"

    def forward(self, x, sigma, *, context=None, text=None, target=None):
        return super().forward(x, sigma, context=context, text=text, target=0.5 * sigma)


class AlwaysToTheSignal(Jumping):
    """Without a target it jumps to the signal."""

    breaks = "test_a_target_at_the_level_itself_is_none_at_all"

    def forward(self, x, sigma, *, context=None, text=None, target=None):
        target = torch.zeros_like(sigma) if target is None else target
        return super().forward(x, sigma, context=context, text=text, target=target)


class BindingWithoutTarget(Jumping):
    """What is bound takes no target."""

    breaks = "test_a_bound_velocity_is_the_networks_at_every_call"

    def bind(self, context=None, text=None, *, levels=None):
        velocity = super().bind(context, text, levels=levels)
        return lambda x, sigma: velocity(x, sigma)


globals().update(suites(UNetContract, Healthy))
globals().update(suites(UNetContract, TextOnly, hears=("text",)))
globals().update(suites(UNetContract, Jumping))
