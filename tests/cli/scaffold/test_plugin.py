"""`mousai-kit new plugin`: what is written, and what is refused with nothing written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nano
import packages
import pytest

from mousai_kit.cli.scaffold.plugin import FILES, TEMPLATES
from mousai_kit.core.interfaces import KINDS

ROOT = Path(__file__).parents[3]


def files_in(folder):
    return sorted(str(it.relative_to(folder)) for it in Path(folder).rglob("*") if it.is_file())


@pytest.fixture
def refused(command, here):
    """Return a function that runs `new plugin`, sees it refused, and returns what it says."""

    def said(*arguments):
        before = files_in(here)
        answer = command("new", "plugin", *arguments)
        assert (answer.code, answer.out, files_in(here)) == (2, "", before)
        return answer.err.removesuffix("\n")

    return said


class TestWhatIsWritten:
    def test_it_is_a_package_and_the_next_commands_are_told(self, command):
        answer = command("new", "plugin", "slow-turn", "--kind", "text-encoder")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == (
            "mousai-kit-slow-turn: the text encoder 'slow-turn', ready to be installed\n\n"
            "Try next:\n"
            "  cd mousai-kit-slow-turn\n"
            "  pip install -e '.[test]' && python -m pytest\n"
            "  mousai-kit run slow-turn.yaml\n\n"
            "Yours to edit: src/mousai_kit_slow_turn/text_encoder.py, where your own method goes. "
            "With it go the\ntests of the template's method, marked so in "
            "tests/test_text_encoder.py; the contract stays.\n"
        )
        assert files_in("mousai-kit-slow-turn") == [
            ".gitignore",
            "README.md",
            "pyproject.toml",
            "slow-turn.yaml",
            "src/mousai_kit_slow_turn/__init__.py",
            "src/mousai_kit_slow_turn/py.typed",
            "src/mousai_kit_slow_turn/text_encoder.py",
            "tests/test_text_encoder.py",
        ]

    def test_the_packages_prefix_may_be_typed_too(self, command):
        command("new", "plugin", "mousai-kit-slow", "--kind", "metric")
        assert nano.names() == ["mousai-kit-slow"]

    def test_an_empty_folder_is_filled_and_stays_the_same_one(self, command, here):
        Path("a folder").mkdir()
        number = Path("a folder").stat().st_ino
        answer = command("new", "plugin", "slow", "--kind", "metric", "--into", "a folder")
        assert "\n  cd 'a folder'\n" in answer.out
        assert len(files_in("a folder")) == len(FILES)
        assert Path("a folder").stat().st_ino == number

    def test_others_may_read_it(self, command):
        command("new", "plugin", "slow", "--kind", "metric")
        Path("by-hand").mkdir()
        assert Path("mousai-kit-slow").stat().st_mode == Path("by-hand").stat().st_mode

    def test_every_kind_has_its_templates_and_no_other_is_there(self):
        used = {source.replace("$kind", kind) for source in FILES.values() for kind in KINDS}
        used |= {f"{kind}/use.md" for kind in KINDS}
        assert files_in(TEMPLATES) == sorted(f"{it}.template" for it in used)

    @pytest.mark.parametrize("kind", KINDS)
    def test_each_golden_test_says_that_it_goes_with_the_templates_method(self, kind):
        text = (TEMPLATES / kind / "test.py.template").read_text(encoding="utf-8")
        golden = re.findall(r"^def (?!test_its_recipe_is_valid)test_", text, re.MULTILINE)
        marked = re.findall(rf"^{re.escape(MARK)}\n(?:@.*\n)?def test_", text, re.MULTILINE)
        assert len(marked) == len(golden) > 0

    @pytest.mark.parametrize("called", [packages.name_of, packages.longest_name_of])
    def test_its_code_is_formatted_and_passes_its_own_linter(self, here, called):
        packages.write_all(here, called)
        for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
            done = subprocess.run(
                [*RUFF, *command, "."], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout

    def test_its_code_is_typed(self, here):
        """With the settings of this tree, which are as strict: so its cache serves."""
        sources = [str(it / "src") for it in packages.write_all(here).values()]
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *sources],
            cwd=ROOT,
            env={**os.environ, "MYPYPATH": os.pathsep.join(sources)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == f"Success: no issues found in {2 * len(KINDS)} source files\n"


MARK = "# Of the template's method: when you replace that, replace this with your own claim."
RUFF = [sys.executable, "-m", "ruff"]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("My Turn", "; did you mean 'my-turn'?"),
            ("slow_turn", "; did you mean 'slow-turn'?"),
            ("3d-turn", "; did you mean 'd-turn'?"),
            ("slow--turn", "; did you mean 'slow-turn'?"),
            ("../turn", "; did you mean 'turn'?"),
            ("import os", "; did you mean 'import-os'?"),
            ("mousai-kit-", ""),
            ("\u266b", ""),
        ],
    )
    def test_a_name_is_lower_case_words(self, refused, name, hint):
        rule = "must be lower-case words joined by '-', and begin with a letter"
        assert refused(name, "--kind", "sampler") == f"{name}: {rule}{hint}"

    def test_an_empty_name_is_none(self, refused):
        rule = "must be lower-case words joined by '-', and begin with a letter"
        assert refused("", "--kind", "sampler") == f"'': {rule}"

    def test_a_long_name_is_refused(self, refused):
        name = "a" * 28
        told = "is longer than 27 characters; choose another name"
        assert refused(name, "--kind", "sampler") == f"{name}: {told}"

    @pytest.mark.parametrize(
        ("name", "klass", "whose"),
        [
            ("none", "None", "which is Python's own"),
            ("exception", "Exception", "which is Python's own"),
            ("test-tone", "TestTone", "which pytest takes for a test"),
            ("tensor", "Tensor", "which its code has already"),
            ("options", "Options", "which its code has already"),
            ("circle", "Circle", "which its code has already"),
        ],
    )
    def test_a_name_whose_class_is_something_else_is_refused(self, refused, name, klass, whose):
        told = f"would make a class '{klass}', {whose}; choose another name"
        assert refused(name, "--kind", "sampler") == f"{name}: {told}"

    def test_a_component_that_is_installed_keeps_its_name(self, refused):
        assert refused("ddim", "--kind", "sampler") == (
            "ddim: is the name of a sampler already, of mousai-kit 0.1.0 (mousai); "
            "choose another name"
        )

    def test_a_name_may_be_another_kinds(self, command):
        assert command("new", "plugin", "ddim", "--kind", "schedule").code == 0

    def test_a_module_that_is_installed_keeps_its_name(self, refused):
        assert refused("clips", "--kind", "metric") == (
            "clips: a module 'mousai_kit_clips' is installed already; choose another name"
        )

    def test_a_package_that_is_installed_keeps_its_name(
        self, refused, tmp_path_factory, monkeypatch
    ):
        shelf = tmp_path_factory.mktemp("shelf")
        info = shelf / "mousai_kit_slow-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Mousai_Kit.slow\n")
        monkeypatch.syspath_prepend(shelf)
        assert refused("slow", "--kind", "metric") == (
            "slow: a package 'mousai-kit-slow' is installed already; choose another name"
        )

    def test_an_unknown_kind_is_told(self, refused):
        assert refused("slow", "--kind", "sampller") == (
            "there is no kind 'sampller'; did you mean 'sampler'?"
        )
        assert refused("slow", "--kind", "vocoder") == (
            "there is no kind 'vocoder'; the kinds are 'text_encoder', 'conditioner', "
            "'spectral_encoder', 'unet', 'schedule', 'sampler', 'domain', 'stage', 'dataset', "
            "'embedding', 'metric' and 'weight_format'"
        )

    def test_a_missing_kind_is_told(self, refused):
        assert refused("slow") == (
            "mousai-kit new plugin: missing option '--kind'; see `mousai-kit new plugin --help`"
        )


class TestPlaces:
    def test_a_folder_with_something_in_it_is_left_alone(self, refused):
        Path("mousai-kit-slow").mkdir()
        Path("mousai-kit-slow", "mine.txt").touch()
        assert refused("slow", "--kind", "metric") == (
            "mousai-kit-slow: is not empty; name a new folder with --into"
        )

    def test_a_file_is_left_alone(self, refused):
        Path("mousai-kit-slow").touch()
        assert refused("slow", "--kind", "metric") == (
            "mousai-kit-slow: is there already; name a new folder with --into"
        )

    def test_a_link_to_nowhere_is_left_alone(self, refused):
        Path("mousai-kit-slow").symlink_to("nowhere")
        assert refused("slow", "--kind", "metric") == (
            "mousai-kit-slow: is there already; name a new folder with --into"
        )

    def test_a_folder_that_is_missing_on_the_way_is_not_made(self, refused):
        assert refused("slow", "--kind", "metric", "--into", "a/b") == (
            "a/b: can't be made: there is no folder 'a'"
        )

    @pytest.mark.parametrize("there", [True, False])
    def test_a_full_disk_leaves_nothing_behind(self, refused, there):
        if there:
            Path("mousai-kit-slow").mkdir()
        with nano.full_disk(100):
            told = refused("slow", "--kind", "metric")
        assert told == "mousai-kit-slow: can't be written: File too large"
        assert nano.names() == (["mousai-kit-slow"] if there else [])

    def test_a_place_that_takes_no_file_is_told(self, refused):
        assert refused("slow", "--kind", "metric", "--into", "/proc/slow") == (
            "/proc/slow: can't be written: No such file or directory"
        )
