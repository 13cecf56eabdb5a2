"""Components of no substance, and a way to write and load recipes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from mousai_kit.core.component import Field, Options, Use, default
from mousai_kit.core.errors import RecipeError
from mousai_kit.core.interfaces import Dataset, Metric, Sampler, Schedule, Stage, UNet
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import Recipe, load_recipe


class Cosine(Schedule):
    name = "cosine"

    def weights(self, sigma):
        return sigma, sigma


class Shifted(Cosine):
    name = "shifted-cosine"

    class Options(Options):
        shift: float = Field(1.0, gt=0, description="shift")


class Ddim(Sampler):
    name = "ddim"

    class Options(Options):
        steps: int = Field(50, ge=1, le=1000, description="steps")
        eta: float = Field(0.0, ge=0, le=1, description="noise")

    def __init__(self, options, *, schedule):
        pass

    def sample(self, velocity, noise, *, generator=None):
        return noise


class Stepless(Ddim):
    name = "stepless"
    Options = Options


class Refined(Ddim):
    name = "refined"

    class Options(Options):
        first: Use[Sampler] = default("ddim")
        steps: int = Field(3, ge=1, description="steps")


class Item(Options):
    channels: int = Field(ge=1, description="channels")
    factor: int | list[int] = Field(2, description="factor")


class Net(UNet):
    name = "net"

    class Options(Options):
        items: list[Item] = Field([], description="items")
        skips: dict[str, Item] = Field({}, description="skips")
        hop_length: int = Field(256, ge=1, description="hop")
        mode: str = Field("a", pattern="^a", description="mode")

    def __init__(self, options, *, channels, context_channels, text_features):
        pass

    def forward(self, x, sigma, *, context=None, text=None):
        return x


class Ladder(Stage):
    name = "ladder"

    class Options(Options):
        unet: Use[UNet] = Field(description="network")
        schedule: Use[Schedule] = default("cosine")
        sampler: Use[Sampler] = default({"use": "ddim", "steps": 20})
        spare: list[Use[Sampler]] = Field([], description="more samplers")
        named: dict[str, Use[Sampler]] = Field({}, description="named samplers")

    def __init__(self, options, *, input_space):
        pass

    def loss(self, signal, prompts, *, noise, condition="training"):
        return signal

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        return latents


class Tones(Dataset):
    name = "tones"

    def __init__(self, options, *, sample_rate, channels, length, split):
        pass

    def __len__(self):
        return 1

    def clip(self, index, epoch=0):
        raise NotImplementedError


class Folder(Tones):
    name = "folder"

    class Options(Options):
        path: str = Field(description="folder")
        hidden: bool = Field(False, description="hidden files too")


class Distance(Metric):
    name = "distance"
    unit, better = "dB", "lower"

    class Options(Options):
        bands: int = Field(80, ge=1, description="bands")

    def __init__(self, options, *, sample_rate):
        pass

    def score(self, generated, reference):
        return 0.0


def make_registry() -> Registry:
    registry = Registry()
    for component in (
        Cosine,
        Shifted,
        Ddim,
        Stepless,
        Refined,
        Net,
        Ladder,
        Tones,
        Folder,
        Distance,
    ):
        registry.add(component, owner="test")
    return registry


GOOD = """\
version: 1
name: good
data: tones
stages:
  autoencoder:
    model:
      use: ladder
      unet: net
      schedule: {use: shifted-cosine, shift: 2}
    train: {steps: 10}
  generator:
    model:
      use: ladder
      unet:
        use: net
        items: [{channels: 1}, {channels: 2}]
      sampler: {use: ddim, steps: 50}
generate:
  prompts: [one, two]
"""


@pytest.fixture(scope="session")
def registry() -> Registry:
    return make_registry()


class Desk:
    """A folder to write recipes in, which are given by name as a user would."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder, self.registry = folder, registry

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return path

    def load(
        self, *overrides: str, text: str | bytes | None = None, name: str = "r.yaml"
    ) -> Recipe:
        if text is not None:
            self.write(name, text)
        return load_recipe(name, overrides, registry=self.registry)

    def errors(
        self, *overrides: str, text: str | bytes | None = None, name: str = "r.yaml"
    ) -> list[str]:
        with pytest.raises(RecipeError) as raised:
            self.load(*overrides, text=text, name=name)
        return str(raised.value).split("\n")


@pytest.fixture
def desk(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "mousai_kit.recipe.shipped.FOLDERS", (tmp_path / "wheel", tmp_path / "shipped")
    )
    desk = Desk(tmp_path, registry)
    desk.write("shipped/mousai.yaml", GOOD)
    desk.write("shipped/mousai-tiny.yaml", "extends: mousai.yaml\nname: tiny\n")
    return desk


@pytest.fixture
def errors(desk: Desk) -> Callable[..., list[str]]:
    """The error lines for a recipe's text."""
    return lambda text, *overrides: desk.errors(*overrides, text=text)


@pytest.fixture
def set_errors(desk: Desk) -> Callable[..., list[str]]:
    """The error lines for `--set` arguments over the good recipe."""
    return lambda *overrides: desk.errors(*overrides, text=GOOD)


@pytest.fixture
def good() -> str:
    """A recipe in which nothing is wrong."""
    return GOOD
