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
