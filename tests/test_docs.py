"""The documents: what they show runs, validates, or is what the commands print."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import util
from importlib.metadata import EntryPoint
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
import torch
from typer.main import get_command

from mousai_kit import cli, plugins
from mousai_kit.component import Component
from mousai_kit.console import Screen
from mousai_kit.errors import PluginError
from mousai_kit.hookspecs import GROUP
from mousai_kit.inspection import recipe_facts
from mousai_kit.interfaces import KINDS, NoiseSource
from mousai_kit.recipe import load_recipe
from mousai_kit.recipe.values import Faults, Origin
from mousai_kit.recipe.yaml import parse
from mousai_kit.registry import Registry
from mousai_kit.runs import RunFolder
from mousai_kit.system import System

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")
COMMANDS = get_command(cli.app)
OTHER_COMMANDS = {"cd", "git", "hf", "pip", "python3", ".", "nvidia-smi"}


@dataclass(frozen=True)
class Block:
    """A fenced example: its language, its text, and the line of the page where it stands."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file that the block is, told by its first line; empty where it is none."""
        found = FILE.match(self.text)
        return found[1] if found else ""


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(it[1], it[2], text[: it.start()].count("\n") + 1) for it in FENCE.finditer(text)]


class Reader:
    """Does what a page shows, in order, in one namespace and one folder, as a reader would."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.module = ModuleType("docs_page")
        monkeypatch.setitem(sys.modules, "docs_page", self.module)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "80")
        plugins.installed.cache_clear()

    def follow(self, page: Path) -> None:
        for block in blocks(page):
            try:
                self.do(block)
            except BaseException as error:
                error.add_note(f"at {page.name}:{block.line}")
                raise

    def do(self, block: Block) -> None:
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        match block.language:
            case "python" if not block.file:
                code = compile("\n" * block.line + block.text, "docs", "exec", dont_inherit=True)
                exec(code, vars(self.module))
            case "yaml":
                self._check_yaml(block)
            case "console":
                for command, expected in dialogues(block.text):
                    self._run(command, expected)
            case "sh":
                for command in commands(block.text):
                    check(command)

    def registry(self) -> Registry:
        """The installed components, and those that the page defines."""
        registry = plugins.discover()[0]
        for component in self.components():
            registry.add(component.kind, component, owner="the page")
        return registry

    def components(self) -> list[type[Component]]:
        return [
            it
            for it in vars(self.module).values()
            if isinstance(it, type) and issubclass(it, Component) and it.__module__ == "docs_page"
        ]

    def _check_yaml(self, block: Block) -> None:
        parse(block.text, Origin(0, source="docs"), Faults())
        if block.text.startswith("# fragment") or block.file.startswith("bad"):
            return
        path = self.folder / (block.file or "recipe.yaml")
        path.write_text(block.text, encoding="utf-8")
        load_recipe(path, registry=self.registry())

    def _run(self, command: list[str], expected: str) -> None:
        check(command)
        if command[:2] == ["pip", "install"] and command[-1].startswith("./"):
            self._install(self.folder / command[-1])
        elif expected:
            assert_alike(self._output(command), expected)

    def _output(self, command: list[str]) -> str:
        assert command[0] == "mousai-kit", f"only mousai-kit's output is compared: {command}"
        self.monkeypatch.setattr(sys, "argv", command)
        output = StringIO()
        with redirect_stdout(output), redirect_stderr(output), pytest.raises(SystemExit):
            cli.main()
        return output.getvalue()

    def _install(self, package: Path) -> None:
        """Do what pip would: put the package on the path, with its entry points."""
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        info = package / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        lines = [f"[{group}]" for group in project["entry-points"]]
        lines += [f"{k} = {v}" for it in project["entry-points"].values() for k, v in it.items()]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        self.monkeypatch.syspath_prepend(package)
        plugins.installed.cache_clear()


def commands(text: str) -> Iterator[list[str]]:
    """Yield the commands of shell lines as words; `\\` continues a line, `&&` ends a command."""
    for line in text.replace("\\\n", " ").splitlines():
        words = [*shlex.split(line, comments=True), "&&"]
        while "&&" in words:
            end = words.index("&&")
            command, words = words[:end], words[end + 1 :]
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                command = command[1:]
            if command:
                yield command


def dialogues(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield each command after a `$` with the output that is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        yield next(commands(line)), expected


def check(command: list[str]) -> None:
    """Fail where a command, an option of it or a make target does not exist."""
    match command:
        case ["mousai-kit", name, *arguments] if not name.startswith("-"):
            assert name in COMMANDS.commands, f"no command {name}"
            COMMANDS.commands[name].make_context(name, list(arguments))
        case ["mousai-kit", "--help" | "--version"]:
            pass
        case ["make", *targets]:
            known = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {it for it in targets if "=" not in it} <= set(known), command
        case ["python", "-m", module, *_]:
            assert util.find_spec(module), module
        case ["python", script, *_]:
            assert (ROOT / script).is_file(), script
        case _:
            assert command[0] in OTHER_COMMANDS, command


def assert_alike(output: str, expected: str) -> None:
    """Fail unless output is as expected; `...` is any text, alone on a line any lines."""
    lines = [line.rstrip() for line in expected.strip().splitlines()]
    escaped = (re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in lines)
    pattern = "".join("(.*\n)*" if line == ".*\n" else line for line in escaped)
    found = "\n".join(line.rstrip() for line in output.strip().splitlines()) + "\n"
    assert re.fullmatch(pattern, found), f"it prints:\n{found}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    random = torch.get_rng_state()
    yield Reader(tmp_path, monkeypatch)
    torch.set_rng_state(random)
    plugins.installed.cache_clear()
    for name in [
        name for name in sys.modules if name.startswith(("mousai_kit_euler", "mousai_kit_broken"))
    ]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_so(page, reader):
    reader.follow(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_files_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    broken = [it for it in links if "://" not in it and not (page.parent / it).exists()]
    assert broken == []


class TestNineKinds:
    """The examples of first-plugin.md, put together."""

    @pytest.fixture
    def read(self, reader: Reader) -> Reader:
        reader.follow(ROOT / "docs" / "first-plugin.md")
        return reader

    def test_there_is_an_example_of_every_kind(self, read):
        shown = {it.kind for it in read.components()} | {"sampler"}  # Euler is a file of its own
        assert shown == set(KINDS)

    def test_every_example_goes_through_the_registry(self, read):
        registry = Registry()
        for component in read.components():
            registry.add(component.kind, component, owner="the page")
        assert len(list(registry)) == len(read.components())

    def test_their_recipe_trains_generates_and_reports(self, read):
        from mousai_kit import making, report
        from mousai_kit.generation import orders

        recipe = load_recipe("nine.yaml", registry=read.registry())
        system = System(recipe, RunFolder(Path("run")), Screen())
        system.folder.make()
        system.train()
        wanted = orders(["a sine"], seed=0, count=1, seconds=0.5, guidance=1.0)
        (made,) = making.generate(system, wanted, folder=system.folder.audio)
        figures = report.write(system)
        assert made.path.is_file()
        assert {it["stage"] for it in figures["decoded"]} == {"lower", "middle"}
        assert set(figures["loss"]) == {"upper"}

    def test_their_recipe_is_shown_without_being_allocated(self, read):
        facts = recipe_facts(load_recipe("nine.yaml", registry=read.registry()))
        assert [it["name"] for it in facts["stages"] if not it["training_bytes"]] == []

    def test_euler_lands_on_the_data_given_a_perfect_network(self, read):
        registry = read.registry()
        cosine = registry.find("schedule", "cosine")
        schedule = cosine(cosine.Options())
        euler = registry.find("sampler", "euler")
        sampler = euler(euler.Options(steps=400), schedule=schedule)
        data = torch.linspace(-1, 1, 24).reshape(2, 3, 4)

        def velocity(x, sigma):
            alpha, beta = (it[:, None, None] for it in schedule.weights(sigma))
            noise = (x - alpha * data) / beta
            return alpha * noise - beta * data

        made = sampler.sample(velocity, NoiseSource([0, 1]).like(data))
        torch.testing.assert_close(made, data, rtol=0, atol=0.02)

    def test_the_other_dataset_reads_the_files_of_a_folder(self, read):
        from mousai_kit import audio

        wave = 0.5 * torch.sin(torch.arange(8000) / 5)[None]
        for number in range(4):
            audio.write(Path(f"{number}.wav"), wave, sample_rate=8000, tags={"title": f"n{number}"})
        numbered = read.module.Numbered
        wiring = {"sample_rate": 8000, "channels": 2, "length": 4000}
        train, held_out = (
            numbered(numbered.Options(path="."), **wiring, split=split)
            for split in ("train", "validation")
        )
        assert (len(train), len(held_out)) == (3, 1)
        assert train.clip(0).wave.shape == (2, 4000)
        assert held_out.clip(0).text == "n3, 1 of 2"


MISTAKES = {
    "another kind's class": lambda mk: _with("sampler", mk.Schedule),
    "no sample": lambda mk: _with("sampler", type("S", (mk.Sampler,), {"name": "s"})),
    "no name": lambda mk: _with("sampler", type("S", (mk.Sampler,), {"sample": None})),
    "odd Options": lambda mk: _with(
        "schedule", type("S", (mk.Schedule,), {"name": "s", "weights": None, "Options": dict})
    ),
    "loose wiring": lambda mk: _with(
        "sampler",
        type(
            "S",
            (mk.Sampler,),
            {"name": "s", "sample": None, "__init__": lambda self, options, **more: None},
        ),
    ),
    "a name taken": lambda mk: plugins.discover()[0].add(
        "sampler", plugins.installed().find("sampler", "ddim"), owner="x"
    ),
}


def _with(kind: str, component: object) -> None:
    Registry().add(kind, component, owner="x")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_registrys_messages_stand_in_first_plugin(mistake):
    import mousai_kit.api as mk

    with pytest.raises(PluginError) as raised:
        MISTAKES[mistake](mk)
    page = (ROOT / "docs" / "first-plugin.md").read_text(encoding="utf-8")
    assert [it.message for it in raised.value.problems if f"| `{it.message}` |" not in page] == []


@pytest.mark.parametrize(
    ("group", "source"),
    [
        (GROUP, "import mousai_kit.api as mk\n@mk.hookimpl\ndef mousai_kit_sampler(): ..."),
        (GROUP, "import mousai_kit.api as mk\n@mk.hookimpl\ndef mousai_kit_samplers(): ..."),
        (GROUP, "import mousai_kit.api as mk\n@mk.hookimpl\ndef mousai_kit_samplers(): return 1"),
        (GROUP, '"""Broken."""\nimport nowhere'),
        ("mousai_kit.v0", ""),
    ],
    ids=["misspelled hook", "no return", "no list", "no module", "another version"],
)
def test_the_loaders_messages_stand_in_first_plugin(group, source, tmp_path, monkeypatch):
    (tmp_path / "mousai_kit_broken.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mousai_kit_broken", raising=False)
    point = EntryPoint("broken", "mousai_kit_broken", group)
    report = plugins._load(point, Registry()) if group == GROUP else plugins._other_version(point)
    monkeypatch.delitem(sys.modules, "mousai_kit_broken", raising=False)
    page = (ROOT / "docs" / "first-plugin.md").read_text(encoding="utf-8")
    told = [it.removesuffix("...") for it in re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)]
    assert [it for it in told if report.fault.startswith(it)] != [], report.fault


def test_the_readme_tells_a_typo_as_it_is_told(reader):
    page = ROOT / "README.md"
    (shown,) = [it.text.strip() for it in blocks(page) if "did you mean 'dpmpp-2m'" in it.text]
    (recipe,) = [it.text for it in blocks(page) if it.language == "yaml"]
    Path("my-recipe.yaml").write_text(recipe.replace("dpmpp-2m", "dpmpp2m"))
    assert reader._output(["mousai-kit", "validate", "my-recipe.yaml"]).strip() == shown


class TestDesign:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        "package",
        [
            "mousai_kit",
            "mousai_kit/interfaces",
            "mousai_kit/recipe",
            "mousai_kit/pretrained",
            "plugins/mousai_kit_mousai",
            "plugins/mousai_kit_clips",
            "plugins/mousai_kit_solvers",
            "plugins/mousai_kit_dit",
            "plugins/mousai_kit_transformers",
        ],
    )
    def test_every_module_stands_in_it(self, package):
        folders = self.page.split("```")[1]
        modules = [
            it.stem
            for it in (ROOT / package).iterdir()
            if it.suffix == ".py" or (it / "__init__.py").exists()
        ]
        missing = [
            it for it in modules if it != "__init__" and not re.search(rf"\b{it}\b", folders)
        ]
        assert missing == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_stands_with_its_wiring_and_its_methods(self, kind):
        (row,) = re.findall(rf"^\| `{kind}` \| (.*) \| (.*) \|$", self.page, re.MULTILINE)
        wiring = ", ".join(KINDS[kind].wiring)
        assert row[0] == (f"`{wiring}`" if wiring else "-")
        abstract = {name.strip("_") for name in KINDS[kind].__abstractmethods__}
        assert [name for name in abstract if name not in row[1]] == []

    def test_every_layer_of_the_import_contract_is_told_in_order(self):
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        (layers,) = [it["layers"] for it in settings["contracts"] if it["type"] == "layers"]
        names = [re.findall(r"mousai_kit\.(\w+)", layer) for layer in layers]
        told = " > ".join(", ".join(layer) for layer in names)
        assert told in " ".join(self.page.split())


class TestPaper:
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")

    @pytest.fixture
    def recipe(self):
        return load_recipe("mousai-paper", registry=plugins.installed())

    def rows(self) -> dict[str, object]:
        """The table's values by path."""
        found: dict[str, object] = {}
        for paths, values in re.findall(
            r"^\| (`(?:autoencoder|generator)\..*?) \| `({.*?})` \|", self.page, re.MULTILINE
        ):
            for path in re.findall(r"`([\w.]+)`", paths):
                parsed = parse(values, Origin(0), Faults()).plain()
                found |= leaves(parsed, path)
        return found

    def test_the_table_says_what_the_recipe_says(self, recipe):
        said = leaves(recipe.values()["stages"], "")
        wrong = {k: (v, said.get(k)) for k, v in self.rows().items() if said.get(k) != v}
        assert wrong == {}

    def test_the_table_leaves_no_option_out(self, recipe):
        said = leaves(recipe.values()["stages"], "")
        idle = (
            "autoencoder.model.unet.attention_",
            "generator.model.text.revision",
            "autoencoder.train.passes",
        )
        assert [it for it in said if it not in self.rows() and not it.startswith(idle)] == []

    def test_parameters_and_memory_are_as_counted(self, recipe):
        facts = recipe_facts(recipe)
        autoencoder, generator = facts["stages"]
        counts = [*autoencoder["parts"].values(), autoencoder["parameters"]]
        counts += [*generator["parts"].values(), generator["parameters"]]
        told = [f"{count / 1e6:.3f} M" for count in counts]
        told += [f"{stage['training_bytes'] / 2**30:.1f} GiB" for stage in facts["stages"]]
        assert [it for it in told if it not in self.page] == []

    def test_the_pinned_commit_of_t5_is_the_recipes(self, recipe):
        revision = recipe.values()["stages"]["generator"]["model"]["text"]["revision"]
        assert set(re.findall(r"[0-9a-f]{40}", self.page)) == {revision}


def leaves(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, object] = {}
    for key, item in value.items():
        found |= leaves(item, f"{path}.{key}".lstrip("."))
    return found
