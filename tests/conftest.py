"""What all tests share: one thread, few examples, and stages of the smallest size."""

import copy
import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from small_stages import AUDIO, AUTOENCODER, GENERATOR, LATENTS

from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry
from mousai_kit.training.run import train_run

torch.set_num_threads(1)

# A shared machine is slow now and then, which says nothing of the code.
settings.register_profile(
    "local", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


SPECS = {"autoencoder": AUTOENCODER, "generator": GENERATOR}


@pytest.fixture(autouse=True)
def _a_quick_machine(monkeypatch):
    """No word of what lasts where there is no terminal: a slow machine would say more."""
    monkeypatch.setattr("mousai_kit.core.console.WORD_AFTER", float("inf"))


@pytest.fixture
def specs():
    """Return what a recipe says of the two smallest stages, by name, free to be changed."""
    return copy.deepcopy(SPECS)


@pytest.fixture
def build():
    """Return a function that builds a component from what a recipe says of it."""

    def built(kind, spec, *, seed=0, device="cpu", **build_kwargs):
        torch.manual_seed(seed)
        use = resolve_slot(kind, spec, {"registry": installed_registry()})
        with torch.device(device):
            return use.build(**build_kwargs)

    return built


@pytest.fixture
def audio():
    """Return the space of audio that `specs` fits."""
    return AUDIO


@pytest.fixture
def latents():
    """Return the space of latents between the two stages of `specs`."""
    return LATENTS


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """Return the folder of a finished run of `nano.RECIPE`, not to be changed."""
    import nano

    here = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("trained"))
    try:
        system = nano.system(folder="run")
        train_run(system)
        return system.folder.path.resolve()
    finally:
        os.chdir(here)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return an empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(here, trained_once):
    """Return the folder of a finished run, `runs/nano`, free to be changed."""
    (here / "nano.yaml").write_text((trained_once.parent / "nano.yaml").read_text())
    return Path(shutil.copytree(trained_once, here / "runs" / "nano")).relative_to(here)


@pytest.fixture
def command(here, capfd):
    """Return a function that runs a command; its answer has `code`, `out` and `err`."""
    import nano

    return lambda *arguments: nano.call(capfd, *arguments)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Return a folder on the import path, to install plug-ins into."""
    from shelf import Shelf

    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    made = Shelf(folder)
    yield made
    made.clear()


@pytest.fixture
def packaged(shelf, trained_once):
    """Return the folder of the trained system `piano` of a package, `theirs`, that is installed."""
    import trained_package

    system = trained_package.put(shelf.folder / "systems", run=trained_once)
    shelf.put(trained_package.code({"piano": system}), name="piano")
    installed_registry.cache_clear()
    yield system
    installed_registry.cache_clear()


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    """Set where the hub is, with an empty cache and no bars."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)

    def set_to(url):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            url + "/{repo_id}/resolve/{revision}/{filename}",
        )

    return set_to


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader of the documents, in an empty folder."""
    from reader import Reader

    random = torch.get_rng_state()
    found = Reader(tmp_path, monkeypatch)
    yield found
    found.close()
    torch.set_rng_state(random)
