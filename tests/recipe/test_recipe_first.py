"""What a recipe says of stages inside a stage: each mistake is a line with its place."""

import drafted
import nano
import pytest

from mousai_kit.core.errors import RecipeError

MODEL, FIRST = "stages.autoencoder.model", "stages.autoencoder.first"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            f"{FIRST}.drft={{steps: 3}}",
            (
                f"{FIRST}.drft: 'diffusion-autoencoder' has no stage 'drft' inside; did you mean "
                "'draft'?"
            ),
        ),
        (f"{FIRST}.draft.steps=0", f"{FIRST}.draft.steps: must be at least 1 (got 0)"),
        (f"{FIRST}.draft.stps=3", f"{FIRST}.draft.stps: unknown option; did you mean 'steps'?"),
        (
            f"{MODEL}.encoder=mel",
            f"{MODEL}.encoder: does not go with `draft`, whose own makes the latents; leave it out",
        ),
        (
            f"{MODEL}.saturation=0.1",
            f"{MODEL}.saturation: does not go with `draft`, whose latents are learned before",
        ),
        (
            f"{MODEL}.start=0.6",
            (
                f"{MODEL}.start: must not lie above `levels`, 0.5: the network learns no more "
                "noise (got 0.6)"
            ),
        ),
    ],
)
def test_what_does_not_go_with_a_draft_is_one_line(here, said, message):
    with pytest.raises(RecipeError) as refused:
        nano.system(said, text=drafted.AUTOENCODER_ONLY)
    assert str(refused.value) == f"--set {said}: {message}"


def test_a_draft_that_makes_no_sound_of_latents_is_one_line(here):
    with pytest.raises(RecipeError) as refused:
        nano.system(f"{MODEL}.draft=text-to-latent", text=drafted.AUTOENCODER_ONLY)
    assert str(refused.value) == (
        f"nano.yaml:8: {MODEL}: a draft makes sound of latents; 'text-to-latent' makes none"
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            f"{FIRST}.draft={{steps: 3}}",
            (
                f"{FIRST}.draft: 'diffusion-autoencoder' has no stage inside here that could be "
                "trained first"
            ),
        ),
        (
            f"{MODEL}.levels=0.5",
            f"{MODEL}.levels: must be 1 without a `draft` to begin from (got 0.5)",
        ),
    ],
)
def test_what_is_for_a_draft_needs_one(here, said, message):
    with pytest.raises(RecipeError) as refused:
        nano.system(said)
    assert str(refused.value) == f"--set {said}: {message}"


def test_a_fault_of_the_draft_itself_has_its_line(here):
    text = drafted.RECIPE.replace("low_rounds: 2", "low_rounds: -1")
    line = text.splitlines().index("        low_rounds: -1") + 1
    with pytest.raises(RecipeError) as refused:
        nano.recipe(text=text)
    assert str(refused.value) == (
        f"nano.yaml:{line}: {MODEL}.draft.low_rounds: must be at least 0 (got -1)"
    )


def test_settings_of_a_phase_that_processes_can_not_share_have_their_line(here):
    from mousai_kit.distributed import Communicator, Rank
    from mousai_kit.training.run import check_distributed

    recipe = nano.recipe(f"{FIRST}.draft.batch=3", text=drafted.AUTOENCODER_ONLY)
    with pytest.raises(RecipeError) as refused:
        check_distributed(recipe, Communicator(Rank(0, 2, 0)))
    assert str(refused.value) == (
        f"--set {FIRST}.draft.batch=3: {FIRST}.draft.batch: is shared by 2 processes: must be a "
        "multiple of 2 (got 3)"
    )
