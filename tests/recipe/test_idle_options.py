"""Options that leave the weights as they are: of any kind, at any depth, nothing trains anew."""

import nano
import pytest

import mousai_kit.api as mk
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe
from mousai_kit.recipe.fingerprint import stage_hash
from mousai_kit.testing import ScheduleContract, UNetContract
from mousai_kit_dit.dit import DiT1d
from mousai_kit_mousai.schedules import Cosine

PLACES = {
    "data": ("dataset", "tones"),
    "stages.autoencoder.model": ("stage", "diffusion-autoencoder"),
    "stages.autoencoder.model.domain": ("domain", "mdct"),
    "stages.autoencoder.model.encoder": ("spectral_encoder", "mel"),
    "stages.autoencoder.model.unet": ("unet", "unet1d"),
    "stages.autoencoder.model.schedule": ("schedule", "cosine"),
    "stages.generator.model": ("stage", "text-to-latent"),
    "stages.generator.model.text": ("text_encoder", "t5-scratch"),
    "stages.generator.model.unet": ("unet", "unet1d"),
}


def idling(component):
    """Return a component with an option that leaves its weights, and one that does not."""

    class Options(component.Options):
        rounds: int = mk.Field(3, ge=1, description="of no account")
        size: int = mk.Field(3, ge=1, description="of account")

    values = {"__doc__": component.__doc__, "Options": Options}
    return type(component.__name__, (component,), values | {"never_change_weights": ("rounds",)})


@pytest.mark.parametrize("place", PLACES)
def test_it_is_no_part_of_what_decides_the_weights(here, place):
    kind, name = PLACES[place]
    registry = installed_registry()
    known = registry.replacing(idling(registry.find(kind, name)), owner="test")
    (here / "nano.yaml").write_text(nano.RECIPE)

    def hashed(*overrides):
        recipe = load_recipe("nano.yaml", overrides, registry=known)
        return stage_hash(recipe, "generator")

    said = [f"{place}={name}"] if kind == "schedule" else []  # which the recipe leaves out
    assert hashed(*said, f"{place}.rounds=7") == hashed()
    assert hashed(*said, f"{place}.size=7") != hashed()


class Lies(DiT1d):
    """A network that says of its depth that it leaves the weights."""

    never_change_weights = ("depth",)


class Misspelled(Cosine):
    """A schedule that names no option of its own."""

    never_change_weights = ("rounds",)


SMALL = {"features": 16, "depth": 1, "heads": 2}


def test_the_contract_holds_it_against_the_weights():
    rule = "test_options_that_never_change_weights_leave_them"
    suite = type("TestLies", (UNetContract,), {"component": Lies, "options": SMALL})
    with pytest.raises(AssertionError, match="depth is in never_change_weights, and changes"):
        getattr(suite(), rule)()
    suite = type("TestMisspelled", (ScheduleContract,), {"component": Misspelled})
    with pytest.raises(AssertionError, match="never_change_weights must name options"):
        getattr(suite(), rule)()
