"""Guard: losses that are not finite, or explode, by the three things that a recipe may want."""

import math
import random
import re
from pathlib import Path

import nano
import pytest
import torch
from test_trainer import Numbers, contents, each, interrupted_at, made

from mousai_kit.core.errors import TrainingError
from mousai_kit.recipe import Train
from mousai_kit.runs import checkpoint
from mousai_kit.training.loss_guard import BACK_OFFS, SKIPS, Decision, LossGuard, Verdict
from mousai_kit.training.train_step import StepResult

INFINITE = "the loss is not finite (NaN or infinity) on 'clip 3'"


def guard(**settings):
    return LossGuard("toy", Train(**settings), lambda: Path("c/step-1"))


def judged(of, step, *losses, norm=1.0, scaled=False):
    taken = StepResult(list(losses), norm, [f"clip {place}" for place in range(len(losses))])
    return of.check(step, taken, scaled=scaled)


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
        assert judged(looks, step, loss) == Decision(Verdict.TAKE)


@pytest.mark.parametrize("level", [0.0, -0.3, -5.0])
def test_a_loss_that_falls_below_zero_is_no_explosion_and_a_leap_from_there_is_one(level):
    drawn, looks = random.Random(0), guard(on_bad_loss="stop")
    for step in range(500):
        loss = level + drawn.uniform(-0.2, 0.2)
        assert judged(looks, step, loss) == Decision(Verdict.TAKE)
    with pytest.raises(TrainingError, match="the loss explodes: 60 is over 10 times"):
        judged(looks, 501, 60.0)


def test_a_leap_is_told_with_its_figures_the_worst_clip_first():
    looks = guard(on_bad_loss="stop")
    for step in range(120):
        judged(looks, step, 0.5 + step / 1000)
    with pytest.raises(TrainingError) as stopped:
        judged(looks, 121, 1.0, 13.0)
    assert str(stopped.value) == (
        "toy: step 121: the loss explodes: 7 is over 10 times 0.519, the most of steps up to 100 "
        "before, on 'clip 1', 'clip 0'; the last good checkpoint is c/step-1; look at the clip, or "
        "lower `learning_rate`, or use `precision: fp32`, or `on_bad_loss: skip` or `back-off`"
    )


def test_a_slow_growth_is_noticed_as_well():
    looks, step = guard(on_bad_loss="skip"), 0
    while judged(looks, step, 1.05**step).verdict is Verdict.TAKE:
        step += 1
    assert step == 120


def test_explosions_can_be_left_unnoticed():
    looks = guard(loss_explosion_factor=None)
    assert {judged(looks, step, 1.5**step).verdict for step in range(300)} == {Verdict.TAKE}


def test_an_infinite_gradient_is_nobodys_fault_where_the_loss_is_scaled():
    assert judged(guard(), 1, 1.0, norm=math.inf, scaled=True) == Decision(Verdict.TAKE)
    assert judged(guard(), 1, 1.0, norm=math.inf).verdict is Verdict.SKIP


# leaving out


def test_a_bad_batch_is_left_out_and_told_where_nothing_is_said(here):
    bad = bad_steps(3)
    made("a", clips=Numbers(spoiled=[3])).run()
    assert warnings("a") == [(step, f"{INFINITE}; the batch is left out") for step in bad]
    saved = checkpoint.read_checkpoint(Path("a/w.safetensors"))[0]
    assert all(it.isfinite().all() for it in saved.values())


@pytest.mark.parametrize("on_bad_loss", ["skip", "back-off"])
@pytest.mark.parametrize("step", [2, 4, 6, 8])
def test_going_on_after_a_bad_batch_ends_as_if_nothing_had_been(here, on_bad_loss, step):
    settings = {"clips": Numbers(spoiled=[3]), "steps": 9, "on_bad_loss": on_bad_loss}
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
    looks = guard()
    for step in range(SKIPS):
        assert judged(looks, step, math.nan).verdict is Verdict.SKIP
    with pytest.raises(TrainingError) as stopped:
        judged(looks, SKIPS, math.nan)
    assert str(stopped.value) == (
        "toy: step 10: the loss is not finite (NaN or infinity) on 'clip 0'; so were 10 more of "
        "the last 100 steps; the last good checkpoint is c/step-1; look at the clip, or lower "
        "`learning_rate`, or use `precision: fp32`"
    )
    assert judged(looks, SKIPS + 100, math.nan).verdict is Verdict.SKIP


def test_a_training_in_which_nearly_every_loss_is_bad_ends_in_a_line(here):
    work = made("a", clips=Numbers(20, spoiled=range(1, 20)), steps=500, batch=1)
    with pytest.raises(TrainingError) as stopped:
        work.run()
    first, *_ = (step for step, _ in warnings("a"))
    kept = f"a/c/step-{work.step // 2 * 2:08d}.safetensors"
    assert len(warnings("a")) == SKIPS
    assert work.step < first + 2 * SKIPS
    assert re.sub("'clip [0-9]+'", "'clip 0'", str(stopped.value)) == (
        f"toy: step {work.step + 1}: the loss is not finite (NaN or infinity) on 'clip 0'; so were "
        f"10 more of the last 100 steps; the last good checkpoint is {kept}; look at the clip, or "
        "lower `learning_rate`, or use `precision: fp32`"
    )


# what was learned before the first trouble


def first_heard_at(step, **settings):
    """Return the number of a clip that is first heard at a step."""
    order = made("order", **settings, steps=step)
    order.run()
    before = {clip for batch in order.stage.heard[:-1] for clip in batch}
    return next(int(clip) for clip in order.stage.heard[-1] if clip not in before)


BIG = {"clips": Numbers(40), "checkpoint_every": 10**6, "validate_every": 10**6}


def spoiled_at(step, folder, **settings):
    """Return a training whose loss is bad at a step, long before its first checkpoint is due."""
    bad = first_heard_at(step, **BIG)
    return made(folder, **{**BIG, "clips": Numbers(40, spoiled=[bad])} | settings)


@pytest.mark.parametrize("on_bad_loss", ["skip", "back-off"])
def test_the_first_bad_loss_saves_what_was_learned_where_no_checkpoint_is(here, on_bad_loss):
    work = spoiled_at(5, "a", steps=12, on_bad_loss=on_bad_loss)
    with pytest.raises(ZeroDivisionError):
        each(work, lambda loss: 1 / (7 - work.step))
    (kept,) = Path("a/c").iterdir()
    assert checkpoint.read_header(kept)["step"] == 5
    again, whole = (spoiled_at(5, it, steps=12, on_bad_loss=on_bad_loss) for it in ("a", "whole"))
    again.restore()
    again.run()
    whole.run()
    assert contents("a") == contents("whole")


def test_a_training_that_a_bad_loss_stops_leaves_what_it_learned(here):
    work = spoiled_at(5, "a", steps=12, on_bad_loss="stop")
    with pytest.raises(TrainingError) as stopped:
        work.run()
    (kept,) = Path("a/c").iterdir()
    header = checkpoint.read_header(kept)
    assert header["step"] == 4
    assert f"; the last good checkpoint is {kept}; look at the clip" in str(stopped.value)
    on = spoiled_at(5, "a", steps=12)
    on.restore()
    on.run()
    assert [step for step, _ in warnings("a")] == [5]


def test_nothing_is_saved_before_the_first_step_or_where_there_is_a_checkpoint(here):
    with pytest.raises(TrainingError, match="; there is no checkpoint; look at the clip"):
        made("a", clips=Numbers(spoiled=range(5)), on_bad_loss="stop").run()
    assert nano.names("a/c") == []
    work = spoiled_at(5, "b", steps=6, checkpoint_every=4, keep_checkpoints=9)
    work.run()
    assert [checkpoint.read_header(it)["step"] for it in sorted(Path("b/c").iterdir())] == [4, 6]


# going back


def test_it_goes_back_to_the_last_checkpoint_and_on_at_half_the_rate(here):
    order = made("order", steps=3)
    order.run()
    bad, there = 3, 2
    clip = next(it for it in order.stage.heard[2] if it not in order.stage.heard[0])
    work = made(
        "a",
        clips=Numbers(spoiled=[int(clip)]),
        steps=bad,
        on_bad_loss="back-off",
        learning_rate=0.5,
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
    work = made("a", clips=Numbers(spoiled=range(5)), steps=1, on_bad_loss="back-off")
    before = [it.detach().clone() for it in work.stage.parameters()]
    each(work, lambda loss: None)
    assert all(map(torch.equal, before, work.stage.parameters()))


def test_it_does_not_go_back_for_ever():
    looks = guard(on_bad_loss="back-off")
    for step in range(BACK_OFFS):
        assert judged(looks, 500 * step, math.nan).verdict is Verdict.BACK_OFF
    assert looks.share == 1 / 32
    with pytest.raises(TrainingError, match="training went back 5 times before; the last good"):
        judged(looks, 5000, math.nan)


def test_what_it_knows_survives():
    looks, other = guard(on_bad_loss="back-off"), guard(on_bad_loss="back-off")
    for step in range(150):
        judged(looks, step, 1.0)
    judged(looks, 151, math.inf)
    other.load(looks.state())
    assert other.state() == looks.state()
    assert other.share == 0.5
