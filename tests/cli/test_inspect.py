"""Inspection: facts as plain values; the paper's sizes are counted, not allocated."""

import gc
import json
import subprocess
import sys

import nano
import pytest

from mousai_kit.cli import describe
from mousai_kit.cli.app import no_garbage_collection
from mousai_kit.core.component import Field, Options
from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import KINDS, Schedule
from mousai_kit.core.option_docs import describe_options
from mousai_kit.recipe import shipped_recipes

PAPER = """
import json, resource, sys
from mousai_kit import cli
sys.argv = ["mousai-kit", "show", sys.argv[1], "--json"]
try: cli.main()
except SystemExit: pass
try:  # not ru_maxrss, which begins with what the parent had
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    peak = int(lines["VmHWM"].split()[0])
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(peak, file=sys.stderr)
"""


def refusal(what, ask=describe.find_component):
    with pytest.raises(RequestError) as refused:
        ask(what)
    return str(refused.value)


def test_the_papers_parameters_are_counted_without_being_allocated(here):
    path = shipped_recipes()["mousai-paper"]
    done = subprocess.run(
        [sys.executable, "-c", PAPER, str(path)], capture_output=True, text=True, check=True
    )
    lower, upper = json.loads(done.stdout)["stages"]
    assert lower["parameters"] == 185_107_872
    assert upper["parts"]["unet"] + upper["parts"]["own"] == 562_557_248
    assert (lower["latent"]["channels"], lower["latent"]["samples_per_frame"]) == (32, 1024)
    assert all(it["training_bytes"] > 2**30 for it in (lower, upper))
    assert int(done.stderr.splitlines()[-1]) < 1_500_000  # kilobytes


def test_components_are_listed_by_kind_with_a_sentence_each():
    rows = describe.list_components(None)
    assert {it["kind"] for it in rows} - {"trained"} == {*KINDS, "recipe"}
    assert all(it["summary"].endswith(".") for it in rows)
    assert describe.list_components("text-encoder") == describe.list_components("text_encoder")


def test_an_unknown_kind_is_refused_with_the_nearest_or_all():
    assert refusal("samplers", describe.list_components) == (
        "there is no kind 'samplers'; did you mean 'sampler'?"
    )
    assert refusal("xyz", describe.list_components) == (
        "there is no kind 'xyz'; the kinds are 'text_encoder', 'conditioner', "
        "'spectral_encoder', 'unet', 'schedule', 'sampler', 'domain', 'stage', 'dataset', "
        "'embedding', 'metric', 'weight_format', "
        "'recipe' and 'trained'"
    )


def test_an_unknown_name_is_refused_with_the_nearest(here):
    assert refusal("ddmi") == "there is no component and no recipe 'ddmi'; did you mean 'ddim'?"
    assert refusal("mousai-tinny") == (
        "there is no component and no recipe 'mousai-tinny'; did you mean 'mousai-tiny'?"
    )
    assert refusal("sampler/ddmi") == "no sampler is called 'ddmi'; did you mean 'ddim'?"
    assert refusal("sampler/cosine") == "no sampler is called 'cosine'; 'cosine' is a schedule"
    assert refusal("text-encoder/t4").startswith("no text_encoder is called 't4'; ")


def test_what_is_no_component_may_be_a_recipe(here):
    (here / "ddmi").write_text("")
    for what in ("mousai", "ddmi", "mousai.yaml", "there/is/none.yaml"):
        assert describe.find_component(what) is None


def test_a_name_of_several_kinds_is_refused_with_the_choices(monkeypatch):
    class Cosine(Schedule):
        """A schedule."""

        name = "twice"

        def weights(self, sigma):
            return sigma, sigma

    monkeypatch.setattr(describe, "installed_registry", lambda: _Both(Cosine))
    assert refusal("twice") == (
        "'twice' is the name of several components; say 'schedule/twice' and 'schedule/twice'"
    )


class _Both:
    """Stands for a registry in which one name is two kinds'."""

    pretrained_systems, kinds = {}, {}

    def __init__(self, component):
        self.component = component

    def __iter__(self):
        return iter([(self.component, "a"), (self.component, "b")])


def test_a_recipes_facts_add_up(here):
    facts = describe.describe_recipe(nano.recipe())
    built = nano.system().cascade
    for told, (name, stage) in zip(facts["stages"], built.stages.items(), strict=True):
        assert told["name"] == name
        assert told["parameters"] == sum(it.numel() for it in stage.parameters())
        assert sum(told["parts"].values()) == told["parameters"]
    assert facts["stages"][0]["latent"] == {
        "channels": 4,
        "samples_per_frame": 256,
        "frames_per_second": 31.25,
        "crop": [4, 8],
    }
    assert facts["stages"][1]["latent"] is None


class Inner(Options):
    """Nested options."""

    size: int = Field(3, ge=1, lt=2**20 + 1, description="how large")


class Every(Options):
    """Options of every type."""

    needed: str = Field(min_length=2, description="text")
    factor: float | None = Field(None, gt=0, le=0.25, description="factor")
    flag: bool = Field(True, description="flag")
    sizes: list[int] = Field([1, 2], max_length=4, description="sizes")
    table: dict[str, int] = Field({}, description="table")
    inner: Inner = Field(default_factory=Inner, description="inner")


def test_options_are_told_with_type_range_and_default():
    assert [tuple(it.values()) for it in describe_options(Every)] == [
        ("needed", "text", "at least 2 long", "required", "text"),
        ("factor", "number | null", "> 0, <= 0.25", "null", "factor"),
        ("flag", "true | false", "", "true", "flag"),
        ("sizes", "list of integer", "at most 4 long", "[1, 2]", "sizes"),
        ("table", "mapping to integer", "", "{}", "table"),
        ("inner", "mapping", "", "see below", "inner"),
        ("inner.size", "integer", ">= 1, < 1048577", "3", "how large"),
    ]


def test_garbage_is_left_while_a_recipe_is_shown_and_no_longer(here, command):
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert command("show", "mousai-tiny").code == 0
    assert gc.isenabled()
