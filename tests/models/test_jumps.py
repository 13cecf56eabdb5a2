"""Target levels: they pass from a sampler through all that wraps a network, and reach no other."""

import nano
import pytest
import torch
from torch import nn

import mousai_kit.api as mk
from mousai_kit.core.errors import RecipeError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.training.checks import check_run
from mousai_kit_mousai.envelope import EnvelopePreconditioner

X, SIGMA, TARGET = torch.randn(2, 4, 6), torch.tensor([0.8, 0.6]), torch.tensor([0.4, 0.3])
REFUSED = (
    "this sampler jumps from level to level, which the network has not learned; use another sampler"
)
JUMPER = "stages.generator.model.unet={use: jumping}"
SHORTCUT = "stages.generator.model.sampler={use: shortcut, steps: 2}"


class Jumping(mk.UNet):
    """A network that takes a target, and notes what it was asked."""

    name = "jumping"
    jumps = True

    def __init__(self, options, *, channels, context_channels, text_features):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        self.downsampling, self.network = 1, nn.Conv1d(channels, channels, 1)
        self.asked = []

    def forward(self, x, sigma, *, context=None, text=None, target=None):
        self.asked.append((sigma.tolist(), None if target is None else target.tolist()))
        way = sigma if target is None else sigma - target
        return self.network(x) * way[:, None, None]


class Plain(Jumping):
    """A network that takes none: it would fail if it were given one."""

    name = "plain"
    jumps = False

    def forward(self, x, sigma, *, context=None, text=None):
        return super().forward(x, sigma, context=context, text=text)


class Shortcut(mk.SteppedSampler):
    """Turns down the levels by what the network says of each step."""

    name = "shortcut"
    jumps = True

    def sample(self, velocity, noise, *, generator=None):
        velocity, x = mk.JumpVelocity.of(velocity), noise
        for sigma, now, later in self.iterate_levels(noise):
            v = velocity(x, sigma, torch.full_like(sigma, later.sigma))
            turn = now.angle - later.angle
            x = torch.cos(torch.tensor(turn)) * x - torch.sin(torch.tensor(turn)) * v
        return x


def network(kind=Jumping, channels=4):
    torch.manual_seed(0)
    return kind(mk.Options(), channels=channels, context_channels=0, text_features=8)


def text(clips=2):
    return mk.TextEmbedding(torch.randn(clips, 3, 8), torch.ones(clips, 3, dtype=torch.bool))


def wrappers(unet):
    """Yield all that wraps a network's velocity, by name."""
    request = mk.GenerationRequest(["a"], [0], 10, progress=lambda: None)
    schedule = mk.build(mk.Schedule, "cosine")
    bound = unet.bind(text=text())
    yield "bind", bound
    for scale in (1.0, 3.0):
        yield "guidance", mk.ClassifierFreeGuidance(unet, text(), text(), scale=scale)
    yield "count", request.count_evaluations(bound)
    yield "partway", mk.Partway(schedule, 1.0).scale_levels(bound)
    wide = network(type(unet), 8)
    wide.asked = unet.asked
    velocity = EnvelopePreconditioner(wide.bind(text=text()), torch.zeros_like(X), schedule)
    yield "envelope", velocity


@torch.no_grad()
def test_all_that_wraps_a_network_passes_a_target_on():
    unet = network()
    for name, velocity in wrappers(unet):
        jump = mk.JumpVelocity.of(velocity)
        assert jump.jumps, name
        assert jump(X, SIGMA, TARGET).shape == X.shape, name
        sigma, target = unet.asked[-1]
        assert sigma[:2] == SIGMA.tolist(), name
        assert target == (TARGET.tolist() * 2)[: len(sigma)], name
        jump(X, SIGMA)
        assert unet.asked[-1][1] is None, name


@torch.no_grad()
def test_a_network_that_takes_no_target_is_never_given_one():
    unet = network(Plain)
    for name, velocity in wrappers(unet):
        jump = mk.JumpVelocity.of(velocity)
        assert not jump.jumps, name
        assert jump(X, SIGMA).shape == X.shape, name
        with pytest.raises(mk.RequestError) as refused:
            jump(X, SIGMA, TARGET)
        assert str(refused.value) == REFUSED, name


def test_partway_tells_the_whole_schedules_target():
    unet = network()
    with torch.no_grad():
        partway = mk.Partway(mk.build(mk.Schedule, "cosine"), 0.5).scale_levels(unet.bind())
        partway(X, SIGMA, TARGET)
    told = [torch.tensor(levels) for levels in unet.asked[-1]]
    torch.testing.assert_close(told, [0.5 * SIGMA, 0.5 * TARGET])


@pytest.fixture
def recipe(here):
    known = installed_registry()
    for component in (Jumping, Plain, Shortcut):
        known = known.replacing(component, owner="test")
    (here / "nano.yaml").write_text(nano.RECIPE)
    return lambda *overrides: load_recipe("nano.yaml", overrides, registry=known)


def test_a_system_with_a_network_that_jumps_makes_music_in_jumps(recipe):
    cascade = Cascade.build(recipe(JUMPER, SHORTCUT))
    assert check_run(recipe(JUMPER, SHORTCUT), cascade) == []
    cascade.top.text.fit_statistics(["low saw", "high"])
    request = mk.GenerationRequest(["low saw"], [0], 4000, guidance=2.0)
    assert cascade.generate_signal(request).shape == (1, 1, 4000)
    assert cascade.top.unet.asked[-2:] == [([1.0, 1.0], [0.5, 0.5]), ([0.5, 0.5], [0.0, 0.0])]


def test_a_sampler_that_jumps_is_refused_where_no_network_does(recipe):
    for overrides in ((SHORTCUT,), ("stages.generator.model.unet={use: plain}", SHORTCUT)):
        made = recipe(*overrides)
        with pytest.raises(RecipeError) as refused:
            check_run(made, Cascade.build(made, device="meta"))
        assert str(refused.value).partition("model: ")[2] == (
            "sampler 'shortcut' jumps from level to level, which no network of 'text-to-latent' "
            "takes a target for; use another sampler, or a network that does"
        )
