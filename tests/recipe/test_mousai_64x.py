"""The recipe for the authors' published autoencoder."""

from mousai_kit.cascade import Cascade
from mousai_kit.exchange.importing import layouts
from mousai_kit.plugins import installed
from mousai_kit.recipe import load_recipe


def test_its_autoencoder_has_the_published_size():
    recipe = load_recipe("mousai-64x", registry=installed())
    stages = Cascade.build(recipe, device="meta").stages
    sizes = {
        name: sum(it.numel() for it in stage.parameters()) / 1e6 for name, stage in stages.items()
    }
    assert {name: round(size, 3) for name, size in sizes.items()} == {
        "autoencoder": 185.108,
        "generator": 562.557,
    }
    space = stages["autoencoder"].space
    assert (space.channels, space.stride, space.sample_rate) == (32, 1024, 48000)


def test_the_authors_have_such_stages():
    recipe = load_recipe("mousai-64x", registry=installed())
    for stage in recipe.stages:
        assert layouts("archinet", recipe, stage)[0]
