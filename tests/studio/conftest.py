import shutil

import pytest
import studio_parts


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
def server(nano_run, tmp_path_factory):
    """Return a studio's server, with the system `nano` and a folder of music."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "music").mkdir()
    studio_parts.tone(folder / "music" / "tone.wav", seconds=2)
    served = studio_parts.Server([nano_run], folder / "gallery", "--music", folder / "music")
    yield served
    said = served.stop()
    forged = said.count("InvalidPathError: ")  # which Gradio tells with a traceback
    assert said.count("Traceback") == forged
