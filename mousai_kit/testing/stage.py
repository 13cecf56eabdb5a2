"""StageContract: it learns, makes any length from its seeds alone, and its state is all of it."""

from __future__ import annotations

from pathlib import Path

import torch

from mousai_kit import checkpoints
from mousai_kit.testing.stage_ground import Trained
from mousai_kit.testing.stage_learning import LearningRules
from mousai_kit.testing.stage_making import MakingRules


class StageContract(MakingRules, LearningRules):
    """What every stage keeps to.

    Set `options` to a stage of the smallest size: the suite trains it for fifty steps. A stage that
    stands on another's latents sets `below` to their space.
    """

    @torch.no_grad()
    def test_all_that_it_knows_is_in_its_state(self, trained: Trained, tmp_path: Path) -> None:
        stage, fresh, file = trained.stage, self.fresh(seed=1).eval(), tmp_path / "weights"
        checkpoints.write(file, stage.state_dict(), {})
        fresh.ready()
        fresh.load_state_dict(checkpoints.read(file)[0])
        latents = self.latents(stage)
        if latents is not None:
            again = self.latents(fresh)
            assert again is not None
            assert torch.equal(again, latents), "weights that are loaded encode otherwise"
        made, asked = self.made(stage, latents, self.request()), self.request()
        rule = "weights that are loaded make something else: keep what is measured in buffers"
        assert torch.equal(self.made(fresh, latents, asked), made), rule
