"""`mousai-kit new plugin` with several kinds, and into a plug-in that is there already."""

import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

from mousai_kit.cli.scaffold.plugin import new_plugin
from mousai_kit.cli.scaffold.plugin_folder import add_to_hook
from mousai_kit.core.interfaces import KINDS

ROOT = Path(__file__).parents[3]
RUFF = [sys.executable, "-m", "ruff"]
HOOK = "src/mousai_kit_slow_turn/__init__.py"
ALL = ",".join(KINDS)


def texts_in(folder):
    """Return what a folder's files hold, by their places."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.fixture
def package(here):
    """Return the folder of a plug-in with a sampler."""
    new_plugin("slow-turn", "sampler")
    return here / "mousai-kit-slow-turn"


def offered(folder):
    """Return (kind, name) of what a package's hook returns, in a process of its own."""
    code = (
        "import mousai_kit_slow_turn as m; "
        "print([(c.kind, c.name) for c in m.mousai_kit_components()])"
    )
    path = [str(folder / "src"), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return literal_eval(done.stdout)


def passes_ruff():
    for command in (["check", "--no-cache"], ["format", "--check", "--diff", "--no-cache"]):
        done = subprocess.run([*RUFF, *command, "."], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


class TestSeveralKinds:
    def test_a_package_has_a_component_of_each(self, command, here):
        answer = command("new", "plugin", "slow-turn", "--kind", "sampler,domain")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.startswith(
            "mousai-kit-slow-turn: the sampler 'slow-turn' and the domain 'slow-turn', ready to be "
            "installed\n"
        )
        assert (
            "  mousai-kit run slow-turn.yaml\n  mousai-kit run slow-turn-domain.yaml\n"
            in answer.out
        )
        assert sorted(texts_in("mousai-kit-slow-turn")) == [
            ".gitignore",
            "README.md",
            "pyproject.toml",
            "slow-turn-domain.yaml",
            "slow-turn.yaml",
            "src/mousai_kit_slow_turn/__init__.py",
            "src/mousai_kit_slow_turn/domain.py",
            "src/mousai_kit_slow_turn/py.typed",
            "src/mousai_kit_slow_turn/sampler.py",
            "tests/test_domain.py",
            "tests/test_sampler.py",
        ]
        assert (
            "name: slow-turn-domain\n"
            in Path("mousai-kit-slow-turn/slow-turn-domain.yaml").read_text()
        )

    @pytest.mark.parametrize("name", ["slow-turn", "s" * 27])
    def test_of_all_kinds_it_is_formatted_and_passes_its_own_linter(self, here, name):
        new_plugin(name, ALL)
        passes_ruff()

    def test_its_hook_returns_them_all(self, here):
        new_plugin("slow-turn", ALL)
        found = offered(here / "mousai-kit-slow-turn")
        assert found == [(kind, "slow-turn") for kind in KINDS]

    def test_a_kind_that_is_named_twice_is_there_once(self, here):
        new_plugin("slow-turn", "metric, metric")
        assert len(list(Path("mousai-kit-slow-turn/tests").iterdir())) == 1

    def test_one_unknown_kind_is_told_and_nothing_is_written(self, command, here):
        answer = command("new", "plugin", "slow-turn", "--kind", "sampler,domian")
        assert answer.err == "there is no kind 'domian'; did you mean 'domain'?\n"
        assert (answer.code, list(here.iterdir())) == (2, [])


class TestAdding:
    def test_files_are_added_and_the_hook_returns_the_class_too(self, command, package):
        before = texts_in(package)
        answer = command("new", "plugin", "other", "--kind", "domain", "--into", package)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == (
            f"{package}: the domain 'other', added to mousai-kit-slow-turn:\n"
            "  other.yaml\n"
            "  src/mousai_kit_slow_turn/domain.py\n"
            "  tests/test_domain.py\n"
            f"  {HOOK} (what its hook returns)\n\n"
            "Try next:\n"
            f"  cd {package}\n"
            "  pip install -e '.[test]' && python -m pytest\n"
            "  mousai-kit run other.yaml\n"
        )
        after = texts_in(package)
        assert {place: after[place] for place in before if place != HOOK} == {
            place: text for place, text in before.items() if place != HOOK
        }
        assert offered(package) == [("sampler", "slow-turn"), ("domain", "other")]
        assert "requires: [mousai-kit-slow-turn]" in after["other.yaml"]
        passes_ruff()

    def test_what_was_edited_by_hand_stays(self, package):
        hook = package / HOOK
        text = hook.read_text().replace(
            "    return [SlowTurn]\n",
            "    # mine\n    return [\n        SlowTurn,  # the first\n    ]\n",
        )
        hook.write_text(f"{text}\n\nMINE = 1\n")
        (package / "src/mousai_kit_slow_turn/sampler.py").write_text("class SlowTurn: pass\n")
        new_plugin("other", "domain", package)
        changed = hook.read_text()
        assert (
            "    # mine\n    return [\n        SlowTurn,  # the first\n        Other,\n    ]\n"
            in changed
        )
        assert changed.endswith("MINE = 1\n")
        assert (
            package / "src/mousai_kit_slow_turn/sampler.py"
        ).read_text() == "class SlowTurn: pass\n"

    def test_a_second_one_of_a_kind_has_files_of_its_own_name(self, package):
        new_plugin("fast-turn", "sampler", package)
        assert {
            "fast-turn.yaml",
            "src/mousai_kit_slow_turn/fast_turn.py",
            "tests/test_fast_turn.py",
        } <= {*texts_in(package)}
        assert offered(package) == [("sampler", "slow-turn"), ("sampler", "fast-turn")]
        passes_ruff()

    def test_of_one_name_and_several_kinds_each_is_imported_as_itself(self, package):
        new_plugin("slow-turn", "domain,metric", package)
        assert [kind for kind, _ in offered(package)] == ["sampler", "domain", "metric"]
        passes_ruff()

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("return [SlowTurn]", "return list([SlowTurn])"),
            ("return [SlowTurn]", "if True:\n        return [SlowTurn]\n    return []"),
            ("return [SlowTurn]", "return [\n        SlowTurn\n    ]"),
            ("return [SlowTurn]", "return [SlowTurn"),
            ("mousai_kit_components", "mousai_kit_trained"),
            ("\n", "\r\n"),
        ],
    )
    def test_what_can_not_be_edited_safely_is_left_and_told(self, command, package, before, after):
        hook = package / HOOK
        hook.write_bytes(hook.read_text().replace(before, after).encode())
        text = hook.read_bytes()
        answer = command("new", "plugin", "other", "--kind", "domain", "--into", package)
        assert answer.code == 0
        assert hook.read_bytes() == text
        assert (
            f"\n\nAdd by hand to {HOOK}, into the list that its hook `mousai_kit_components` "
            "returns:\n"
            "  from mousai_kit_slow_turn.domain import Other\n\nTry next:\n"
        ) in answer.out
        assert (package / "src/mousai_kit_slow_turn/domain.py").is_file()

    def refused(self, command, folder, *arguments):
        before = texts_in(folder)
        answer = command("new", "plugin", *arguments)
        assert (answer.code, answer.out, texts_in(folder)) == (2, "", before)
        return answer.err.removesuffix("\n")

    def test_a_name_that_the_package_has_is_refused(self, command, package):
        told = self.refused(command, package, "slow-turn", "--kind", "sampler", "--into", package)
        place = "src/mousai_kit_slow_turn/sampler.py"
        assert (
            told == f"slow-turn: is the name of a sampler already, in {place}; choose another name"
        )

    def test_no_file_is_written_over(self, command, package):
        for name in ("domain", "other"):
            (package / f"tests/test_{name}.py").write_text("mine")
        told = self.refused(command, package, "other", "--kind", "domain", "--into", package)
        assert told == (
            "other: would be written to what is there already, 'tests/test_domain.py' and "
            "'tests/test_other.py'; choose another name"
        )

    def test_without_into_it_is_said_how_to_add(self, command, package):
        told = self.refused(command, package, "slow-turn", "--kind", "domain")
        assert told == (
            "mousai-kit-slow-turn: is a plug-in already; `--into mousai-kit-slow-turn` adds to it"
        )

    def test_another_package_is_no_plug_in(self, command, package):
        (package / "pyproject.toml").write_text('[project]\nname = "other"\n')
        told = self.refused(command, package, "other", "--kind", "domain", "--into", package)
        assert told == f"{package}: is not empty; name a new folder with --into"

    def test_a_plug_in_of_one_module_is_told(self, command, package):
        Path(package, HOOK).unlink()
        told = self.refused(command, package, "other", "--kind", "domain", "--into", package)
        assert told == (
            f"{package}: its plug-in 'mousai_kit_slow_turn' is no package in it, beside whose "
            "files others could stand; name a new folder with --into"
        )

    def test_a_place_that_takes_no_file_leaves_all_as_it_was(self, command, package):
        tests = package / "tests"
        for path in tests.iterdir():
            path.unlink()
        tests.rmdir()
        tests.write_text("no folder")
        told = self.refused(command, package, "other", "--kind", "domain", "--into", package)
        assert told.startswith(f"{package}: can't be written: ")


def test_a_long_list_is_put_a_name_to_a_line(here):
    names = ", ".join(f"Component{number}" for number in range(7))
    code = f"def mousai_kit_components():\n    return [{names}]\n"

    changed = add_to_hook(code, module="m.domain", klass="ARatherLongName", kind="domain")
    assert "\n        Component6,\n        ARatherLongName,\n    ]\n" in changed
    assert "    from m.domain import ARatherLongName\n\n    return [\n" in changed
