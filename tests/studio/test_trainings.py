import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nano
import pytest
import studio_parts
from studio_parts import wait

from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.studio.learned_systems import LearnedSystems
from mousai_kit.studio.music import MusicFolders
from mousai_kit.studio.systems import Systems
from mousai_kit.studio.trainings import Trainings
from mousai_kit.studio.tuning import TuneOrder


@pytest.fixture
def music(here):
    return studio_parts.music(here / "music" / "mine")


@pytest.fixture
def trainings(here, music, trained):
    studio_parts.tune_recipe("tune.yaml", trained.resolve())
    return open_trainings(here, music)


def open_trainings(here, music):
    """Return the trainings as a studio that is started now has them."""
    folders = MusicFolders([music.parent], here / "brought")
    return Trainings(here / "trainings", folders, recipe="tune.yaml")


@pytest.fixture
def endless(trainings, music):
    """Return trainings in which `mine` takes steps; it ends with the test."""
    trainings.start(TuneOrder("mine", str(music), steps=100_000))
    wait(lambda: trainings.view("mine").step > 5)
    yield trainings
    kill(trainings)


def kill(trainings, name="mine"):
    """End a training as a power cut would; what it left is there."""
    if name in trainings.names and (running := trainings._process(trainings.find(name))):
        running.process.kill()
        wait(lambda: trainings._process(trainings.find(name)) is None)


def refused(call, *arguments):
    with pytest.raises(MousaiError) as error:
        call(*arguments)
    return str(error.value)


def test_only_folders_of_music_that_were_named_are_learned_from(trainings, music):
    for folder in ("/etc", str(music / ".."), ""):
        told = refused(trainings.start, TuneOrder("mine", folder))
        assert "is none of the folders of music; bring some, or start the studio" in told
    assert trainings.names == ["runs/nano"]


@pytest.mark.parametrize("name", ["", "../x", "Mine", "a b", "-x"])
def test_a_training_has_a_plain_name(trainings, music, name):
    told = refused(trainings.start, TuneOrder(name, str(music)))
    assert told == "name: must be small letters, digits and hyphens, as in mine-1"
    with pytest.raises(RequestError):
        trainings.stop(name)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"steps": 0}, "steps: must be 1 to 1000000 (got 0)"),
        ({"rank": 257}, "rank: must be 1 to 256 (got 257)"),
        ({"method": "some"}, "method=some: must be one of all, adapter"),
        ({"prompt": "x" * 301}, "prompt: must be of 300 characters at most"),
    ],
)
def test_a_value_out_of_range_is_told_before_anything_starts(trainings, music, values, told):
    assert refused(trainings.start, TuneOrder("mine", str(music), **values)) == told
    assert trainings.names == ["runs/nano"]


def test_a_recipe_that_can_not_be_tuned_so_is_told_in_its_lines(here, trainings, music):
    path = Path("tune.yaml")
    path.write_text(path.read_text().replace(f"    weights: {here}/runs/nano\n", ""))
    told = refused(trainings.start, TuneOrder("mine", str(music), method="adapter"))
    assert "is for given weights; name them with `weights`" in told
    path.write_text(nano.RECIPE)
    told = refused(open_trainings(here, music).start, TuneOrder("mine", str(music)))
    assert told.endswith(
        "tune.yaml:5: data: a recipe to tune with learns from `folder`, as `mousai-tune` does"
    )


def test_the_prompt_is_what_all_of_the_music_is_called(trainings, music):
    order = TuneOrder("mine", str(music), prompt='slow "organ", {caption}: 1', steps=20)
    words = trainings.recipe.words(order, music)
    changes = dict(word.split("=", 1) for word in words[2::2])
    data = json.loads(changes["data"])
    assert data["use"] == "mix"
    assert data["sets"]["music"]["caption"] == 'slow "organ", {caption}: 1'
    assert data["sets"]["music"]["data"]["path"] == str(music)
    assert json.loads(changes["demo.prompts"]) == ['slow "organ", : 1']
    assert changes["demo.every"] == "2"


def test_a_training_is_a_process_of_its_own_that_stops_and_goes_on_from_anywhere(
    endless, music, here
):
    assert refused(endless.go_on, "mine") == "training: 'mine' runs already"
    told = refused(endless.start, TuneOrder("mine", str(music)))
    assert told == "name: there is a training 'mine' already; name another"
    another = open_trainings(here, music)  # as of another studio, or of one that was killed
    view = another.view("mine")
    assert (view.running, view.steerable, view.steps) == (True, True, 100_000)
    assert view.told.startswith("generator: step ")
    assert " of 100000, loss " in view.told
    another.stop("mine")
    wait(lambda: not another.view("mine").running)
    stopped = another.view("mine")
    assert "interrupted" in stopped.told
    assert refused(another.stop, "mine") == "training: 'mine' does not run"
    another.go_on("mine")
    wait(lambda: another.view("mine").step > stopped.step)
    kill(another)
    assert not endless.view("mine").running


def test_a_training_that_was_killed_goes_on_and_what_it_learned_is_played(endless, here, trained):
    wait(lambda: endless.view("mine").playable)
    kill(endless)
    log = next((here / "trainings/mine/run").glob("*/log.jsonl"))
    with log.open("a") as file:
        file.write('{"step": 999999, "lo')
    view = endless.view("mine")
    assert (view.running, view.steerable) == (False, True)
    assert view.step < 100_000
    systems = Systems([str(trained)])
    learned = LearnedSystems(here / "learned", systems)
    name = learned.take("mine", endless.find("mine").run)
    assert name.startswith("mine-step-")
    assert systems.names == ["nano", name]
    assert learned.take("mine", endless.find("mine").run) == name
    endless.go_on("mine")
    wait(lambda: endless.view("mine").step > view.step)
    assert "going on from step" in endless.view("mine").told


def test_of_two_pages_that_begin_or_go_on_at_once_one_does(trainings, music):
    order = TuneOrder("mine", str(music), steps=100_000)
    assert sorted(at_once(4, lambda: trainings.start(order))) == [
        "None",
        *["name: there is a training 'mine' already; name another"] * 3,
    ]
    kill(trainings)
    assert sorted(at_once(4, lambda: trainings.go_on("mine"))) == [
        "None",
        *["training: 'mine' runs already"] * 3,
    ]
    kill(trainings)


def at_once(count, call):
    """Return what several threads are refused with; None where they are not."""

    def told(_):
        try:
            call()
        except MousaiError as error:
            return str(error)
        return "None"

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(told, range(count)))


def test_a_number_that_another_process_has_by_now_is_not_stopped(endless, here):
    kill(endless)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        run = here / "trainings/mine"
        (run / "process.json").write_text(json.dumps({"pid": other.pid, "began": time.time() - 99}))
        (run / "run/.lock").write_text(f"{other.pid}\n")
        assert not endless.view("mine").running
        assert refused(endless.stop, "mine") == "training: 'mine' does not run"
        assert other.poll() is None
    finally:
        other.communicate()


def test_a_run_of_the_command_line_is_stopped_and_goes_on(trainings, here, music):
    words = [sys.executable, "-m", "mousai_kit", "run", "tune.yaml", "--out", "runs/other"]
    words += ["--set", f"data.path={music}", "--set", "stages.generator.train.steps=100000"]
    with Path("said.txt").open("w") as said:
        began = subprocess.Popen(words, stdout=said, stderr=said)
    try:
        wait(lambda: "runs/other" in trainings.names and trainings.view("runs/other").step > 5)
        view = trainings.view("runs/other")
        assert (view.running, view.ours, view.steerable) == (True, False, True)
        trainings.stop("runs/other")
        assert began.wait(60) == 130
    finally:
        began.kill()
        began.wait()
    stopped = trainings.view("runs/other")
    assert not stopped.running
    trainings.go_on("runs/other")
    try:
        wait(lambda: trainings.view("runs/other").step > stopped.step)
        assert "going on from step" in trainings.view("runs/other").told
    finally:
        kill(trainings, "runs/other")


def test_a_run_in_a_program_of_the_user_is_watched_and_not_stopped(trainings, here):
    code = "import fcntl, os\nfile = open('runs/nano/.lock', 'w')\n"
    code += "file.write(str(os.getpid())); file.flush(); print(flush=True); input()"
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        program.stdout.readline()
        view = trainings.view("runs/nano")
        assert (view.running, view.steerable) == (True, False)
        fault = f"is trained by process {program.pid}, no `mousai-kit run`"
        assert f"it {fault}" in view.told
        assert refused(trainings.stop, "runs/nano") == (
            f"training: 'runs/nano' {fault}: stop it where it was started"
        )
        assert program.poll() is None
    finally:
        program.communicate(b"\n")
    assert not trainings.view("runs/nano").running


def test_a_run_that_would_begin_anew_does_not_go_on(trainings, trained):
    view = trainings.view("runs/nano")
    assert (view.running, view.ours, view.step, view.steps) == (False, False, 4, 4)
    assert view.told.startswith("generator: step 4 of 4, loss ")
    recipe = trained / "recipe.yaml"
    text = recipe.read_text()
    recipe.write_text(text.replace("seed: 0", "seed: 1", 1))
    again = "go on in a terminal, with the command that began it"
    assert refused(trainings.go_on, "runs/nano") == (
        f"training: 'runs/nano' has weights that its recipe.yaml did not make; {again}"
    )
    recipe.unlink()
    told = refused(trainings.go_on, "runs/nano")
    assert told == f"training: 'runs/nano' has no recipe.yaml; {again}"
    recipe.write_text(text)
    (trained / "report.md").write_text("done")
    assert refused(trainings.go_on, "runs/nano") == ("training: 'runs/nano' is trained to the end")
    assert refused(trainings.view, "../secret") == "training: there is no '../secret'"


def test_what_was_removed_by_hand_is_told_in_a_line(endless, here, music):
    shutil.rmtree(music)
    assert endless.view("mine").running
    kill(endless)
    endless.go_on("mine")
    wait(lambda: not endless.view("mine").running)
    assert "there is no such folder" in endless.view("mine").told
    (here / "trainings/mine/command.json").write_text("{")
    assert refused(endless.go_on, "mine") == (
        "training: 'mine' can't go on: its command.json can't be read"
    )
    shutil.rmtree(here / "trainings/mine/run")
    assert endless.view("mine").told.startswith("nothing is logged yet")
    shutil.rmtree(here / "trainings/mine")
    for steer in (endless.view, endless.stop, endless.go_on):
        assert refused(steer, "mine") == "training: there is no 'mine'"


def test_an_adapter_is_tuned_and_is_a_system_and_an_adapter_then(trainings, here, music, trained):
    trainings.start(TuneOrder("mine", str(music), steps=4, method="adapter", rank=2))
    wait(lambda: trainings.view("mine").step)
    wait(lambda: not trainings.view("mine").running)
    systems = Systems([str(trained)])
    assert LearnedSystems(here / "learned", systems).take("mine", here / "trainings/mine/run") == (
        "mine"
    )
    assert systems.adapters == {"mine": str(here / "learned/mine")}
    settings = studio_parts.settings(adapters={"mine": 0.5})
    with studio_parts.studio([trained], here / "gallery") as opened:
        opened.systems = systems
        clip = studio_parts.make(opened, adapters={"mine": 0.5})
    assert clip.settings.adapters == settings.adapters
    shutil.rmtree(here / "trainings")  # what was taken stays, for a studio that is started later
    later = Systems([str(trained)])
    LearnedSystems(here / "learned", later).add_kept()
    assert (later.names, list(later.adapters)) == (["nano", "mine"], ["mine"])


def test_one_that_was_taken_and_can_not_be_opened_is_told_and_left_out(here, trained, capsys):
    shutil.copytree(trained, here / "learned/broken")
    (here / "learned/broken/generator/weights.safetensors").unlink()
    shutil.copytree(trained, here / "learned/nano")
    systems = Systems([str(trained)])
    LearnedSystems(here / "learned", systems).add_kept()
    assert systems.names == ["nano"]
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["broken", "nano"]
    assert LearnedSystems(here / "learned", systems).take("runs/nano", trained) == ("nano-2")
