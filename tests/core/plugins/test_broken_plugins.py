"""Broken plug-ins: each is left out with a line that says whose, where, what and what to do."""
# ruff: noqa: E501 (a message that is compared whole stands on one line)

import re
import sys
from pathlib import Path

import pytest
from shelf import GOOD, HEAD

from mousai_kit import __version__
from mousai_kit.core.plugins import PluginReport, discover

MK = "import mousai_kit.api as mk\n"
HOOK = MK + "@mk.hookimpl\ndef mousai_kit_components():\n    "
TRAINED = "@mk.hookimpl\ndef mousai_kit_trained():\n    "
COMPONENTS = "@mk.hookimpl\ndef mousai_kit_components():\n    return "
SAMPLER = MK + "class Bad(mk.Sampler):\n    "
BAD = "\n@mk.hookimpl\ndef mousai_kit_components():\n    return [Bad]\n"
OPTIONS = MK + (
    "class Bad(mk.Sampler):\n    'A.'\n    name = 'bad'\n    def __init__(self, options, *, schedule): ...\n"
    "    def sample(self, velocity, noise, *, generator=None): ...\n    class Options(mk.Options):\n        "
)
METRIC = MK + "class Bad(mk.Metric):\n    'A.'\n    name = 'bad'\n    "
SCORE = (
    "\n    def __init__(self, options, *, sample_rate): ...\n"
    "    def score(self, generated, reference): ...\n"
    "@mk.hookimpl\ndef mousai_kit_components():\n    return [Bad]\n"
)
HOOKS = "'mousai_kit_components' and 'mousai_kit_trained'"
KINDS = (
    "'mk.TextEncoder', 'mk.Conditioner', 'mk.SpectralEncoder', 'mk.UNet', 'mk.Schedule', "
    "'mk.Sampler', 'mk.Domain', "
    "'mk.Stage', 'mk.Dataset', 'mk.Embedding', 'mk.Metric' and 'mk.WeightFormat'"
)

BROKEN = {
    # while it is imported
    "a module that is missing": (
        "\nimport no_such.module",
        "it.py:2: needs the module 'no_such', which is not installed; `pip install no_such`, or the package that has it",
    ),
    "a module of its own that is missing": (
        "from it.samplers import Bad",
        "it.py:1: has no module 'it.samplers'; correct the import, or install theirs anew",
    ),
    "a newer library": (
        "import torch\nfrom torch import what_comes_next",
        "it.py:2: ImportError: cannot import name 'what_comes_next' from 'torch'; install the torch that theirs needs",
    ),
    "a name that the interface lacks": (
        MK + "class Bad(mk.Samplr): ...",
        f"it.py:2: needs 'Samplr', which mousai_kit.api {__version__} does not have; did you mean 'Sampler'?",
    ),
    "an import that the interface lacks": (
        "from mousai_kit.api import WhatComesNext",
        f"it.py:1: needs 'WhatComesNext', which mousai_kit.api {__version__} does not have; it may be written for another version: `pip install --upgrade mousai-kit theirs`",
    ),
    "a module that mousai-kit lacks": (
        "import mousai_kit.whatever",
        f"it.py:1: needs 'mousai_kit.whatever', which mousai_kit.api {__version__} does not have; it may be written for another version: `pip install --upgrade mousai-kit theirs`",
    ),
    "a syntax error": ("\n\nx = = 1", "it.py:3: SyntaxError: invalid syntax; mend the line"),
    "an error": (
        "\n\nraise ValueError('no\\n  luck\\x1b[2J')",
        'it.py:3: ValueError: no luck\\x1b[2J; see all of it with `python -c "import it"`',
    ),
    "an error inside a library": (
        "import json\n\njson.loads('[')",
        'it.py:3: JSONDecodeError: Expecting value: line 1 column 2 (char 1); see all of it with `python -c "import it"`',
    ),
    "an error that says nothing": (
        "raise KeyError",
        'it.py:1: KeyError; see all of it with `python -c "import it"`',
    ),
    "an error that can't even say it": (
        "class Odd(Exception):\n    def __str__(self): raise OSError\nraise Odd",
        'it.py:3: Odd; see all of it with `python -c "import it"`',
    ),
    "an error that says too much": (
        "raise ValueError(400 * 'x')",
        f'it.py:1: ValueError: {297 * "x"}...; see all of it with `python -c "import it"`',
    ),
    "an exit": (
        "raise SystemExit(3)",
        "it.py:1: SystemExit: 3; a plug-in must not end the program that loads it",
    ),
    "what is no Exception": (
        "class Odd(BaseException): ...\nraise Odd('x')",
        'it.py:2: Odd: x; see all of it with `python -c "import it"`',
    ),
    "a refusal of its own": (
        MK + "raise mk.PluginError('theirs needs a piano; buy one')",
        "it.py:2: theirs needs a piano; buy one",
    ),
    # hooks
    "no hooks": (
        "x = 1",
        f"entry_points.txt:2: offers no component; it needs one of the hooks {HOOKS}",
    ),
    "a hook that is not marked": (
        "def mousai_kit_components():\n    return [int]",
        "it.py:1: mousai_kit_components is not marked as a hook; write @mk.hookimpl above it",
    ),
    "a hook that is misspelled": (
        MK + "@mk.hookimpl\ndef mousai_kit_component(): ...",
        "it.py:2: offers an unknown hook 'mousai_kit_component'; did you mean 'mousai_kit_components'?",
    ),
    "a hook of another name altogether": (
        MK + "@mk.hookimpl\ndef setup(): ...",
        f"it.py:2: offers an unknown hook 'setup'; the hooks are {HOOKS}",
    ),
    "a hook of one kind": (
        MK + "@mk.hookimpl\ndef mousai_kit_samplers(): ...",
        "it.py:2: offers the hook 'mousai_kit_samplers', which there is no longer; write `def mousai_kit_components():`, and return the classes of all kinds in one list",
    ),
    "a hook of one kind that is not marked": (
        HEAD.format(name="one") + COMPONENTS + "[Made]\ndef mousai_kit_weight_formats(): ...",
        "it.py:14: offers the hook 'mousai_kit_weight_formats', which there is no longer; write `def mousai_kit_components():`, and return the classes of all kinds in one list",
    ),
    "a hook that takes arguments": (
        MK + "@mk.hookimpl\ndef mousai_kit_components(config): ...",
        "it.py:2: mousai_kit_components must take no arguments (got (config))",
    ),
    "a hook that returns nothing": (
        HOOK + "[1]",
        "it.py:2: mousai_kit_components must return a list of classes (got None)",
    ),
    "a hook that returns no classes": (
        HOOK + "return []",
        f"it.py:2: offers no component; it needs one of the hooks {HOOKS}",
    ),
    "a hook that returns the class itself": (
        HEAD.format(name="one") + COMPONENTS + "Made",
        "it.py:11: mousai_kit_components must return a list of classes (got <class 'it.Made'>)",
    ),
    "a hook that returns text": (
        HOOK + "return 'unet'",
        "it.py:2: mousai_kit_components must return a list of classes (got 'unet')",
    ),
    "a hook that returns a mapping": (
        HOOK + "return {'unet': int}",
        "it.py:2: mousai_kit_components must return a list of classes (got {'unet': <class 'int'>})",
    ),
    "an error inside a hook": (
        HOOK + "return [1 / 0]",
        'it.py:4: ZeroDivisionError: division by zero; see all of it with `python -c "import it as it; it.mousai_kit_components()"`',
    ),
    "an error inside a hook that is a generator": (
        HOOK + "yield 1 / 0",
        'it.py:4: ZeroDivisionError: division by zero; see all of it with `python -c "import it as it; it.mousai_kit_components()"`',
    ),
    "a module that is missing inside a hook": (
        HOOK + "import no_such",
        "it.py:4: needs the module 'no_such', which is not installed; `pip install no_such`, or the package that has it",
    ),
    # trained systems
    "trained systems in a list": (
        MK + TRAINED + "return ['x']",
        "it.py:2: mousai_kit_trained must return a mapping of names to folders (got ['x'])",
    ),
    "a trained system without a folder": (
        MK + TRAINED + "import pathlib; return {'x': pathlib.Path('/no/such')}",
        "it.py:2: the trained system 'x': there is no folder '/no/such'; correct the path, or put the files into the package",
    ),
    "a trained system that is no path": (
        MK + TRAINED + "return {'x': '/x'}",
        "it.py:2: the trained system 'x': must be given as the pathlib.Path of its folder (got '/x')",
    ),
    "a trained system without its files": (
        MK + TRAINED + "import pathlib; return {'x': pathlib.Path(__file__).parent}",
        "it.py:2: the trained system 'x': its folder lacks 'recipe.yaml', 'card.md' and '<stage>/weights.safetensors'; `mousai-kit publish` writes all of them",
    ),
    # classes
    "a class that calls itself another kind": (
        MK
        + "class Bad(mk.Component):\n    kind, name = 'schedule', 'bad'\n"
        + COMPONENTS
        + "[Bad]",
        "it.py:2: Bad: says that it is a schedule but is no subclass of mk.Schedule; derive it from that",
    ),
    "a class of two kinds": (
        MK + "class Bad(mk.Sampler, mk.Schedule):\n    name = 'bad'\n" + COMPONENTS + "[Bad]",
        "it.py:2: Bad: has the kinds of 'mk.Sampler' and 'mk.Schedule'; derive it from one of them alone, and leave `kind` to that",
    ),
    "a kind of another form": (
        MK + "class Bad(mk.Component):\n    kind, name = 'my-kind', 'bad'\n" + COMPONENTS + "[Bad]",
        "it.py:2: Bad: needs a kind of lower-case words joined by '_', but for 'recipe' and 'trained' (got 'my-kind')",
    ),
    "a class of no kind": (
        HEAD.format(name="one") + COMPONENTS + "[Made, int]",
        f"it.py:11: int: is of no kind; derive it from one of {KINDS}",
    ),
    "an instance": (
        HEAD.format(name="one") + COMPONENTS + "[Made(mk.Options())]",
        "it.py:11: <it.Made>: is an instance; return the class",
    ),
    "a method that is missing": (
        MK + "class Bad(mk.Schedule):\n    name = 'bad'\n" + COMPONENTS + "[Bad]",
        "it.py:2: Bad: lacks 'weights', which every schedule has; define it",
    ),
    "a name that is taken": (
        HEAD.format(name="good") + COMPONENTS + "[Made]",
        "it.py:3: Made: the schedule 'good' is already taken by a-good 1.2 (good); choose another name",
    ),
    "keywords of no kind": (
        SAMPLER + "name = 'bad'\n    def __init__(self, options, *, steps): ...\n"
        "    def sample(self, velocity, noise, *, generator=None): ...\n" + BAD,
        "it.py:2: Bad: must be built with (self, options, *, schedule) (got (self, options, *, steps))",
    ),
    "a name of another form": (
        MK
        + "class Bad(mk.Schedule):\n    name = 'My_Own'\n    def weights(self, sigma): ...\n"
        + COMPONENTS
        + "[Bad]",
        "it.py:2: Bad: needs a name of lower-case words joined by '-' (got 'My_Own')",
    ),
    "a method that can't be called": (
        MK
        + "class Bad(mk.Schedule):\n    name = 'bad'\n    def weights(self, level, power): ...\n"
        + COMPONENTS
        + "[Bad]",
        "it.py:2: Bad: must define weights(sigma) (got weights(level, power))",
    ),
    "options that are none": (
        SAMPLER
        + "name = 'bad'\n    Options = dict\n    def __init__(self, options, *, schedule): ...\n"
        "    def sample(self, velocity, noise, *, generator=None): ...\n" + BAD,
        "it.py:2: Bad: has Options that are no subclass of mk.Options; write `class Options(mk.Options)`",
    ),
    "a class attribute that is missing": (
        METRIC + "units, better = 'dB', 'higher'" + SCORE,
        "it.py:2: Bad: lacks the class attribute 'unit', which every metric has; write `unit = ...` in it",
    ),
    "a class attribute of another word": (
        METRIC + "unit, better = 'dB', 'high'" + SCORE,
        "it.py:2: Bad: has a class attribute 'better' that must be 'lower' or 'higher' (got 'high')",
    ),
    "a class attribute of another type": (
        METRIC + "unit, better = 1, 'higher'" + SCORE,
        "it.py:2: Bad: has a class attribute 'unit' that must be text (got 1)",
    ),
    "former names that are one text": (
        SAMPLER
        + "name, former_names = 'bad', 'old'\n    def __init__(self, options, *, schedule): ...\n"
        "    def sample(self, velocity, noise, *, generator=None): ...\n" + BAD,
        "it.py:2: Bad: has former_names that are no tuple of names, as ('old-name',) is (got 'old')",
    ),
    # options
    "a default that its own range forbids": (
        OPTIONS + "steps: int = mk.Field(50, ge=1, le=10)" + BAD,
        "it.py:2: Bad: has the option 'steps' whose default breaks its own rule; it must be at most 10 (got 50)",
    ),
    "a default of another type": (
        OPTIONS + "steps: int = '50'" + BAD,
        "it.py:2: Bad: has the option 'steps' whose default breaks its own rule; it must be a whole number (got '50')",
    ),
    "an option that recipes can't set": (
        OPTIONS + "use: int = 1" + BAD,
        "it.py:2: Bad: has an option 'use', which is how recipes name the component; rename it",
    ),
    "an option that pydantic has": (
        "import warnings; warnings.simplefilter('ignore')\n"
        + OPTIONS
        + "model_copy: int = 1"
        + BAD,
        "it.py:3: Bad: has an option 'model_copy', which pydantic needs for itself; rename it",
    ),
    "a former name that leads nowhere": (
        OPTIONS + "former_names = {'old': 'new'}" + BAD,
        "it.py:2: Bad: has a former name 'old' of the option 'new', which it does not have; correct `former_names`",
    ),
    "an option without a type": (
        OPTIONS + "stride = mk.Field(4, ge=1)" + BAD,
        "it.py:7: has Options that can't be made; give the option 'stride' a type",
    ),
    "a plain option without a type": (
        OPTIONS + "stride = 4" + BAD,
        "it.py:7: has Options that can't be made; give the option 'stride' a type",
    ),
    "options that can't be made": (
        OPTIONS + "steps: int = mk.Field(default_factory=lambda: 1 / 0)" + BAD,
        "it.py:2: Bad: has Options that can't be made; correct them (ZeroDivisionError: division by zero)",
    ),
    "options of an unknown type": (
        OPTIONS + "steps: 'Nowhere' = 1" + BAD,
        "it.py:2: Bad: has Options that can't be made; correct them (PydanticUndefinedAnnotation: name 'Nowhere' is not defined)",
    ),
}


def report_of(shelf, code, **described):
    """Return the report on a bad plug-in; a good one before it and one behind it must load."""
    shelf.put(GOOD.format(name="good"), package="a-good", name="good")
    module = shelf.put(code.replace("from it.", "from {it}."), name="bad", **described)
    file = shelf.folder / f"{module}.py"
    file.write_text(file.read_text().replace("{it}", module))
    shelf.put(GOOD.format(name="other"), package="z-good", name="good")
    registry, (good, bad, other) = shelf.discover()
    assert [component.name for component, _ in registry] == ["good", "other"]
    assert good == PluginReport("good", "a-good", "1.2", ("schedule: good",))
    assert other == PluginReport("good", "z-good", "1.2", ("schedule: other",))
    assert (bad.name, bad.package, bad.version, bad.components) == ("bad", "theirs", "1.2", ())
    return bad


def shown(shelf, report):
    """Return a report's lines with short names for the module and the folders."""
    info = shelf.folder / "theirs-1.2.dist-info"
    return [
        str(fault)
        .replace(f"{info}/", "")
        .replace(f"{shelf.folder}/", "")
        .replace(shelf.modules[1], "it")
        for fault in report.faults
    ]


@pytest.mark.parametrize("broken", BROKEN)
def test_it_is_left_out_with_a_line_that_says_where_what_and_what_to_do(shelf, broken):
    code, expected = BROKEN[broken]
    bad = report_of(shelf, code)
    # an instance's address differs, and is of no interest
    lines = [re.sub(r"<it\.Made object at \w+>", "<it.Made>", it) for it in shown(shelf, bad)]
    assert lines == [expected]
    assert "\n" not in lines[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "no_such_plug",
            "entry_points.txt:2: its entry point names the module 'no_such_plug', but there is no module 'no_such_plug'; correct it in pyproject.toml and install the package anew",
        ),
        (
            "{module}:plug.hooks",
            "entry_points.txt:2: its entry point names 'plug.hooks', which the module 'it' does not have; correct it in pyproject.toml and install the package anew",
        ),
        (
            "not a module!",
            "entry_points.txt:2: its entry point must be a module, or module:object; correct it in pyproject.toml and install the package anew (got 'not a module!')",
        ),
    ],
)
def test_an_entry_point_that_leads_nowhere(shelf, value, expected):
    bad = report_of(shelf, "x = 1", value=value)
    assert shown(shelf, bad) == [expected]


def test_every_rule_that_is_broken_is_told_of_every_component(shelf):
    bad = report_of(
        shelf,
        MK + "class Bad(mk.Sampler):\n    name = 'Bad'\n\nclass Worse(mk.Sampler): ...\n"
        "@mk.hookimpl\ndef mousai_kit_components():\n    return [Bad, Worse]\n",
    )
    assert shown(shelf, bad) == [
        "it.py:2: Bad: lacks 'sample', which every sampler has; define it",
        "it.py:2: Bad: needs a name of lower-case words joined by '-' (got 'Bad')",
        "it.py:5: Worse: lacks 'sample', which every sampler has; define it",
        "it.py:5: Worse: needs a name of lower-case words joined by '-' (got '')",
    ]


def test_an_entry_point_that_stands_twice(shelf):
    module = shelf.put(GOOD.format(name="one"), package="other")
    shelf.describe("theirs", f"[mousai_kit.v1]\np = {module}\np = {module}:mk\n")
    _, first, again = shelf.discover()[1]
    assert first.fault.endswith("choose another name")
    assert again.fault == "the entry point 'p' stands there twice; give each a name of its own"


def test_ctrl_c_is_nobodys_fault(shelf):
    shelf.put("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        shelf.discover()


def test_another_version_of_the_interface_is_told_and_not_loaded(shelf):
    shelf.put("raise ValueError('imported')", package="new-kit", name="n", group="mousai_kit.v2")
    (report,) = shelf.discover()[1]
    assert (report.owner, report.fault) == (
        "new-kit 1.2 (n)",
        "is written for mousai_kit.v2; this mousai-kit loads mousai_kit.v1: install a version for it",
    )
    assert str(report.faults[0].place).endswith("new_kit-1.2.dist-info/entry_points.txt:2")
    assert shelf.modules[0] not in sys.modules


@pytest.mark.parametrize(
    "group", ["mousai-kit.v1", "mousai_kit_v1", "Mousai_Kit.v1", "mousaikit.V1", "mousai.kit-v1"]
)
def test_a_group_that_is_misspelled_is_told(shelf, group):
    shelf.put("raise ValueError('imported')", name="n", group=group)
    (report,) = shelf.discover()[1]
    assert report.fault == f"is offered under '{group}'; did you mean 'mousai_kit.v1'?"
    assert str(report.faults[0].place).endswith("theirs-1.2.dist-info/entry_points.txt:2")


def test_a_group_of_another_package_is_none_of_ours(shelf):
    shelf.put("raise ValueError('imported')", group="mousai-kit-etude.v1")
    assert shelf.discover()[1] == []


@pytest.mark.parametrize(
    "metadata", ["", "Name: theirs\nVersion: 1.2\nSummary: \xff\n", "Name: theirs\n"]
)
def test_metadata_that_is_damaged_is_told_and_the_rest_loads(shelf, metadata):
    shelf.put(GOOD.format(name="one"), package="good")
    shelf.describe("theirs", "[mousai_kit.v1]\np = nowhere\n", metadata)
    registry, reports = discover()
    (bad,) = [it for it in reports if it.name == "p" and it.fault]
    assert bad.fault == "has metadata that can't be read; install the package anew"
    assert bad.package == "theirs"
    assert {"one", "cosine"} <= set(registry.names("schedule"))


@pytest.mark.parametrize("text", ["[mousai_kit.v1]\njunk\n", "[mousai_kit.v1]\n\x85\n"])
def test_entry_points_that_are_damaged_are_told_and_the_rest_loads(shelf, text):
    shelf.put(GOOD.format(name="one"), package="good")
    info = shelf.describe("their-s", "")
    (info / "entry_points.txt").write_bytes(text.encode("latin-1"))
    other = shelf.describe("no-plug-in", "")
    (other / "entry_points.txt").write_bytes(b"[console_scripts]\njunk\n")
    registry, reports = discover()
    assert [it.owner for it in reports if it.fault] == ["their-s 0 (?)"]
    assert {"one", "cosine"} <= set(registry.names("schedule"))


def test_what_a_plug_in_prints_does_not_get_into_an_answer(shelf, capsys):
    shelf.put("print('hello')\n" + GOOD.format(name="one"))
    shelf.discover()
    assert capsys.readouterr() == ("", "hello\n")


PAGE = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text(encoding="utf-8")
TOLD = re.findall(r"^\| `(.*?)` \|.*\|$", PAGE.replace("``", "`"), re.MULTILINE)
ELSEWHERE = (
    "its entry point",
    "has metadata",
    "the entry point",
    "is written for",
    "is offered under",
    "is switched off",
    "has no docstring",
    "the default of its slot",
    "the trained system '...': the name",
    "takes",
    "needs a default for",
)
"""How messages begin that other tests compare."""


def is_told(pattern, line):
    """Tell whether a line holds a message of the page, in which `...` is any text."""
    return re.fullmatch(".*: " + re.escape(pattern).replace(r"\.\.\.", ".*"), line, re.DOTALL)


@pytest.mark.parametrize("broken", BROKEN)
def test_the_page_tells_of_it(broken):
    assert any(is_told(pattern, BROKEN[broken][1]) for pattern in TOLD)


@pytest.mark.parametrize("pattern", TOLD)
def test_what_the_page_tells_of_is_tested(pattern):
    lines = [line for _, line in BROKEN.values()]
    assert pattern.startswith(ELSEWHERE) or any(is_told(pattern, line) for line in lines)
