"""A reader of the documents, who does what a page shows; and the pages."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import util
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from mousai_kit import cli
from mousai_kit.core import plugins
from mousai_kit.core.component import Component
from mousai_kit.core.registry import Registry
from mousai_kit.recipe import load_recipe
from mousai_kit.recipe.nodes import Location, ProblemCollector
from mousai_kit.recipe.yaml import parse

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
"""Every page: one that is new needs no entry here."""
KIND_PAGES = [it for it in PAGES if it.parent == DOCS / "kinds" and it.stem != "index"]
READ_BEFORE = {DOCS / "kinds" / "index.md": KIND_PAGES}
"""Pages whose examples rest on those of others."""
FENCE = re.compile(r"^```({?\w*}?)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
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
        self.modules = set(sys.modules)
        monkeypatch.setitem(sys.modules, "docs_page", self.module)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "80")
        plugins.installed_registry.cache_clear()

    def follow(self, page: Path) -> None:
        for before in READ_BEFORE.get(page, ()):
            self.follow(before)
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

    def close(self) -> None:
        """Forget what the page installed."""
        plugins.installed_registry.cache_clear()
        for name in set(sys.modules) - self.modules:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if Path(file).is_relative_to(self.folder):
                del sys.modules[name]

    def registry(self) -> Registry:
        """The installed components, and those that the page defines."""
        registry = plugins.discover()[0]
        for component in self.components():
            registry.add(component, owner="the page")
        return registry

    def components(self) -> list[type[Component]]:
        return [
            it
            for it in vars(self.module).values()
            if isinstance(it, type) and issubclass(it, Component) and it.__module__ == "docs_page"
        ]

    def _check_yaml(self, block: Block) -> None:
        parse(block.text, Location(0, source="docs"), ProblemCollector())
        if block.text.startswith("# fragment") or block.file.startswith("bad"):
            return
        path = self.folder / (block.file or "recipe.yaml")
        path.write_text(block.text, encoding="utf-8")
        load_recipe(path, registry=self.registry())

    def _run(self, command: list[str], expected: str) -> None:
        check(command)
        if command[:2] == ["pip", "install"] and command[-1].startswith("./"):
            self._install(self.folder / command[-1])
        elif command[:3] == ["python", "-m", "pytest"] and Path(command[-1]).is_dir():
            self._test(Path(command[-1]))
        elif expected:
            assert_alike(self._output(command), expected)

    def _test(self, package: Path) -> None:
        output = StringIO()
        with redirect_stdout(output):
            code = pytest.main([str(package), "-p", "no:cacheprovider", "--tb=short"])
        assert code == 0, output.getvalue()

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
        plugins.installed_registry.cache_clear()


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
        case ["torchrun" | "accelerate", *words]:
            check(["mousai-kit", *words[words.index("mousai_kit") + 1 :]])
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
