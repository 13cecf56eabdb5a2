import time
from pathlib import Path

import nano
import pytest

from mousai_kit.core.errors import RequestError
from mousai_kit.studio.trainings import Trainings

RECIPE = nano.RECIPE.replace(
    "data: {use: tones, tracks: 4, held_out: 2}", "data: {use: folder, path: none}"
).replace("steps: 4, ", "steps: 4, minutes: 1, ")


@pytest.fixture
def music(here):
    folder = here / "music" / "mine"
    folder.mkdir(parents=True)
    for number in range(4):
        file = nano.tone(folder / f"{number}.wav", seconds=3, hertz=200 + 50 * number)
        file.with_suffix(".txt").write_text("sine")
    return folder


@pytest.fixture
def trainings(here, music):
    Path("tune.yaml").write_text(RECIPE)
    return Trainings(here / "trainings", [music.parent], recipe="tune.yaml")


def wait(condition, seconds=90):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_only_folders_of_music_that_were_named_are_learned_from(trainings, music):
    assert trainings.music_folders == [str(music.parent), str(music)]
    for folder in ("/etc", str(music / ".."), ""):
        with pytest.raises(RequestError, match="is none of the folders of music"):
            trainings.start("mine", folder, steps=10)
    assert trainings.names == []


@pytest.mark.parametrize("name", ["", "../x", "Mine", "a b", "-x"])
def test_a_training_has_a_plain_name(trainings, music, name):
    with pytest.raises(RequestError, match="must be small letters, digits and hyphens"):
        trainings.start(name, str(music), steps=10)
    with pytest.raises(RequestError):
        trainings.stop(name)


def test_a_training_is_a_process_of_its_own_that_stops_and_goes_on_from_anywhere(
    trainings, music, here
):
    trainings.start("mine", str(music), steps=100_000)
    with pytest.raises(RequestError, match=r"^training: 'mine' runs already$"):
        trainings.go_on("mine")
    wait(lambda: trainings.view("mine").step > 5)
    another = Trainings(here / "trainings", [music.parent], recipe="tune.yaml")  # another studio
    view = another.view("mine")
    assert view.running
    assert "generator: step" in view.told
    another.stop("mine")
    wait(lambda: not another.view("mine").running)
    stopped = another.view("mine")
    assert "interrupted" in stopped.told
    with pytest.raises(RequestError, match=r"^training: 'mine' does not run$"):
        another.stop("mine")
    another.go_on("mine")
    wait(lambda: another.view("mine").step > stopped.step)
    another.stop("mine")
    wait(lambda: not another.view("mine").running)
    assert not trainings.view("mine").running


def test_a_run_that_others_started_is_watched_and_not_steered(trainings, trained):
    assert trainings.names == ["runs/nano"]
    view = trainings.view("runs/nano")
    assert (view.running, view.ours, view.step) == (False, False, 4)
    assert view.told.startswith("generator: step 4, loss ")
    for steer in (trainings.stop, trainings.go_on):
        with pytest.raises(RequestError, match=r"^training: 'runs/nano' was not started here$"):
            steer("runs/nano")
    with pytest.raises(RequestError, match=r"^training: there is no '../secret'$"):
        trainings.view("../secret")
