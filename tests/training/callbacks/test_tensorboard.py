"""TensorBoard: all that is known, once, whatever was interrupted."""

import nano
import pytest
from acting import Acted
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mousai_kit import audio
from mousai_kit.training.callbacks.tensorboard import TensorBoard


@pytest.fixture
def act(tmp_path):
    def begun(step=0):
        training = Acted(tmp_path, TensorBoard(tmp_path / "board", "name: toy\nseed: 0\n"))
        training.state.step, training.state.seconds = step, float(step)
        training.begin()
        return training

    return begun


@pytest.fixture
def told(tmp_path):
    def read():
        events = EventAccumulator(str(tmp_path / "board"))
        events.Reload()
        return events

    return read


def scalars(events, tag):
    return [(it.step, pytest.approx(it.value)) for it in events.Scalars(tag)]


def texts(events, tag):
    return [
        (it.step, it.tensor_proto.string_val[0].decode())
        for it in events.Tensors(f"{tag}/text_summary")
    ]


def test_figures_validations_warnings_and_the_recipe_are_there(act, told):
    training = act()
    training.steps_of([3.0, 2.0], norm=0.25)
    training.validated(right=0.5, other=0.75)
    training.warn("careful")
    training.end()
    events = told()
    assert scalars(events, "loss") == [(1, 3.0), (2, 2.0)]
    assert scalars(events, "gradient_norm") == [(1, 0.25), (2, 0.25)]
    assert scalars(events, "learning_rate") == [(1, 1e-4), (2, 1e-4)]
    assert scalars(events, "validation/right") == [(2, 0.5)]
    assert scalars(events, "validation/other") == [(2, 0.75)]
    assert texts(events, "warnings") == [(2, "careful")]
    assert texts(events, "recipe") == [(0, "    name: toy\n    seed: 0\n    ")]


def test_steps_that_are_taken_again_replace_themselves(act, told):
    first = act()
    first.steps_of([9.0, 8.0, 7.0, 6.0])
    first.validated(right=9.0)
    first.end()
    second = act(step=2)
    second.steps_of([5.0, 4.0, 3.0])
    second.end()
    events = told()
    assert scalars(events, "loss") == [(1, 9.0), (2, 8.0), (3, 5.0), (4, 4.0), (5, 3.0)]
    assert not scalars(events, "validation/right")
    assert len(texts(events, "recipe")) == 1


def test_a_killed_training_leaves_no_later_point(act, told):
    killed = act()
    killed.steps_of([9.0] * 50)
    killed.observers[-1].writer.flush()
    again = act(step=0)
    again.steps_of([1.0] * 3)
    again.end()
    assert scalars(told(), "loss") == [(1, 1.0), (2, 1.0), (3, 1.0)]
    killed.end()


def test_demos_can_be_heard_and_seen(act, told, tmp_path):
    path = nano.tone(tmp_path / "low.flac", seconds=0.5, channels=2)
    rate = audio.audio_info(path).sample_rate
    wave = audio.read(path, sample_rate=rate, channels=2)
    audio.plot_mels(path.with_suffix(".png"), {"low": audio.StreamingMel.of(wave, rate)})
    training = act()
    training.steps_of([1.0])
    training.observers[-1].on_demo(training, [path])
    training.end()
    events = told()
    (sound,), (picture,) = events.Audio("demo/low"), events.Images("demo/low")
    assert (sound.step, sound.sample_rate, sound.length_frames) == (1, rate, rate // 2)
    assert (picture.step, picture.width) == (1, 1210)
