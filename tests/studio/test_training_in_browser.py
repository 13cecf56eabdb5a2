"""Train in Debian's Chromium, and its endpoints: music brought, a tuning steered and played."""

import re
import shutil

import pytest
import studio_parts
from studio_page import choose_tab, fill, make, open_page, pick, serious_faults, told, wait_for

from mousai_kit.studio.music import MusicFolders
from mousai_kit.studio.trainings import Trainings

pytest.importorskip("gradio_client")
pytestmark = [
    pytest.mark.xdist_group("studio"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def trained_at(nano_run, tmp_path_factory):
    """Return a studio's server whose recipe tunes `nano` in a second, with music to learn from."""
    folder = tmp_path_factory.mktemp("training")
    studio_parts.music(folder / "music" / "sines")
    recipe = studio_parts.tune_recipe(folder / "tune.yaml", nano_run)
    (folder / "temp").mkdir()
    options = ("--music", folder / "music", "--tune", recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder / "temp"))  # the gallery is in no folder of the page's
        served = studio_parts.Server([nano_run], folder / "gallery", *options)
    yield served
    said = served.stop()
    trainings = Trainings(served.gallery / "trainings", MusicFolders([], folder / "none"))
    ours = [name for name in trainings.names if "/" not in name]
    for name in ours:
        if trainings.is_running(name):
            trainings._process(trainings.find(name)).process.kill()
    assert "Traceback" not in said


@pytest.fixture
def page(browser, trained_at):
    opened = open_page(browser, trained_at)
    choose_tab(opened, "Train")
    yield opened
    assert opened.faults == []
    opened.close()


@pytest.fixture
def client(trained_at, tmp_path):
    from gradio_client import Client

    return Client(trained_at.url, verbose=False, download_files=str(tmp_path / "taken"))


def refused(call, *arguments, **named):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as error:
        call(*arguments, **named)
    return str(error.value)


def test_a_tuning_is_begun_watched_stopped_goes_on_and_plays(page, trained_at):
    pick(page, "train-music", "sines")
    page.locator("#train-check").click()
    found = wait_for(page, "train-found", "tracks")
    assert found.startswith("4 tracks (3 to learn from, 1 held out), 0.00 hours")
    assert "described as: 'sine'" in found
    fill(page, "train-name", "Bad name")
    page.locator("#train-start").click()
    assert told(page) == "name: must be small letters, digits and hyphens, as in mine-1"
    fill(page, "train-name", "mine")
    fill(page, "train-steps", "100000")
    page.get_by_label("An adapter (LoRA)").check()
    page.locator("#train-rank").wait_for()
    page.locator("#train-start").click()
    wait_for(page, "train-told", "'mine' begins; it goes on when this page is closed")
    first = step_of(wait_for(page, "train-state", "generator: step"))
    page.locator("#train-start").click()
    assert told(page) == "name: there is a training 'mine' already; name another"
    page.reload()
    page.get_by_label("Prompt", exact=True).wait_for()
    choose_tab(page, "Train")
    wait_for(page, "train-state", "running\ngenerator: step")
    page.locator("#train-curves img").wait_for()
    page.locator("#train-stop").click()
    stopped = wait_for(page, "train-state", "not running\ngenerator: step")
    assert "interrupted" in stopped
    assert step_of(stopped) > first
    page.locator("#train-use").click()
    took = wait_for(page, "train-state", "is a system now")
    system = re.search(r"'(mine-step-\d+)' is a system now", took)[1]
    assert "Shape has a slider for it" in took
    page.locator("#train-go-on").click()
    wait_for(page, "train-state", "going on from step")
    choose_tab(page, "Shape")
    page.get_by_text(f"Adapter {system} (0: off)").wait_for()
    choose_tab(page, "Make")
    pick(page, "make-system", system)
    make(page, "what it learned")
    assert f"{system}, seed" in wait_for(page, "make-facts", "what it learned")
    page.get_by_role("tab", name="Compare", exact=True).wait_for()


def step_of(state):
    return int(re.search(r"step (\d+)", state)[1])


def test_music_is_brought_and_a_short_tuning_ends_with_demos_to_hear(page, trained_at, tmp_path):
    files = [studio_parts.tone(tmp_path / f"{n}.wav", seconds=2) for n in range(2)]
    (tmp_path / "0.txt").write_text("slow sine")
    page.get_by_role("button", name="Bring music").click()
    page.locator("#train-files input[type=file]").set_input_files([*files, tmp_path / "0.txt"])
    page.locator("#train-files .file").nth(2).wait_for()
    fill(page, "train-folder", "two")
    page.locator("#train-bring").click()
    wait_for(page, "train-found", "'two' is kept: 2 files of music")
    assert (trained_at.gallery / "music" / "two" / "0.txt").read_text() == "slow sine"
    fill(page, "train-name", "short")
    fill(page, "train-steps", "4")
    fill(page, "train-prompt", "slow sine")
    page.locator("#train-start").click()
    wait_for(page, "train-told", "'short' begins")
    wait_for(page, "train-state", "not running\ngenerator: step 4 of 4")
    page.locator("#train-demo-1").get_by_text("step-00000004").first.wait_for()
    assert serious_faults(page) == []
    page.locator("#train-use").click()
    wait_for(page, "train-state", "'short' is a system now")
    shutil.rmtree(trained_at.gallery / "trainings" / "short")
    wait_for(page, "train-state", "training: there is no 'short'")


def test_programs_bring_music_tune_watch_stop_and_use(client, tmp_path):
    from gradio_client import handle_file

    files = [studio_parts.tone(tmp_path / f"{n}.wav", seconds=2) for n in range(2)]
    given = [handle_file(str(file)) for file in files]
    folder = client.predict("brought", given, api_name="/bring_music")
    assert folder in client.predict(api_name="/music")
    looked = client.predict(folder, api_name="/check_music")
    assert (looked["share"], looked["facts"]["pieces"]) == (1.0, 2)
    begun = client.predict("api", folder, steps=100_000, api_name="/tune")
    assert begun == {"name": "api", "advice": looked["facts"]["advice"]}
    assert "api" in client.predict(api_name="/trainings")
    studio_parts.wait(lambda: view(client, "api")["step"] > 10)
    assert view(client, "api")["running"]
    client.predict("api", api_name="/stop_training")
    studio_parts.wait(lambda: not view(client, "api")["running"])
    stopped = view(client, "api")
    assert stopped["playable"]
    assert client.predict("api", api_name="/training_curves").endswith(".png")
    system = client.predict("api", api_name="/use_training")
    assert system == f"api-step-{stopped['step']}"
    assert system in {it["name"] for it in client.predict(api_name="/systems")}
    made = client.predict(system, "sine", seconds=0.5, seed=1, api_name="/make")
    assert made["clips"][0]["settings"]["system"] == system
    client.predict("api", api_name="/continue_training")
    assert refused(client.predict, "api", api_name="/continue_training") == (
        "training: 'api' runs already"
    )
    for endpoint, arguments, line in (
        ("/training", ["none"], "training: there is no 'none'"),
        ("/use_training", ["../x"], "training: there is no '../x'"),
        ("/check_music", ["/etc"], "music=/etc: is none of the folders of music; "),
        ("/tune", ["x", folder, 0], "steps: must be 1 to 1000000 (got 0)"),
        ("/training_demo", ["api", "../../log.jsonl"], "demo=../../log.jsonl: 'api' has no such"),
    ):
        assert refused(client.predict, *arguments, api_name=endpoint).startswith(line)


def view(client, name):
    return client.predict(name, api_name="/training")
