"""StageContract: it learns, makes any length from its seeds alone, and its state is all of it."""

from __future__ import annotations

from pathlib import Path

import torch

from mousai_kit.runs import checkpoint
from mousai_kit.testing.network import learned_parameters
from mousai_kit.testing.stage_base import Trained
from mousai_kit.testing.stage_decoding import MakingRules
from mousai_kit.testing.stage_denoising import DenoisingRules
from mousai_kit.testing.stage_training import LearningRules


class StageContract(MakingRules, DenoisingRules, LearningRules):
    """What every stage keeps to.

    Set `options` to a stage of the smallest size: the suite trains it for fifty steps. A stage that
    stands on another's latents sets `input_space` to their space.
    """

    def test_what_is_inside_it_has_learned_before(self) -> None:
        stage = self.fresh()
        for name, inner in stage.first.items():
            rule = f"'{name}' learns first, alone: let its parameters require no gradient here"
            assert [*learned_parameters(inner)] == [], rule
            assert name in type(self.use().options).model_fields, f"'{name}' is no option"
        assert stage.refines is None or stage.refines in stage.first.values()

    @torch.no_grad()
    def test_all_that_it_knows_is_in_its_state(self, trained: Trained, tmp_path: Path) -> None:
        stage, fresh, file = trained.stage, self.fresh(seed=1).eval(), tmp_path / "weights"
        checkpoint.write_checkpoint(file, stage.state_dict(), {})
        fresh.download()
        fresh.load_state_dict(checkpoint.read_checkpoint(file)[0])
        latents = self.latents(stage)
        if latents is not None:
            again = self.latents(fresh)
            assert again is not None
            assert torch.equal(again, latents), "weights that are loaded encode otherwise"
        made, asked = self.decode_latents(stage, latents, self.request()), self.request()
        rule = "weights that are loaded make something else: keep what is measured in buffers"
        assert torch.equal(self.decode_latents(fresh, latents, asked), made), rule
