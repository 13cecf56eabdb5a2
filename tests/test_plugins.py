"""Plug-ins: each is loaded by itself, whole or not at all, and what is wrong with it is told."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import sys
from importlib.metadata import EntryPoint, distributions
from itertools import count
from textwrap import dedent

import pytest

from mousai_kit.plugins import PluginReport, discover, installed

HEAD = """\
import mousai_kit.api as mk

class Made(mk.Schedule):
    name = "{name}"

    def weights(self, sigma):
        return sigma, sigma

"""
GOOD = (
    HEAD
    + """\
@mk.hookimpl
def mousai_kit_schedules():
    return [Made]
"""
)
ALL_HOOKS = (
    "'mousai_kit_text_encoders', 'mousai_kit_spectral_encoders', 'mousai_kit_unets', "
    "'mousai_kit_schedules', 'mousai_kit_samplers', 'mousai_kit_domains', 'mousai_kit_stages', "
    "'mousai_kit_datasets' and 'mousai_kit_metrics'"
)
NUMBERS = count()


class Shelf:
    """A folder on the import path with packages as pip would install them."""

    def __init__(self, folder):
        self.folder = folder
        self.modules = []

    def put(self, code, *, package="theirs", name="p", group="mousai_kit.v1"):
        """Install a package of one module; return the module's name."""
        module = f"plug_{next(NUMBERS)}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
        return module

    def discover(self):
        """Load what is on this shelf alone."""
        found = distributions(path=[str(self.folder)])
        points = [point for it in found for point in it.entry_points]
        return discover([point for point in points if point.group == "mousai_kit.v1"])

    def fault(self, code):
        """Return why a plug-in of this code is left out; a good one beside it must load."""
        self.put(code, package="theirs", name="bad")
        self.put(GOOD.format(name="good"), package="zz-good", name="good")
        registry, reports = self.discover()
        assert [component.name for component, _ in registry] == ["good"]
        bad, good = reports
        assert good == PluginReport("good", "zz-good", "1.2", ("schedule: good",))
        assert (bad.name, bad.package, bad.version, bad.components) == ("bad", "theirs", "1.2", ())
        return bad.fault


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Shelf(tmp_path)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


class TestWhatLoads:
    def test_a_plug_in_is_reported_with_all_that_it_offers(self, shelf):
        shelf.put(
            GOOD.format(name="one")
            + dedent("""
            class Two(Made):
                name = "two"

            class Sum(mk.Metric):
                name = "sum"

                def score(self, generated, reference):
                    return 0.0

            @mk.hookimpl
            def mousai_kit_metrics():
                return (it for it in [Sum, type("Mean", (Sum,), {"name": "mean"})])
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

    def test_an_entry_point_of_no_package_loads_too(self, shelf):
        module = shelf.put(GOOD.format(name="one"))
        _, reports = discover([EntryPoint("p", module, "mousai_kit.v1")])
        assert reports == [PluginReport("p", "unknown package", "0", ("schedule: one",))]

    def test_first_party_plug_ins_are_found_like_everyones(self, shelf):
        shelf.put(GOOD.format(name="theirs"))
        registry, reports = discover()
        found = {report.name: report for report in reports}
        assert (found["mousai"].fault, found["clips"].fault, found["p"].fault) == ("", "", "")
        assert found["mousai"].package == found["clips"].package == "mousai-kit"
        assert registry.find("schedule", "theirs").name == "theirs"
        assert registry.find("stage", "diffusion-autoencoder").kind == "stage"

    def test_what_is_installed_is_found_once(self):
        assert installed() is installed()
        assert installed().names("text_encoder") == ["t5", "t5-scratch"]


class TestWhatDoesNot:
    def test_a_module_that_is_missing(self, shelf):
        fault = shelf.fault("import no_such_module_anywhere")
        assert fault == (
            f"ModuleNotFoundError: No module named 'no_such_module_anywhere' ({shelf.modules[0]}.py:1)"
        )

    def test_a_syntax_error(self, shelf):
        fault = shelf.fault("x = = 1")
        assert fault.startswith(f"SyntaxError: invalid syntax ({shelf.modules[0]}.py, line 1)")

    def test_an_error_while_it_is_imported(self, shelf):
        fault = shelf.fault("\n\nraise ValueError('no\\n  luck')")
        assert fault == f"ValueError: no luck ({shelf.modules[0]}.py:3)"

    def test_an_error_that_says_nothing(self, shelf):
        assert shelf.fault("raise KeyError") == f"KeyError ({shelf.modules[0]}.py:1)"

    def test_an_exit_while_it_is_imported(self, shelf):
        assert shelf.fault("raise SystemExit(3)") == f"SystemExit: 3 ({shelf.modules[0]}.py:1)"

    def test_an_error_inside_a_hook(self, shelf):
        fault = shelf.fault("""\
        import mousai_kit.api as mk

        @mk.hookimpl
        def mousai_kit_unets():
            return [1 / 0]
        """)
        assert fault == f"ZeroDivisionError: division by zero ({shelf.modules[0]}.py:5)"

    def test_a_misspelled_hook(self, shelf):
        fault = shelf.fault("""\
        import mousai_kit.api as mk

        @mk.hookimpl
        def mousai_kit_sampler():
            return []
        """)
        assert (
            fault
            == "offers an unknown hook 'mousai_kit_sampler'; did you mean 'mousai_kit_samplers'?"
        )

    def test_a_hook_of_another_name_altogether(self, shelf):
        fault = shelf.fault("""\
        import mousai_kit.api as mk

        @mk.hookimpl
        def setup():
            return []
        """)
        assert fault == "offers an unknown hook 'setup'"

    @pytest.mark.parametrize("value", ["None", "[]", "()"])
    def test_a_hook_that_offers_nothing(self, shelf, value):
        fault = shelf.fault(f"""\
        import mousai_kit.api as mk

        @mk.hookimpl
        def mousai_kit_unets():
            return {value}
        """)
        assert fault == f"offers no component; it needs one of the hooks {ALL_HOOKS}"

    def test_a_module_without_hooks(self, shelf):
        assert shelf.fault("x = 1") == (
            f"offers no component; it needs one of the hooks {ALL_HOOKS}"
        )

    def test_a_hook_that_is_not_marked(self, shelf):
        fault = shelf.fault("def mousai_kit_unets():\n    return [int]")
        assert fault == f"offers no component; it needs one of the hooks {ALL_HOOKS}"

    def test_a_hook_that_returns_the_class_itself(self, shelf):
        fault = shelf.fault(
            HEAD.format(name="one") + "@mk.hookimpl\ndef mousai_kit_schedules():\n    return Made\n"
        )
        assert fault == (
            f"mousai_kit_schedules must return a list of classes (got <class '{shelf.modules[0]}.Made'>)"
        )

    def test_a_hook_that_takes_arguments(self, shelf):
        fault = shelf.fault("""\
        import mousai_kit.api as mk

        @mk.hookimpl
        def mousai_kit_unets(config):
            return []
        """)
        assert fault.startswith("PluginValidationError: Plugin 'bad' for hook 'mousai_kit_unets'")
        assert "\n" not in fault

    def test_a_component_that_breaks_rules_with_every_rule_told(self, shelf):
        fault = shelf.fault("""\
        import mousai_kit.api as mk

        class Bad(mk.Sampler):
            name = "Bad"

        @mk.hookimpl
        def mousai_kit_samplers():
            return [Bad]
        """)
        place = f"{shelf.modules[0]}.Bad"
        assert fault == (
            f"{place}: lacks 'sample', which every sampler has; "
            f"{place}: needs a name of lower-case words joined by '-' (got 'Bad')"
        )

    def test_a_component_of_another_kind(self, shelf):
        fault = shelf.fault(
            HEAD.format(name="one") + "@mk.hookimpl\ndef mousai_kit_unets():\n    return [Made]\n"
        )
        assert (
            fault == f"{shelf.modules[0]}.Made: is offered as a unet but is no subclass of mk.UNet"
        )

    def test_a_plug_in_is_taken_whole_or_not_at_all(self, shelf):
        fault = shelf.fault(
            HEAD.format(name="fine")
            + "@mk.hookimpl\ndef mousai_kit_schedules():\n    return [Made, int]\n"
        )
        assert fault == "builtins.int: is offered as a schedule but is no subclass of mk.Schedule"

    def test_a_name_used_twice_is_refused_with_both_owners_named(self, shelf):
        shelf.put(GOOD.format(name="same"), package="first", name="f")
        shelf.put(GOOD.format(name="same"), package="second", name="s")
        registry, reports = shelf.discover()
        assert [owner for _, owner in registry] == ["first 1.2 (f)"]
        assert [report.fault for report in reports] == [
            "",
            f"{shelf.modules[1]}.Made: the schedule 'same' is already taken by first 1.2 (f); choose another name",
        ]

    def test_ctrl_c_is_nobodys_fault(self, shelf):
        shelf.put("raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            shelf.discover()

    def test_another_version_of_the_interface_is_told_and_not_loaded(self, shelf):
        shelf.put(
            "raise ValueError('imported')", package="new-kit", name="n", group="mousai_kit.v2"
        )
        _, reports = shelf.discover()
        assert reports == [
            PluginReport(
                "n",
                "new-kit",
                "1.2",
                fault="is written for mousai_kit.v2; this mousai-kit loads mousai_kit.v1: install a version for it",
            )
        ]
        assert shelf.modules[0] not in sys.modules
