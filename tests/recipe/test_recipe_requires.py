"""`requires`: the packages of a recipe's components, and what is said where one is missing."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import importlib
from pathlib import Path

import nano
import pytest

from mousai_kit.core.errors import RecipeError
from mousai_kit.core.interfaces import Sampler
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import load_recipe, shipped_recipes, stage_fingerprint_values

REQUIRES = "name: good\nrequires: {}\n"
SAMPLER = "sampler: {use: ddim, steps: 50}"
MISSING = "mousai-kit-acme is not installed: pip install mousai-kit-acme"


class Acme(Sampler):
    name = "acme"

    def __init__(self, options, *, schedule):
        pass

    def sample(self, velocity, noise, *, generator=None):
        return noise


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a package of nothing, as far as its metadata tell."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def installing(package, version):
        info = tmp_path / "site" / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        (info / "METADATA").write_text(lines)
        importlib.invalidate_caches()

    return installing


@pytest.fixture
def with_acme(desk):
    """The desk with a component of another package."""
    desk.registry = with_owner(desk.registry, "mousai-kit-acme 0.3.1+local (acme)")
    return desk


def copied(registry):
    """Return a registry of the same components, free to be changed."""
    made = Registry()
    for component, owner in registry:
        made.add(component, owner=owner)
    return made


def with_owner(registry, owner):
    """Return a registry with `acme` beside what is in another one."""
    made = copied(registry)
    made.add(Acme, owner=owner)
    return made


def requiring(good, requires):
    return good.replace("name: good\n", REQUIRES.format(requires))


class TestWhatIsWritten:
    @pytest.mark.parametrize(
        "text",
        ["mousai-kit-acme", "acme >=0.2", "acme>=0.2,<1", "acme~=1.4.2", "Acme.Kit_2!=1.0,==1.*"],
    )
    def test_a_requirement_is_a_package_with_versions_if_need_be(self, errors, good, text, install):
        (line,) = errors(requiring(good, f"['{text}']"))
        assert line.startswith(f"r.yaml:3: requires.0: {text} is not installed: pip install ")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "-e .",
            "acme[all]",
            "acme @ https://a.b/c.whl",
            "acme; python_version>'3'",
            "acme>=",
            "a b",
            "./acme",
        ],
    )
    def test_all_else_that_pip_takes_is_refused(self, errors, good, text):
        shown = repr(text)
        quoted = '"' + text + '"'
        assert errors(requiring(good, f"[{quoted}]")) == [
            f"r.yaml:3: requires.0: must be a package's name, with versions if need be, such as 'mousai-kit-acme>=0.2' (got {shown})"
        ]

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ("acme", "requires: must be a list (got 'acme')"),
            ("null", "requires: must be a list (got null)"),
            ("[1]", "requires.0: must be text; put it in quotes (got 1)"),
            ("[{acme: 1}]", "requires.0: must be text (got a mapping)"),
        ],
    )
    def test_it_is_a_list_of_text(self, errors, good, value, told):
        assert errors(requiring(good, value)) == [f"r.yaml:3: {told}"]

    def test_it_changes_neither_hash_nor_key_nor_equality(self, desk, good, install):
        install("acme", "1.0")
        plain = desk.load(text=good)
        more = desk.load(text=requiring(good, "[acme>=0.5]"))
        assert more.requires == ["acme>=0.5"]
        assert (more, more.hash) == (plain, plain.hash)
        assert stage_fingerprint_values(more, "generator") == stage_fingerprint_values(
            plain, "generator"
        )

    def test_it_is_dumped_and_read_again(self, desk, good, install):
        install("acme", "1.0")
        recipe = desk.load(text=requiring(good, "['acme>=0.5,<2']"))
        assert recipe.to_yaml().startswith(
            "version: 1\nname: good\nrequires:\n- acme>=0.5,<2\nseed: 0\n"
        )
        assert desk.load(text=recipe.to_yaml()).to_yaml() == recipe.to_yaml()

    def test_a_recipe_that_requires_nothing_does_not_say_so(self, desk, good):
        assert "requires" not in desk.load(text=good).to_yaml()

    @pytest.mark.parametrize("name", shipped_recipes())
    def test_shipped_recipes_require_nothing(self, name):
        assert load_recipe(name, registry=installed_registry()).requires == []


class TestExtends:
    def test_a_recipe_requires_what_its_bases_require_too(self, desk, good, install):
        for package in ("one", "two", "three"):
            install(package, "1.0")
        desk.write("base.yaml", requiring(good, "[one, two]"))
        desk.write("middle.yaml", "extends: base.yaml\n")
        text = "extends: middle.yaml\nrequires: [two, three>=0.1, 'two>=1']\n"
        assert desk.load(text=text).requires == ["one", "two", "three>=0.1", "two>=1"]

    def test_an_empty_list_takes_nothing_away(self, desk, good, install):
        install("one", "1.0")
        desk.write("base.yaml", requiring(good, "[one]"))
        assert desk.load(text="extends: base.yaml\nrequires: []\n").requires == ["one"]

    def test_set_replaces_the_list_or_an_item(self, desk, good, install):
        for package in ("one", "two"):
            install(package, "1.0")
        text = requiring(good, "[one]")
        assert desk.load("requires=[]", text=text).requires == []
        assert desk.load("requires=[two]", text=text).requires == ["two"]
        assert desk.load("requires.0=one>=0.1", text=text).requires == ["one>=0.1"]

    def test_each_is_told_where_it_is_written(self, desk, good):
        desk.write("base.yaml", requiring(good, "\n- other\n- one"))
        way_out = "; no component is missing, so setting 'requires=[]' may do as well"
        assert desk.errors(text="extends: base.yaml\nrequires:\n- two\n- one\n") == [
            f"r.yaml:3: requires.2: two is not installed: pip install two{way_out}",
            f"r.yaml:4: requires.1: one is not installed: pip install one{way_out}",
            f"base.yaml:4: requires.0: other is not installed: pip install other{way_out}",
        ]


class TestWhatIsMissing:
    def test_a_missing_package_is_an_error_by_itself(self, errors, good):
        assert errors(requiring(good, "[mousai-kit-acme]")) == [
            f"r.yaml:3: requires.0: {MISSING}; no component is missing, so setting 'requires=[]' may do as well"
        ]

    def test_a_missing_component_names_the_package_that_brings_it(self, errors, good):
        text = requiring(good, "[mousai-kit-acme]").replace(SAMPLER, "sampler: acme")
        assert errors(text) == [
            f"r.yaml:3: requires.0: {MISSING}",
            "r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'acme'; this recipe requires mousai-kit-acme, which is not installed: pip install mousai-kit-acme",
        ]

    def test_so_does_one_that_set_names(self, desk, good):
        text = requiring(good, "[mousai-kit-acme]")
        assert desk.errors("stages.generator.model.sampler=acme", text=text) == [
            f"r.yaml:3: requires.0: {MISSING}",
            "--set stages.generator.model.sampler=acme: stages.generator.model.sampler.use: no sampler is called 'acme'; this recipe requires mousai-kit-acme, which is not installed: pip install mousai-kit-acme",
        ]

    def test_a_package_that_is_too_old_is_told_with_its_version(self, errors, good, install):
        install("Mousai_Kit.Acme", "0.1")
        text = requiring(good, "['mousai-kit-acme>=0.2']").replace(SAMPLER, "sampler: acme")
        assert errors(text) == [
            "r.yaml:3: requires.0: mousai-kit-acme>=0.2 is installed as 0.1: pip install 'mousai-kit-acme>=0.2'",
            "r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'acme'; this recipe requires mousai-kit-acme>=0.2, which is installed as 0.1: pip install 'mousai-kit-acme>=0.2'",
        ]

    def test_several_packages_are_told_at_once(self, errors, good, install):
        install("two", "3.0.dev1")
        install("here", "1.0rc1")
        text = requiring(good, "[one, 'two<3.0.dev1', here>=0.9]").replace(SAMPLER, "sampler: acme")
        assert errors(text)[2:] == [
            "r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'acme'; this recipe requires one, which is not installed, and two<3.0.dev1, which is installed as 3.0.dev1: pip install one 'two<3.0.dev1'"
        ]

    def test_a_version_that_is_none_will_do_for_a_bare_name_only(self, errors, desk, good, install):
        install("acme", "as-of-today")
        assert desk.load(text=requiring(good, "[acme]")).requires == ["acme"]
        (line,) = errors(requiring(good, "[acme>=1]"))
        assert "acme>=1 is installed as as-of-today: pip install 'acme>=1'" in line

    def test_a_component_of_another_kind_is_that_mistake(self, errors, good):
        text = requiring(good, "[mousai-kit-acme]").replace(SAMPLER, "sampler: cosine")
        assert errors(text)[1:] == [
            "r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'cosine'; 'cosine' is a schedule"
        ]

    @pytest.mark.parametrize(
        ("owners", "told"),
        [
            (
                ["mousai-kit-acme 0.3.1 (acme)"],
                "mousai-kit-acme 0.3.1 (acme), which this recipe requires, was left out",
            ),
            (
                ["Mousai_Kit.Acme 1 (a)", "mousai-kit-acme 1 (b)", "other 1 (c)"],
                "Mousai_Kit.Acme 1 (a) and mousai-kit-acme 1 (b), which this recipe requires, were left out",
            ),
        ],
    )
    def test_a_package_whose_plug_in_was_left_out_is_told(self, desk, good, install, owners, told):
        install("mousai-kit-acme", "0.3.1")
        desk.registry = copied(desk.registry)
        for owner in owners:
            desk.registry.mark_unavailable(owner)
        text = requiring(good, "[mousai-kit-acme>=0.2]").replace(SAMPLER, "sampler: acme")
        assert desk.errors(text=text) == [
            f"r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'acme'; {told}: see `mousai-kit plugins`"
        ]

    def test_where_nothing_is_missing_the_registry_has_the_word(self, errors, good, install):
        install("mousai-kit-acme", "1.0")
        text = requiring(good, "[mousai-kit-acme]").replace(SAMPLER, "sampler: ddimm")
        assert errors(text) == [
            "r.yaml:18: stages.generator.model.sampler.use: no sampler is called 'ddimm'; did you mean 'ddim'?"
        ]


class TestWhatIsFilledIn:
    def test_a_recipe_requires_the_packages_of_its_components(self, with_acme, good):
        recipe = with_acme.load(text=good.replace(SAMPLER, "sampler: acme"))
        assert recipe.requires == ["mousai-kit-acme>=0.3.1"]

    def test_what_is_there_but_not_used_is_not_required(self, with_acme, good):
        assert with_acme.load(text=good).requires == []

    def test_what_the_author_wrote_of_a_package_stands(self, with_acme, good, install):
        install("mousai-kit-acme", "0.3.1")
        text = requiring(good, "[Mousai_Kit.Acme~=0.3.0]").replace(SAMPLER, "sampler: acme")
        assert with_acme.load(text=text).requires == ["Mousai_Kit.Acme~=0.3.0"]

    def test_however_an_owner_writes_its_name(self, desk, good, install):
        install("acme-kit", "1.0")
        desk.registry = with_owner(desk.registry, "Acme_Kit 1.0 (x)")
        text = requiring(good, "[acme.kit]").replace(SAMPLER, "sampler: acme")
        assert desk.load(text=text).requires == ["acme.kit"]

    @pytest.mark.parametrize(
        ("owner", "requires"),
        [
            ("mousai-kit 0.1.0 (solvers)", []),
            ("unknown package 0 (x)", []),
            ("the page", []),
            ("acme 2.0.dev3 (x)", ["acme>=2.0.dev3"]),
            ("acme as-of-today (x)", ["acme"]),
        ],
    )
    def test_only_packages_of_others_are_told(self, desk, good, owner, requires):
        desk.registry = with_owner(desk.registry, owner)
        assert desk.load(text=good.replace(SAMPLER, "sampler: acme")).requires == requires

    def test_owners_are_told_as_the_registry_tells_those_of_plug_ins(self):
        owners = {owner for _, owner in installed_registry() if owner.startswith("mousai-kit ")}
        assert {it.partition(" (")[2] for it in owners} >= {"mousai)", "clips)", "solvers)"}


class TestAnEarlierRun:
    SET = "stages.generator.model.sampler=acme"
    WHERE = f"--set {SET}: stages.generator.model.sampler.use"

    @pytest.fixture
    def ran(self, with_acme, registry, good):
        """A desk where a run was made with what is no longer there."""
        made = with_acme.load(self.SET, text=good).to_yaml()
        with_acme.write("runs/good/recipe.yaml", made)
        with_acme.write("elsewhere/recipe.yaml", made)
        with_acme.registry = registry
        return with_acme

    def test_it_tells_which_package_brought_a_component(self, ran, good):
        assert ran.errors(self.SET, text=good) == [
            f"{self.WHERE}: no sampler is called 'acme'; mousai-kit-acme brought it when runs/good was made: pip install 'mousai-kit-acme>=0.3.1'"
        ]

    def test_it_may_be_a_folder_that_is_named(self, ran, good):
        ran.write("r.yaml", good.replace("name: good", "name: other"))
        with pytest.raises(RecipeError, match="brought it when elsewhere was made"):
            load_recipe(
                "r.yaml",
                [self.SET],
                registry=ran.registry,
                run=Path("elsewhere"),
            )

    @pytest.mark.parametrize("out", [["--out", "elsewhere"], []])
    def test_the_command_looks_where_its_run_goes(self, ran, command, out):
        name = "other" if out else "good"
        ran.write("nano.yaml", nano.RECIPE.replace("name: nano", f"name: {name}"))
        said = command("run", "nano.yaml", "--set", self.SET, *out)
        where = out[-1] if out else "runs/good"
        assert (said.code, said.out) == (2, "")
        assert (
            said.err
            == f"{self.WHERE}: no sampler is called 'acme'; mousai-kit-acme brought it when {where} was made: pip install 'mousai-kit-acme>=0.3.1'\n"
        )

    def test_its_own_recipe_says_so_itself(self, ran):
        assert ran.errors(name="runs/good/recipe.yaml") == [
            "runs/good/recipe.yaml:4: requires.0: mousai-kit-acme>=0.3.1 is not installed: pip install 'mousai-kit-acme>=0.3.1'",
            f"runs/good/recipe.yaml:{ran_line(ran)}: stages.generator.model.sampler.use: no sampler is called 'acme'; this recipe requires mousai-kit-acme>=0.3.1, which is not installed: pip install 'mousai-kit-acme>=0.3.1'",
        ]

    def test_what_it_did_not_have_is_no_matter_of_its(self, ran, good):
        (line,) = ran.errors(self.SET.replace("acme", "acmee"), text=good)
        assert line.endswith(
            "no sampler is called 'acmee'; there are 'ddim', 'refined' and 'stepless'"
        )

    @pytest.mark.parametrize("text", ["", "[1, 2]", "requires: [a", "\0", "requires: 7\nuse: acme"])
    def test_one_that_can_not_be_read_tells_nothing(self, ran, good, text):
        ran.write("runs/good/recipe.yaml", text)
        (line,) = ran.errors(self.SET, text=good)
        assert line.endswith(
            "no sampler is called 'acme'; there are 'ddim', 'refined' and 'stepless'"
        )

    @pytest.mark.parametrize("name", ["..", "../elsewhere", "[1]", "x/../good"])
    def test_a_name_leads_nowhere_but_into_runs(self, ran, good, name):
        ran.write("recipe.yaml", (ran.folder / "elsewhere" / "recipe.yaml").read_text())
        text = good.replace("name: good", f"name: {name}")
        assert not [it for it in ran.errors(self.SET, text=text) if "brought it" in it]


def ran_line(desk):
    """The line of the run's recipe on which the sampler stands."""
    lines = (desk.folder / "runs/good/recipe.yaml").read_text().splitlines()
    return 1 + lines.index("        use: acme")
