"""YAML without its traps: 1e-4 is a number, `no` is text, nothing is repeated, nothing runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader

from mousai_kit.core.errors import RecipeError
from mousai_kit.recipe.nodes import KeyPath, Location, Node, ProblemCollector

LARGEST = 256 * 1024
"""Bytes of the largest recipe."""
DEEPEST = 40
"""Levels of the deepest nesting."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]{1,40}\Z")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def parse_mapping(data: bytes, origin: Location, faults: ProblemCollector) -> Node:
    """Return the mapping that a file holds; what is wrong goes to `faults`."""
    if len(data) > LARGEST:
        raise faults.fatal(
            origin, (), f"is larger than {LARGEST // 1024} kB, too large for a recipe"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise faults.fatal(origin.at(line), (), "is not text in UTF-8; is it a recipe?") from None
    root = parse(text, origin, faults)
    if root.value is None:
        raise faults.fatal(origin, (), "is empty; a recipe begins with `version: 1`")
    if not isinstance(root.value, dict):
        raise faults.fatal(root.origin, (), "must be a mapping, with lines such as `version: 1`")
    return root


def read_file(path: Path, origin: Location, faults: ProblemCollector) -> Node:
    """Return what `parse_mapping` does of a file, which is read no further than a recipe may be."""
    with path.open("rb") as file:
        return parse_mapping(file.read(LARGEST + 1), origin, faults)


def parse(text: str, origin: Location, faults: ProblemCollector, place: KeyPath = ()) -> Node:
    """Return the one value that a text holds, to be put at a place."""
    if strange := Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, strange.start()) + 1
        raise faults.fatal(origin.at(line), (), f"is not text: it holds {strange.group()!a}")
    return _Parser(text, origin, faults).content(place)


def scalar(text: str) -> Any:
    """Return what an unquoted word means: nothing, true or false, a number, or text."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _INFINITE.fullmatch(text) else text


def dump(values: Any) -> str:
    """Return plain values as YAML that `parse_mapping` understands in the same way."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Parser:
    """Walks the parser's events, so that neither alias nor tag is ever followed."""

    def __init__(self, text: str, origin: Location, faults: ProblemCollector) -> None:
        self.events = yaml.SafeLoader(text)
        self.origin, self.faults = origin, faults

    def content(self, place: KeyPath) -> Node:
        """Return the value of the one document in the text."""
        self._next()  # the stream's start
        if not isinstance(self._next(), yaml.DocumentStartEvent):
            return Node(None, self.origin)
        root = self._value(self._next(), place, None)
        self._next()  # the document's end
        if not isinstance(more := self._next(), yaml.StreamEndEvent):
            raise self._fault(more, (), "begins a second document; a recipe is one")
        return root

    def _next(self) -> yaml.Event:
        try:
            return self.events.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 0
            said = ", ".join(filter(None, (error.context, error.problem)))
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            line, said = self.events.line + 1, str(error)
        hint = "; indent with spaces" if "'\\t'" in said else ""
        raise self.faults.fatal(self.origin.at(line), (), f"is not valid YAML: {said}{hint}")

    def _value(self, event: yaml.Event, place: KeyPath, origin: Location | None) -> Node:
        """Return the value that begins with an event, of a key that stands at `origin`."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._fault(
                event, place, "anchors and aliases (& and *) are not allowed; use `extends`"
            )
        if tag := getattr(event, "tag", None):
            short = tag.replace("tag:yaml.org,2002:", "!!")
            raise self._fault(event, place, f"tags such as {short} are not allowed")
        if len(place) > DEEPEST:
            raise self._fault(event, (), f"is nested deeper than {DEEPEST} levels")
        here = origin or self._mark(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(place), here)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._list(place), here)
        text = self._text(event, place)
        return Node(text if getattr(event, "style", None) else scalar(text), here)

    def _mapping(self, place: KeyPath) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if (
                not isinstance(event, yaml.ScalarEvent)
                or event.anchor
                or event.tag
                or not event.value
            ):
                raise self._fault(event, place, "a key must be a word")
            key, origin = self._text(event, place), self._mark(event)
            item = self._value(self._next(), (*place, key), origin)
            if key in items:
                self.faults.add(origin, (*place, key), f"is already set at {items[key].origin}")
            else:
                items[key] = item
        return items

    def _list(self, place: KeyPath) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items)), None))
        return items

    def _text(self, event: yaml.Event, place: KeyPath) -> str:
        text = str(getattr(event, "value", ""))
        if strange := _NO_TEXT.search(text):
            raise self._fault(event, place, f"holds {strange.group()!a}, which is not text")
        return text

    def _fault(self, event: yaml.Event, place: KeyPath, message: str) -> RecipeError:
        return self.faults.fatal(self._mark(event), place, message)

    def _mark(self, event: yaml.Event) -> Location:
        mark = event.start_mark
        return self.origin.at(mark.line + 1, mark.column) if mark else self.origin


class _Dumper(yaml.SafeDumper):
    """Quotes whatever some reader of YAML might take for something other than text."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", _WHOLE, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
