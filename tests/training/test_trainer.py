"""Training: interrupted anywhere it ends where it would have; what it can't learn from it says."""

import json
import math
import signal
from pathlib import Path
from types import SimpleNamespace

import nano
import pytest
import torch
from torch import nn

from mousai_kit.core.errors import TrainingError
from mousai_kit.core.interfaces import Clip, SignalSpace, Stage
from mousai_kit.models.blocks import CompileError
from mousai_kit.recipe import Train
from mousai_kit.runs import checkpoint
from mousai_kit.training import trainer
from mousai_kit.training.callbacks.base import Callback
from mousai_kit.training.checkpointing import TrainingPaths
from mousai_kit.training.trainer import Trainer
from mousai_kit.training.validation import draws

LENGTH = 32


class Toy(Stage):
    """A stage with all that training must keep: weights, a buffer, dropout, a frozen weight."""

    name = "toy"

    def __init__(self, *, weight=1.0):
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.input_space, self.latent_space = SignalSpace(1, 1, 8000), None
        self.net = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.Dropout(0.5), nn.Conv1d(4, 1, 1))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("seen", torch.zeros(()))
        self.weight = weight
        self.heard = []

    def loss(self, signal, prompts, *, noise, condition="training"):
        if condition == "training":
            self.seen += 1
            self.heard.append(list(prompts))
        shift = {"other": 1.0, "none": 2.0}.get(condition, 0.0)
        guess = self.net(signal + noise.like(signal)) * self.weight
        return (guess - signal + shift).square().mean((1, 2))

    def encode(self, signal):
        return signal

    def decode(self, latents, request):
        return latents


class Numbers:
    """Clips of noise, another one each epoch; those named `spoiled` hold infinity."""

    def __init__(self, count=5, spoiled=()):
        self.count, self.spoiled = count, spoiled

    def __len__(self):
        return self.count

    def clip(self, index, epoch=0):
        generator = torch.Generator().manual_seed(100 * epoch + index)
        wave = torch.randn(1, LENGTH, generator=generator)
        if index in self.spoiled:
            wave[0, 3] = math.inf
        return Clip(wave, f"{index}", f"clip {index}")


def made(folder="a", *, clips=None, held_out=None, stage=None, **settings):
    """Return a training in a folder of its own."""
    path = Path(folder)
    path.mkdir(exist_ok=True)
    values = {"steps": 6, "batch": 2, "workers": 0, "checkpoint_every": 2, "validate_every": 3}
    return Trainer(
        "toy",
        stage or Toy(),
        Train(**values | settings),
        seed=7,
        place=TrainingPaths(path / "c", path / "w.safetensors", path / "log.jsonl", {"a": [1]}),
        clips=clips or Numbers(),
        held_out=held_out,
        report=print,
    )


def saved(folder="a"):
    """Return the newest checkpoint."""
    return checkpoint.list_checkpoints(Path(folder) / "c")[0]


def contents(folder):
    """Return all that training leaves: newest checkpoint, weights, log; without the time."""
    found = {}
    for path in [saved(folder), *sorted(Path(folder).glob("*.safetensors"))]:
        tensors, header = checkpoint.read_checkpoint(path)
        name = path.name
        found[name] = {key: value.tolist() for key, value in tensors.items()}
        found[f"{name}'s header"] = {k: v for k, v in header.items() if k != "seconds"}
    return found | {"log": nano.log_of(Path(folder) / "log.jsonl")}


class Each(Callback):
    """Calls a function with each step's loss."""

    def __init__(self, tick):
        self.tick = tick

    def on_step_end(self, training, taken):
        self.tick(taken.loss)


def each(work, tick):
    """Run a training that calls `tick` with each step's loss."""
    work.observers.append(Each(tick))
    work.run()


def interrupted_at(step, work):
    """Return a tick that presses Ctrl-C at a step."""

    def tick(loss):
        if work.step == step:
            signal.raise_signal(signal.SIGINT)

    return tick


# going on


@pytest.mark.parametrize("step", range(1, 7))
def test_ctrl_c_at_any_step_and_going_on_ends_as_if_nothing_had_been(here, step):
    made("whole", held_out=Numbers(2)).run()
    first = made("parts", held_out=Numbers(2))
    with pytest.raises(KeyboardInterrupt):
        each(first, interrupted_at(step, first))
    assert checkpoint.read_header(saved("parts"))["step"] == step
    assert Path("parts/w.safetensors").exists() == (step == 6)
    second = made("parts", held_out=Numbers(2))
    second.restore()
    second.run()
    assert contents("parts") == contents("whole")


@pytest.mark.parametrize("interrupted", [True, False])
def test_ctrl_c_that_ends_the_compiler_as_well_ends_before_the_step(here, interrupted):
    work, learn = made(), Trainer.train_step

    def compiling(batch):
        if work.step < 3:
            return learn(work, batch)
        if interrupted:
            signal.raise_signal(signal.SIGINT)
        raise CompileError("the C++ compiler was ended")

    work.train_step = compiling
    with pytest.raises(KeyboardInterrupt if interrupted else CompileError):
        work.run()
    assert checkpoint.read_header(saved())["step"] == (3 if interrupted else 2)


def test_a_second_ctrl_c_ends_at_once_and_the_handler_of_before_is_back(here):
    before = signal.getsignal(signal.SIGINT)
    work = made()

    def twice(loss):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        each(work, twice)
    assert signal.getsignal(signal.SIGINT) is before
    assert not list(Path("a/c").iterdir())


def test_more_steps_go_on_from_the_checkpoint(here):
    made("whole", steps=7).run()
    made("parts", steps=3).run()
    more = made("parts", steps=7)
    more.restore()
    assert more.step == 3
    more.run()
    assert contents("parts") == contents("whole")


def test_a_finished_training_that_is_restored_takes_no_further_step(here):
    made().run()
    before = contents("a")
    again = made()
    again.restore()
    each(again, lambda loss: pytest.fail("a step was taken"))
    assert contents("a") == before


def test_what_a_killed_training_logged_after_its_last_checkpoint_is_forgotten(here):
    made("whole").run()
    killed = made("parts")
    with pytest.raises(ZeroDivisionError):
        each(killed, lambda loss: 1 / (5 - killed.step))
    with Path("parts/log.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    again = made("parts")
    again.restore()
    assert again.step == 4
    again.run()
    assert contents("parts") == contents("whole")


# ending


def test_minutes_end_a_training_before_its_steps(here, monkeypatch):
    seconds = iter(range(1000))
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    work = made(steps=500, minutes=3 / 60)
    work.run()
    assert (work.step, work.seconds) == (3, 3)
    assert checkpoint.read_header(Path("a/w.safetensors"))["step"] == 3


def test_time_counts_over_interruptions(here, monkeypatch):
    seconds = iter(range(1000))
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    first = made(steps=500, minutes=5 / 60)
    with pytest.raises(KeyboardInterrupt):
        each(first, interrupted_at(2, first))
    second = made(steps=500, minutes=5 / 60)
    second.restore()
    second.run()
    assert (second.step, second.seconds) == (5, 5)


# what can't be learned


def test_a_loss_that_is_not_finite_stops_with_step_clip_and_last_checkpoint(here):
    order = made()
    order.run()
    (clip,) = {name for batch in order.stage.heard[2:3] for name in batch[:1]}
    spoiled = Numbers(spoiled=[int(clip)])
    with pytest.raises(TrainingError) as stopped:
        made("b", clips=spoiled, on_bad_loss="stop").run()
    step = 1 + next(i for i, batch in enumerate(order.stage.heard) if clip in batch)
    last = (step - 1) // 2 * 2 or step - 1
    kept = f"the last good checkpoint is b/c/step-{last:08d}.safetensors"
    kept = kept if last else "there is no checkpoint"
    assert str(stopped.value) == (
        f"toy: step {step}: the loss is not finite (NaN or infinity) on 'clip {clip}'; {kept}; "
        "look at the clip, or lower `learning_rate`, or use `precision: fp32`, or "
        "`on_bad_loss: skip` or `back-off`"
    )
    assert not Path("b/w.safetensors").exists()


def test_a_loss_that_is_not_finite_leaves_the_last_checkpoint_as_it_was(here):
    good = made(steps=2)
    good.run()
    before = saved().read_bytes()
    more = made(steps=9, clips=Numbers(spoiled=range(5)), on_bad_loss="stop")
    more.restore()
    with pytest.raises(TrainingError, match=r"step 3: .* is a/c/step-00000002\.safetensors; "):
        more.run()
    assert saved().read_bytes() == before


def test_a_gradient_that_is_not_finite_stops_too_and_changes_nothing(here):
    work = made(stage=Toy(weight=1e30), on_bad_loss="stop")
    before = {name: it.clone() for name, it in work.stage.named_parameters()}
    with pytest.raises(TrainingError, match=r"^toy: step 1: the loss is not finite"):
        work.run()
    assert all(it.equal(before[name]) for name, it in work.stage.named_parameters())


def test_a_log_that_can_not_be_written_is_one_line(here):
    work = made()
    Path("a/log.jsonl").mkdir()
    with pytest.raises(TrainingError) as stopped:
        work.run()
    assert str(stopped.value) == (
        "a/log.jsonl: can't be written (Is a directory); free some space and `run` again: "
        "training goes on from the last checkpoint"
    )


# how it learns


def test_the_log_has_a_line_a_step_and_one_a_validation(here):
    made(held_out=Numbers(2), steps=4, validate_every=2).run()
    lines = [json.loads(line) for line in Path("a/log.jsonl").read_text().splitlines()]
    step = ["step", "seconds", "loss", "gradient_norm", "learning_rate"]
    told = ["step", "seconds", "validation"]
    assert [list(line) for line in lines] == [step, step, told, step, step, told]
    assert [line["step"] for line in lines] == [1, 2, 2, 3, 4, 4]
    assert [list(line["validation"]) for line in lines[2::3]] == [["right", "other", "none"]] * 2


@pytest.mark.parametrize("held_out", [None, Numbers(0)])
def test_without_held_out_clips_there_is_no_validation(here, held_out):
    made(held_out=held_out).run()
    assert {key for line in nano.log_of("a/log.jsonl") for key in line} == {
        "step",
        "loss",
        "gradient_norm",
        "learning_rate",
    }


def test_validation_noise_is_the_same_every_time_and_training_goes_on_as_before(here):
    work = made(held_out=Numbers(3))
    weights = {name: it.clone() for name, it in work.stage.state_dict().items()}
    first = work.validate()
    torch.randn(99)
    assert work.validate() == first
    assert work.stage.training
    assert all(it.equal(weights[name]) for name, it in work.stage.state_dict().items())


def test_validation_is_of_the_averaged_weights(here):
    work = made(held_out=Numbers(3), ema=1.0, ema_power=0.01)
    work.run()
    told = nano.log_of("a/log.jsonl")[-1]["validation"]
    fresh = Toy().eval()
    checkpoint.load_into(fresh, checkpoint.read_checkpoint(Path("a/w.safetensors"))[0], origin="a")
    assert draws(fresh, Numbers(3), seed=work.seed, precision="fp32").means == told


def test_a_single_clip_has_no_other():
    stage = Toy().eval()
    assert list(draws(stage, Numbers(1), seed=0, precision="fp32").means) == ["right", "none"]


def test_averaged_weights_follow_the_power_law(here):
    work = made(steps=5, ema=0.6, ema_power=0.7, learning_rate=0.1)
    expected = {name: it.detach().clone() for name, it in work.stage.net.named_parameters()}

    def tick(loss):
        decay = min(0.6, 1 - (1 + work.step) ** -0.7)
        for name, it in work.stage.net.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * it.detach()

    each(work, tick)
    saved = checkpoint.read_checkpoint(Path("a/w.safetensors"))[0]
    for name, value in expected.items():
        torch.testing.assert_close(saved[f"net.{name}"], value)
        assert saved[f"net.{name}"].equal(work.stage.net.state_dict()[name])


def test_what_is_frozen_stays(here):
    work = made(learning_rate=0.1)
    work.run()
    assert work.stage.frozen.tolist() == [1.0, 1.0]


def test_the_learning_rate_warms_up_and_decays_along_a_cosine(here):
    work = made(steps=8, warmup=4, decay=0.5, learning_rate=1.0)
    rates = []
    each(work, lambda loss: rates.append(work.learner.optimizer.param_groups[0]["lr"]))
    expected = [
        min(1, (step + 1) / 4) * (0.5 + 0.5 * (1 + math.cos(math.pi * step / 8)) / 2)
        for step in range(8)
    ]
    assert rates == pytest.approx(expected)
    assert [line["learning_rate"] for line in nano.log_of("a/log.jsonl")] == rates


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_batch_in_parts_is_the_same_step(here, parts):
    """But for dropout, which draws another mask for each part."""
    for folder, accumulate in (("whole", 1), ("parts", parts)):
        stage = Toy()
        stage.net[1].p = 0.0
        made(folder, batch=4, steps=3, accumulate=accumulate, stage=stage).run()
    whole, split = (
        checkpoint.read_checkpoint(Path(it) / "w.safetensors")[0] for it in ("whole", "parts")
    )
    split["seen"] = whole["seen"]
    torch.testing.assert_close(split, whole, rtol=1e-5, atol=1e-6)
    for one, other in zip(nano.log_of("whole/log.jsonl"), nano.log_of("parts/log.jsonl"), strict=1):
        assert one == pytest.approx(other, rel=1e-5)


def test_gradients_are_clipped(here):
    norms = []
    work = made(clip_norm=1e-3)
    each(
        work,
        lambda loss: norms.append(
            torch.stack([p.grad.norm() for p in work.stage.net.parameters()]).norm().item()
        ),
    )
    assert norms == pytest.approx([1e-3] * 6, rel=1e-2)


def test_bf16_learns_and_keeps_its_weights_in_fp32(here):
    work = made(precision="bf16", held_out=Numbers(2))
    work.run()
    saved = checkpoint.read_checkpoint(Path("a/w.safetensors"))[0]
    assert {it.dtype for it in saved.values()} == {torch.float32}
    assert all(math.isfinite(line["loss"]) for line in nano.log_of("a/log.jsonl") if "loss" in line)


def test_fp16_learns_keeps_its_weights_in_fp32_and_goes_on_with_its_scale(here):
    made("whole", precision="fp16", steps=7).run()
    made("parts", precision="fp16", steps=3).run()
    more = made("parts", precision="fp16", steps=7)
    more.restore()
    more.run()
    assert contents("parts") == contents("whole")
    header = checkpoint.read_header(saved("parts"))
    assert 0 < header["learner"]["scale"]["scale"] < 2**16
    assert {
        it.dtype for it in checkpoint.read_checkpoint(Path("parts/w.safetensors"))[0].values()
    } == {torch.float32}


def test_a_gradient_out_of_fp16s_range_lowers_the_scale_and_moves_no_weight(here):
    work = made(precision="fp16", steps=1, stage=Toy(weight=8e3), weight_decay=0)
    before = {name: it.clone() for name, it in work.stage.named_parameters()}
    work.run()
    assert all(it.equal(before[name]) for name, it in work.stage.named_parameters())
    header = checkpoint.read_header(saved())
    assert header["learner"]["scale"]["scale"] == 2.0**15


def test_training_lowers_the_loss(here):
    work = made(steps=60, learning_rate=0.02, betas=[0.9, 0.99])
    told = []
    each(work, told.append)
    assert sum(told[-10:]) < 0.7 * sum(told[:10])
