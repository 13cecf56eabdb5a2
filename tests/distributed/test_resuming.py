"""A training goes on from a checkpoint, whoever made it, and learns what it would have learned."""

import nano
from alike import assert_alike
from launched import FSDP, together, train

from mousai_kit.training.trainer import Trainer

TRAIN = "{steps: %d, batch: 6, length: 2048, workers: 0, accumulate: 2, recompute: true,\
 checkpoint_every: 1, keep_checkpoints: 9}"


def until(folder, *steps):
    """Return what trains in pieces, each from the checkpoint of the one before."""

    def work(rank):
        Trainer.validate = lambda self: {}  # which each piece ends with
        for step in steps:
            train(folder, f"stages.autoencoder.train={TRAIN % step}")
        return 0

    return work


def test_fsdp_goes_on_from_ddp_and_itself_and_with_other_numbers_of_processes(here):
    nano.recipe(text=nano.AUTOENCODER_ONLY)
    pieces = [
        ("one", 1, [5], {}),
        ("run", 2, [1], {}),
        ("run", 2, [2, 3], FSDP),
        ("run", 3, [4], FSDP),
        ("run", 1, [5], {}),
    ]
    for folder, count, steps, way in pieces:
        ended = together(count, until(folder, *steps), **way)
        assert [it.code for it in ended] == [0] * count, ended[-1].err
        assert f"autoencoder: trained, {steps[-1]} steps" in ended[0].err
    assert "autoencoder: going on from step 4" in ended[0].err
    assert_alike("one", "run")
    assert len(nano.names("run/autoencoder/checkpoints")) == 5
