"""Optional build keywords: what a domain's rate and layout are reaches the parts that ask."""

import nano
import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.core import build
from mousai_kit.core.errors import PluginError, RecipeError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe

ASKED = {"channels": 64, "context_channels": 4, "text_features": 0}


class Bank(mk.Domain):
    """Filters for one sample rate."""

    name = "bank"

    def __init__(self, options, *, audio_channels, sample_rate=None):
        super().__init__(options, audio_channels=audio_channels)
        self.channels, self.stride = 32 * audio_channels, 32
        self.layout = mk.ChannelLayout(32, audio_channels)
        self.sample_rate = sample_rate
        if sample_rate not in (None, 48_000):
            raise mk.RequestError(f"{self.name}: its filters are for 48000 Hz (got {sample_rate})")

    def forward(self, wave):
        return wave.unflatten(2, (-1, 32)).transpose(2, 3).flatten(1, 2)

    def inverse(self, x, length):
        return x.unflatten(1, (-1, 32)).transpose(2, 3).flatten(2)[..., :length]


class Picture(mk.UNet):
    """A network that sees bands of stereo beside each other."""

    name = "picture"
    downsampling = 1

    def __init__(self, options, *, channels, context_channels, text_features, layout=None):
        super().__init__(
            options,
            channels=channels,
            context_channels=context_channels,
            text_features=text_features,
        )
        if layout is not None and layout.audio_channels != 2:
            raise mk.RequestError(f"{self.name}: needs stereo (got {layout})")
        self.layout = layout
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x, sigma, *, context=None, text=None):
        return self.weight * x


class Ear(mk.SpectralEncoder):
    """An encoder that asks in what its latents are decoded."""

    name = "ear"

    def __init__(self, options, *, audio_channels, sample_rate, layout=None):
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.channels, self.downsampling, self.layout = 4, 256, layout

    def forward(self, wave):
        return wave[:, :1, ::256].expand(-1, 4, -1).tanh()


@pytest.fixture
def registry():
    found = installed_registry()
    for part in (Bank, Picture, Ear):
        found = found.replacing(part, owner="test")
    return found


@pytest.fixture
def autoencoder(here, registry):
    """Return a function that builds nano's autoencoder with other parts."""

    def built(*overrides):
        (here / "nano.yaml").write_text(nano.AUTOENCODER_ONLY)
        recipe = load_recipe("nano.yaml", overrides, registry=registry)
        return Cascade.build(recipe, device="meta").stages["autoencoder"]

    return built


MODEL = "stages.autoencoder.model"
STEREO = ("audio.channels=2", "audio.sample_rate=48000")


@pytest.mark.parametrize("use", ["diffusion-autoencoder", "regression-autoencoder"])
def test_domain_network_and_encoder_get_what_they_ask_for(autoencoder, use):
    parts = (
        f"{MODEL}.{part}={{use: {name}}}"
        for part, name in (("domain", "bank"), ("unet", "picture"), ("encoder", "ear"))
    )
    found = autoencoder(f"{MODEL}={{use: {use}}}", *parts, *STEREO)
    assert found.domain.sample_rate == 48_000
    assert found.unet.layout == found.encoder.layout == mk.ChannelLayout(bands=32, audio_channels=2)


def test_domains_that_come_along_tell_their_layout(autoencoder):
    found = autoencoder(f"{MODEL}.unet={{use: picture}}", *STEREO)
    assert found.unet.layout == mk.ChannelLayout(bands=64, audio_channels=2)
    assert found.unet.layout.channels == found.domain.channels


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("domain={use: bank}", "domain: bank: its filters are for 48000 Hz (got 8000)"),
        (
            "unet={use: picture}",
            "unet: picture: needs stereo (got ChannelLayout(bands=64, audio_channels=1))",
        ),
    ],
)
def test_what_does_not_fit_is_told_where_the_recipe_has_it(autoencoder, override, told):
    with pytest.raises(RecipeError) as refused:
        autoencoder(f"{MODEL}.{override}")
    assert str(refused.value) == f"--set {MODEL}.{override}: {MODEL}.{told}"


class TestBuild:
    @pytest.fixture(autouse=True)
    def _with_parts(self, registry, monkeypatch):
        monkeypatch.setattr(build, "installed_registry", lambda: registry)

    def test_an_optional_keyword_is_handed_on(self):
        layout = mk.ChannelLayout(32, 2)
        assert mk.build(mk.UNet, "picture", **ASKED, layout=layout).layout == layout

    def test_it_may_be_left_out_or_be_none(self):
        assert mk.build(mk.UNet, "picture", **ASKED).layout is None
        assert mk.build(mk.UNet, "picture", **ASKED, layout=None).layout is None

    def test_a_part_that_does_not_ask_is_built_all_the_same(self):
        layout = mk.ChannelLayout(64, 1)
        asked = {"features": 16, "depth": 1, "heads": 2}
        assert mk.build(mk.UNet, {"use": "dit1d", **asked}, **ASKED, layout=layout).name == "dit1d"

    @pytest.mark.parametrize(
        ("keywords", "told"),
        [
            ({"layout": (32, 2)}, "layout: must be an mk.ChannelLayout, or None (got a list)"),
            (
                {"layuot": None},
                (
                    "is built with 'channels', 'context_channels' and 'text_features', not with "
                    "'layuot'; did you mean 'layout'?"
                ),
            ),
        ],
    )
    def test_a_wrong_one_is_told(self, keywords, told):
        with pytest.raises(mk.RequestError) as refused:
            mk.build(mk.UNet, "picture", **ASKED, **keywords)
        assert str(refused.value) == f"unet: picture: {told}"


class TestRegistry:
    def refused(self, component):
        with pytest.raises(PluginError) as refused:
            Registry().add(component, owner="me")
        (problem,) = refused.value.problems
        return problem.message

    def test_an_optional_keyword_needs_a_default(self):
        class Demanding(Ear):
            def __init__(self, options, *, audio_channels, sample_rate, layout):
                pass

        assert self.refused(Demanding) == (
            "needs a default for 'layout', which not all who build it know; write `layout=None`"
        )

    def test_a_misspelled_one_is_told(self):
        class Misspelled(Ear):
            def __init__(self, options, *, audio_channels, sample_rate, layuot=None):
                pass

        assert self.refused(Misspelled) == (
            "takes 'layuot', which no spectral_encoder is given; did you mean 'layout'?"
        )
