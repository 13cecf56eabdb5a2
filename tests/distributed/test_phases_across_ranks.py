"""Several processes learn a stage inside a stage as one does, and then the stage."""

from pathlib import Path

import drafted
import pytest
from alike import assert_alike
from launched import FSDP, together, train

pytestmark = pytest.mark.xdist_group("phases of ranks")


@pytest.mark.parametrize("way", [{}, FSDP], ids=["ddp", "fsdp"])
def test_a_phase_and_its_stage_are_learned_as_by_one(here, way):
    Path("nano.yaml").write_text(drafted.AUTOENCODER_ONLY)
    train("one")
    ended = together(2, lambda rank: train("two"), **way)
    assert [it.code for it in ended] == [0, 0], ended[0].err
    assert_alike("one", "two")
    assert "autoencoder/draft: trained, 4 steps" in ended[0].err
