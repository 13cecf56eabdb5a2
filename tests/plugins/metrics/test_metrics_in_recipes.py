"""Recipes that name metrics of sets: what can't be measured is told before anything runs."""

import nano
import pytest
import small_listeners

import mousai_kit.api as mk
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe

READS = "an embedding that reads text, such as clap (got 'mel-statistics')"


def refused(metric, here):
    """Return why a recipe with a metric can't be loaded, without the place in its file."""
    override = f"evaluate.metrics=[{metric}]"
    (here / "nano.yaml").write_text(nano.RECIPE)
    with pytest.raises(mk.RecipeError) as raised:
        load_recipe("nano.yaml", [override], registry=installed_registry())
    return str(raised.value).removeprefix(f"--set {override}: evaluate.metrics.0")


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (
            "clap-score",
            (
                ": needs an embedding that reads text, such as "
                "`embedding: {use: clap, model: /path/to/folder}`"
            ),
        ),
        ("{use: clap-score, embedding: clap}", ".embedding.model: is missing"),
        (
            "{use: clap-score, embedding: mel-statistics}",
            f".embedding: must be {READS}",
        ),
        (
            "{use: genre-confusion, classifier: zero-shot}",
            f": `classifier: zero-shot` needs {READS}",
        ),
        (
            "{use: kl-divergence, embedding: mel-statistics}",
            (
                ".embedding: must be an embedding that classifies, such as audio-tagger "
                "(got 'mel-statistics')"
            ),
        ),
        (
            "{use: clap-score, embedding: {use: clap, model: laion/clap-htsat-unfused}}",
            (
                ".embedding.revision: must be the 40-digit commit to fetch of "
                "'laion/clap-htsat-unfused' from the hub; a folder needs none, but there is none "
                "of this name"
            ),
        ),
    ],
)
def test_what_can_not_be_measured_is_told_before_anything_runs(metric, told, here):
    assert refused(metric, here) == told


def test_a_network_in_a_folder_beside_the_recipe_is_found(here):
    small_listeners.clap(here / "clap")
    text = nano.RECIPE + "\n"
    (here / "nano.yaml").write_text(text)
    metric = "{use: clap-score, embedding: {use: clap, model: ./clap}}"
    recipe = load_recipe(
        "nano.yaml", [f"evaluate.metrics=[{metric}]"], registry=installed_registry()
    )
    (use,) = recipe.evaluate.metrics
    built = use.build(sample_rate=16_000)
    assert built.label == "clap-score (clap)"
    assert built.embedding.embed_text(["slow"]).shape == (1, small_listeners.SPACE)
