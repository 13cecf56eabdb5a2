import os
import shutil

import pytest
import soundfile
import studio_page
import studio_parts
import sung


@pytest.fixture
def opened(trained, here):
    """Return an open studio with the system `nano`."""
    with studio_parts.studio([trained], here / "gallery") as found:
        yield found


@pytest.fixture(scope="session")
def nano_run(trained_once, tmp_path_factory):
    """Return a run folder called `nano`, not to be changed."""
    return shutil.copytree(trained_once, tmp_path_factory.mktemp("studio") / "nano")


@pytest.fixture(scope="session")
def beside_nano(nano_run, tmp_path_factory):
    """Return a run `hummer`, which hears melody, and `tuned`, with an adapter for `nano`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("beside"))
        return studio_parts.train_beside(nano_run)


@pytest.fixture(scope="session")
def server(nano_run, beside_nano, tmp_path_factory):
    """Return a studio's server: systems `nano` and `hummer`, adapter `tuned`, a folder of music."""
    hummer, tuned = beside_nano
    folder = tmp_path_factory.mktemp("served")
    (folder / "music").mkdir()
    studio_parts.tone(folder / "music" / "tone.wav", seconds=2)
    served = studio_parts.Server(
        [nano_run, hummer],
        folder / "gallery",
        *("--music", folder / "music", "--adapter", tuned),
    )
    yield served
    assert "Traceback" not in served.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser, of a module: Playwright keeps a loop running. CI must have one.

    Who listens to its microphone hears a melody that is hummed.
    """
    if studio_page.CHROMIUM is None or not studio_page.has_playwright():
        told = "Chromium (apt-get install chromium) and Playwright are needed"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    from playwright.sync_api import sync_playwright

    tune = tmp_path_factory.mktemp("hummed") / "tune.wav"
    soundfile.write(tune, sung.hum(sung.MELODIES[0])[0].numpy(), sung.RATE, subtype="PCM_16")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=studio_page.CHROMIUM,
            args=[*studio_page.OPTIONS, *studio_page.microphone(tune)],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser, server):
    """Return the page at desktop width; afterwards it asked no other machine and had no error."""
    opened = studio_page.open_page(browser, server)
    yield opened
    assert [url for url in opened.asked if not url.startswith((server.url, "blob:", "data:"))] == []
    assert opened.faults == []
    assert opened.evaluate("window.hacked") is None
    opened.close()
