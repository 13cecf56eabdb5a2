"""Guard: losses that are not finite, or explode, by the three things that a recipe may want."""

import math
import random
from pathlib import Path

import nano
import pytest
import torch
from test_loop import Numbers, contents, each, interrupted_at, made

from mousai_kit import checkpoints
from mousai_kit.errors import TrainingError
from mousai_kit.recipe import Train
from mousai_kit.training.guard import BACK_OFFS, SKIPS, Guard, Judgement, Verdict
from mousai_kit.training.step import Taken

INFINITE = "the loss is not finite (NaN or infinity) on 'clip 3'"


def guard(**settings):
    return Guard("toy", Train(**settings), lambda: Path("c/step-1"))


def judged(of, step, *losses, norm=1.0, scaled=False):
    taken = Taken(list(losses), norm, [f"clip {place}" for place in range(len(losses))])
    return of.judge(step, taken, scaled=scaled)


def warnings(folder):
    lines = nano.log_of(f"{folder}/log.jsonl")
    return [(it["step"], it["warning"]) for it in lines if "warning" in it]


def bad_steps(clip, **settings):
    """Return the steps whose batch holds a clip, and a training that skips them."""
    order = made("order", **settings)
    order.run()
    return [i + 1 for i, batch in enumerate(order.stage.heard) if f"{clip}" in batch]


# what counts as an explosion


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_explosion_however_long(seed):
    """Losses of single clips are spread like this: over a hundredfold, and falling."""
    drawn, looks = random.Random(seed), guard()
    for step in range(2000):
        loss = (1 + 9 * 0.99**step) * math.exp(drawn.uniform(-3, 2))
        assert judged(looks, step, loss) == Judgement(Verdict.TAKE)


@pytest.mark.parametrize("level", [0.0, -0.3, -5.0])
def test_a_loss_that_falls_below_zero_is_no_explosion_and_a_leap_from_there_is_one(level):
    drawn, looks = random.Random(0), guard()
    for step in range(500):
        loss = level + drawn.uniform(-0.2, 0.2)
        assert judged(looks, step, loss) == Judgement(Verdict.TAKE)
    with pytest.raises(TrainingError, match="the loss explodes: 60 is over 10 times"):
        judged(looks, 501, 60.0)


def test_a_leap_is_told_with_its_figures_the_worst_clip_first():
    looks = guard()
    for step in range(120):
        judged(looks, step, 0.5 + step / 1000)
    with pytest.raises(TrainingError) as stopped:
        judged(looks, 121, 1.0, 13.0)
    assert str(stopped.value) == (
        "toy: step 121: the loss explodes: 7 is over 10 times 0.519, the most of steps up to 100 "
        "before, on 'clip 1', 'clip 0'; the last good checkpoint is c/step-1; look at the clip, or "
        "lower `learning_rate`, or use `precision: fp32`, or `bad_loss: skip` or `back-off`"
    )


def test_a_slow_growth_is_noticed_as_well():
    looks, step = guard(bad_loss="skip"), 0
    while judged(looks, step, 1.05**step).verdict is Verdict.TAKE:
        step += 1
    assert step == 120


def test_explosions_can_be_left_unnoticed():
    looks = guard(explodes_at=None)
    assert {judged(looks, step, 1.5**step).verdict for step in range(300)} == {Verdict.TAKE}


def test_an_infinite_gradient_is_nobodys_fault_where_the_loss_is_scaled():
    assert judged(guard(), 1, 1.0, norm=math.inf, scaled=True) == Judgement(Verdict.TAKE)
    with pytest.raises(TrainingError, match="not finite"):
        judged(guard(), 1, 1.0, norm=math.inf)


# leaving out


def test_a_bad_batch_is_left_out_and_told(here):
    bad = bad_steps(3)
    made("a", clips=Numbers(spoiled=[3]), bad_loss="skip").run()
    assert warnings("a") == [(step, f"{INFINITE}; the batch is left out") for step in bad]
    saved = checkpoints.read(Path("a/w.safetensors"))[0]
    assert all(it.isfinite().all() for it in saved.values())


@pytest.mark.parametrize("bad_loss", ["skip", "back-off"])
@pytest.mark.parametrize("step", [2, 4, 6, 8])
def test_going_on_after_a_bad_batch_ends_as_if_nothing_had_been(here, bad_loss, step):
    settings = {"clips": Numbers(spoiled=[3]), "steps": 9, "bad_loss": bad_loss}
    made("whole", **settings).run()
    first = made("parts", **settings)
    with pytest.raises(KeyboardInterrupt):
        each(first, interrupted_at(step, first))
    second = made("parts", **settings)
    second.restore()
    second.run()
    assert contents("parts") == contents("whole")
    assert warnings("whole")


def test_too_many_bad_batches_stop_it():
    looks = guard(bad_loss="skip")
    for step in range(SKIPS):
        assert judged(looks, step, math.nan).verdict is Verdict.SKIP
    with pytest.raises(TrainingError, match="so were 10 more of the last 100 steps; the last good"):
        judged(looks, SKIPS, math.nan)
    assert judged(looks, SKIPS + 100, math.nan).verdict is Verdict.SKIP


# going back


def test_it_goes_back_to_the_last_checkpoint_and_on_at_half_the_rate(here):
    order = made("order", steps=3)
    order.run()
    bad, there = 3, 2
    clip = next(it for it in order.stage.heard[2] if it not in order.stage.heard[0])
    work = made(
        "a", clips=Numbers(spoiled=[int(clip)]), steps=bad, bad_loss="back-off", learning_rate=0.5
    )
    seen = {}

    def tick(loss):
        seen[work.step] = [it.detach().clone() for it in work.stage.parameters()]

    each(work, tick)
    assert all(map(torch.equal, seen[bad], seen[there]))
    assert work.learning_rate == 0.25
    told = "the learning rate is 0.5 of the recipe's from here on"
    fault = INFINITE.replace("clip 3", f"clip {clip}")
    assert warnings("a")[0] == (bad, f"{fault}; back to the last checkpoint's weights; {told}")


def test_without_a_checkpoint_the_weights_stay(here):
    work = made("a", clips=Numbers(spoiled=range(5)), steps=1, bad_loss="back-off")
    before = [it.detach().clone() for it in work.stage.parameters()]
    each(work, lambda loss: None)
    assert all(map(torch.equal, before, work.stage.parameters()))


def test_it_does_not_go_back_for_ever():
    looks = guard(bad_loss="back-off")
    for step in range(BACK_OFFS):
        assert judged(looks, 500 * step, math.nan).verdict is Verdict.BACK_OFF
    assert looks.share == 1 / 32
    with pytest.raises(TrainingError, match="training went back 5 times before; the last good"):
        judged(looks, 5000, math.nan)


def test_what_it_knows_survives():
    looks, other = guard(bad_loss="back-off"), guard(bad_loss="back-off")
    for step in range(150):
        judged(looks, step, 1.0)
    judged(looks, 151, math.inf)
    other.load(looks.state())
    assert other.state() == looks.state()
    assert other.share == 0.5
