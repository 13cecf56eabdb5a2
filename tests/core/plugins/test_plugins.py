"""Plug-ins: each is loaded by itself, and what its author should know is told."""

import sys
from importlib.metadata import EntryPoint
from textwrap import dedent

import pytest
from shelf import GOOD, HEAD

from mousai_kit.cli import describe
from mousai_kit.core.plugins import PluginReport, discover, installed_registry
from mousai_kit.core.plugins import reports as notes
from mousai_kit.recipe.json_schema import json_schema

KIND = """\
import mousai_kit.api as mk

class Window(mk.Component):
    "Weights of the samples of a frame."
    kind = "window"

    def __init__(self, options): ...

class Hann(Window):
    "Hann's window."
    name = "hann"

@mk.hookimpl
def mousai_kit_components():
    return [Hann]
"""


class TestWhatLoads:
    def test_a_plug_in_is_reported_with_all_that_it_offers(self, shelf):
        shelf.put(
            GOOD.format(name="one")
            + dedent("""
            class Two(Made):
                name = "two"

            class Sum(mk.Metric):
                "A sum."
                name = "sum"
                unit, better = "", "lower"

                def score(self, generated, reference):
                    return 0.0

            @mk.hookimpl
            def mousai_kit_components():
                mean = type("Mean", (Sum,), {"name": "mean", "__doc__": "x"})
                return (it for it in [Made, Sum, mean])
            """)
        )
        registry, reports = shelf.discover()
        assert reports == [
            PluginReport("p", "theirs", "1.2", ("schedule: one", "metric: sum", "metric: mean"))
        ]
        assert [(it.name, owner) for it, owner in registry] == [
            ("one", "theirs 1.2 (p)"),
            ("mean", "theirs 1.2 (p)"),
            ("sum", "theirs 1.2 (p)"),
        ]

    def test_nothing_is_remembered_from_one_discovery_to_the_next(self, shelf):
        shelf.put(GOOD.format(name="one"))
        first, again = shelf.discover(), shelf.discover()
        assert first[0] is not again[0]
        assert first[1] == again[1]

    def test_packages_load_in_the_order_of_their_names(self, shelf):
        for package in ("b", "a", "c"):
            shelf.put(GOOD.format(name=f"of-{package}"), package=package)
        assert [report.package for report in shelf.discover()[1]] == ["a", "b", "c"]

    def test_nobody_takes_a_name_from_the_plug_ins_that_come_with_mousai_kit(self, shelf):
        shelf.put(GOOD.format(name="cosine"), package="aaa")
        registry, reports = discover()
        assert {it.fault for it in reports if it.package == "mousai-kit"} == {""}
        assert registry.find("schedule", "cosine").__module__ == "mousai_kit_mousai.schedules"

    def test_an_entry_point_of_no_package_loads_too(self, shelf):
        module = shelf.put(GOOD.format(name="one"))
        _, reports = discover([EntryPoint("p", module, "mousai_kit.v1")])
        assert reports == [PluginReport("p", "unknown package", "0", ("schedule: one",))]

    def test_an_entry_point_may_name_an_object_in_a_module(self, shelf):
        hook = GOOD[len(HEAD) :].replace("\n", "\n    ").replace("():", "(self):")
        code = HEAD.format(name="one") + f"class Plug:\n    {hook}\nplug = Plug()\n"
        shelf.put(code, value="{module}:plug")
        assert shelf.discover()[1] == [PluginReport("p", "theirs", "1.2", ("schedule: one",))]

    def test_a_hook_may_have_another_name_and_says_which_it_is(self, shelf):
        code = GOOD.format(name="one").replace(
            "@mk.hookimpl\ndef mousai_kit_components",
            "@mk.hookimpl(specname='mousai_kit_components')\ndef mine",
        )
        shelf.put(code)
        assert [it.name for it, _ in shelf.discover()[0]] == ["one"]

    def test_what_answers_to_any_name_is_taken_for_no_hook(self, shelf):
        shelf.put("from torch import ops\nfrom unittest.mock import call\n" + GOOD.format(name="o"))
        assert [it.fault for it in shelf.discover()[1]] == [""]

    def test_two_packages_may_call_their_entry_points_alike(self, shelf):
        shelf.put(GOOD.format(name="one"), package="a")
        shelf.put(GOOD.format(name="two"), package="b")
        registry, reports = shelf.discover()
        assert [it.owner for it in reports] == ["a 1.2 (p)", "b 1.2 (p)"]
        assert registry.names("schedule") == ["one", "two"]

    def test_first_party_plug_ins_are_found_like_everyones(self, shelf):
        shelf.put(GOOD.format(name="theirs"))
        registry, reports = discover()
        found = {report.name: report for report in reports}
        assert (found["mousai"].fault, found["clips"].fault, found["p"].fault) == ("", "", "")
        assert found["mousai"].package == found["clips"].package == "mousai-kit"
        assert registry.find("schedule", "theirs").name == "theirs"
        assert registry.find("stage", "diffusion-autoencoder").kind == "stage"

    def test_first_party_plug_ins_have_nothing_to_be_noted(self):
        owned = [it for it in discover()[1] if it.package == "mousai-kit"]
        told = [str(it) for report in owned for it in report.notes]
        assert [it for it in told if not it.startswith("takes ")] == []  # a machine may be slow

    def test_what_is_installed_is_found_once(self):
        assert installed_registry() is installed_registry()
        assert installed_registry().names("sampler") == [
            "angle-2m",
            "ddim",
            "dpmpp-2m",
            "dpmpp-2m-sde",
            "few-step",
            "heun",
        ]

    def test_a_plug_in_may_bring_a_kind_of_which_another_has_a_slot(self, shelf, monkeypatch):
        kind = shelf.put(KIND, package="a-kind")
        shelf.put(
            GOOD.format(name="framed").replace(
                "    def weights",
                "    class Options(mk.Options):\n"
                f"        window: mk.Use[__import__('{kind}').Window] = mk.default('hann')\n\n"
                "    def weights",
            )
        )
        registry, reports = shelf.discover()
        assert [(it.components, it.fault, it.notes) for it in reports] == [
            (("window: hann",), "", ()),
            (("schedule: framed",), "", ()),
        ]
        assert [it.name for it, _ in registry] == ["framed", "hann"]
        definitions = json_schema(registry)["definitions"]
        assert definitions["window.names"]["enum"] == ["hann"]
        monkeypatch.setattr(describe, "installed_registry", lambda: registry)
        assert [it["name"] for it in describe.list_components("window")] == ["hann"]
        assert describe.component_facts(describe.find_component("window/hann"))["kind"] == "window"


class TestNotes:
    def notes(self, shelf, code):
        shelf.put(code)
        (report,) = shelf.discover()[1]
        assert report.fault == ""
        return [str(it).replace(f"{shelf.folder}/{shelf.modules[0]}", "it") for it in report.notes]

    def test_a_component_without_a_docstring(self, shelf):
        code = GOOD.format(name="one").replace('"""A schedule."""', "")
        assert self.notes(shelf, code) == [
            "it.py:3: Made: has no docstring; its first line is what `mousai-kit ls` prints"
        ]

    def test_a_slot_whose_default_is_not_installed(self, shelf):
        code = GOOD.format(name="one").replace(
            '    name = "one"',
            '    name = "one"\n    class Options(mk.Options):\n'
            '        inner: mk.Use[mk.Schedule] = mk.default("three")\n'
            "        must: mk.Use[mk.Schedule]\n",
        )
        (told,) = self.notes(shelf, code)
        assert told == (
            "it.py:3: Made: the default of its slot 'inner.use' can't be used; "
            "no schedule is called 'three'; there is 'one'"
        )

    def test_a_slot_may_stand_for_what_loads_later(self, shelf):
        code = GOOD.format(name="one").replace(
            '    name = "one"',
            '    name = "one"\n    class Options(mk.Options):\n'
            '        inner: mk.Use[mk.Schedule] = mk.default("two")\n',
        )
        shelf.put(GOOD.format(name="two"), package="zz")
        shelf.put(code)
        assert [report.notes for report in shelf.discover()[1]] == [(), ()]

    def test_a_plug_in_that_takes_long(self, shelf, monkeypatch):
        monkeypatch.setattr(notes, "SLOW", 0.1)
        (told,) = self.notes(shelf, "import time\ntime.sleep(0.1)\n" + GOOD.format(name="one"))
        assert told.startswith("takes 0.")
        assert told.endswith(
            " s to load, at every command; import what is heavy in the methods that use it"
        )


class TestSwitchingOff:
    @pytest.mark.parametrize("value", ["bad", "their-s", "Their_S", "x, bad ,", "zz,their-s"])
    def test_a_plug_in_is_switched_off_by_its_name_or_its_packages(self, shelf, monkeypatch, value):
        monkeypatch.setenv("MOUSAI_KIT_WITHOUT", value)
        shelf.put("raise ValueError('imported')", package="their-s", name="bad")
        shelf.put(GOOD.format(name="one"), package="zzz")
        bad, good = shelf.discover()[1]
        assert (bad.switched_off, good.switched_off, good.fault) == (True, False, "")
        assert bad.fault == (
            "is switched off by MOUSAI_KIT_WITHOUT; take it out of there to load it"
        )
        assert shelf.modules[0] not in sys.modules

    def test_nothing_is_switched_off_by_nothing(self, shelf, monkeypatch):
        monkeypatch.setenv("MOUSAI_KIT_WITHOUT", " ,")
        shelf.put(GOOD.format(name="one"))
        assert [it.fault for it in shelf.discover()[1]] == [""]


class TestWhatIsLookedForInVain:
    def refusal(self, registry, name):
        with pytest.raises(LookupError) as raised:
            registry.find("schedule", name)
        return str(raised.value)

    def test_who_was_left_out_is_told_where_it_is_known_to_offer_it(self, shelf):
        shelf.put(GOOD.format(name="mine").replace("[Made]", "[Made, int]"), package="bad-kit")
        assert self.refusal(shelf.discover()[0], "mine") == (
            "no schedule is called 'mine'; bad-kit 1.2 (p), which offers it, was left out: see "
            "`mousai-kit plugins`"
        )

    @pytest.mark.parametrize(
        ("count", "told"), [(1, "1 plug-in was left out"), (2, "2 plug-ins were left out")]
    )
    def test_that_plug_ins_were_left_out_is_told(self, shelf, count, told):
        for number in range(count):
            shelf.put("1 / 0", package=f"bad-{number}")
        shelf.put(GOOD.format(name="good"), package="good")
        registry, _ = shelf.discover()
        see = f"{told}: see `mousai-kit plugins`"
        assert self.refusal(registry, "x") == f"no schedule is called 'x'; there is 'good'; {see}"
        assert self.refusal(registry, "goo") == (
            f"no schedule is called 'goo'; did you mean 'good'?; {see}"
        )
