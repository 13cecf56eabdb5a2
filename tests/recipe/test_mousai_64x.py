"""The recipe for the authors' published autoencoder."""

from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import load_recipe
from mousai_kit.runs.import_weights import resolve_layouts


def test_its_autoencoder_has_the_published_size():
    recipe = load_recipe("mousai-64x", registry=installed_registry())
    stages = Cascade.build(recipe, device="meta").stages
    sizes = {
        name: sum(it.numel() for it in stage.parameters()) / 1e6 for name, stage in stages.items()
    }
    assert {name: round(size, 3) for name, size in sizes.items()} == {
        "autoencoder": 185.108,
        "generator": 562.557,
    }
    space = stages["autoencoder"].latent_space
    assert (space.channels, space.stride, space.sample_rate) == (32, 1024, 48000)


def test_the_authors_have_such_stages():
    recipe = load_recipe("mousai-64x", registry=installed_registry())
    for stage in recipe.stages:
        assert resolve_layouts("archinet", recipe, stage)[0]
