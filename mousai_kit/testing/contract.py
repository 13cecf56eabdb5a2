"""Contract: what the suites of all kinds share, and how a component is excused from a rule."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar, cast, get_args, get_origin

import pytest
import torch
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from mousai_kit.core.component import Component, Options, Use, interfaces_of, resolve_slot
from mousai_kit.core.errors import did_you_mean
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import Registry

Rule = Callable[..., None]


class Contract:
    """What every component keeps to.

    Inherit the suite of your kind, and set `component`:

        class TestEuler(SamplerContract):
            component = Euler
            options = {"steps": 7}

    A component that can't keep to a rule says why in `expected_failures`; the rule then must fail
    (pytest shows the reason), and the suite fails as soon as it no longer does. A suite that
    replaces a rule instead is refused.
    """

    interface: ClassVar[type[Component]] = Component
    """Set by a kind's suite: what it is a suite of."""
    component: ClassVar[type[Component]]
    """The class under test."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Its options as a recipe gives them: small ones, so that the suite is quick."""
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """The rules (names of tests) that it does not keep to, and why."""

    neighbours: ClassVar[tuple[type[Component], ...]] = ()
    """Components that a suite brings, for recipes to name."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        rules = rules_of(cls)
        for name, rule in rules.items():
            found = inspect.getattr_static(cls, name)
            if found is not rule and getattr(found, "excuses", None) is not rule:
                raise TypeError(
                    f"{cls.__name__} replaces '{name}' of its contract; "
                    "say why it can't hold instead: "
                    f'expected_failures = {{"{name}": "the reason"}}'
                )
        if hasattr(cls, "component"):  # else it is a kind's suite, not a component's
            _refuse_what_is_no_suite(cls)
            _refuse_odd_excuses(cls, rules)
            for name, rule in rules.items():
                if reason := cls.expected_failures.get(name):
                    setattr(cls, name, _expected_to_fail(rule, reason))
                elif inspect.getattr_static(cls, name) is not rule:  # excused in a base class only
                    setattr(cls, name, rule)

    def use(self, **changes: Any) -> Use[Any]:
        """Return the choice of the component with `options`, some of them changed."""
        values = {"use": self.component.name, **self.options, **changes}
        return resolve_slot(self.component, values, {"registry": self.registry()})

    def registry(self) -> Registry:
        """Return what is installed, with the component and `neighbours` whether they are or not."""
        registry = installed_registry()
        for component in (*self.neighbours, self.component):
            registry = registry.replacing(component, owner="contract")
        return registry

    def build(self, *, seed: int = 0, **build_kwargs: Any) -> Any:
        """Return the component, built with `options` and keywords, its weights from a seed."""
        torch.manual_seed(seed)
        return self.use().build(**build_kwargs)

    def state_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of what is kept with the weights, by name; default: none."""
        return {}

    def test_a_plug_in_may_offer_it(self) -> None:
        Registry().add(self.component, owner="contract")

    def test_its_first_line_says_what_it_is(self) -> None:
        first = (inspect.getdoc(self.component) or "").split("\n", 1)[0]
        inherited = inspect.getdoc(interfaces_of(self.component)[0]) or ""
        assert first.endswith("."), f"a sentence is what `mousai-kit ls` prints (got {first!r})"
        assert first != inherited.split("\n", 1)[0], "it has no docstring of its own"

    def test_every_option_is_described(self) -> None:
        fields = self.component.Options.model_fields
        slots = {name for name, field in fields.items() if get_origin(field.annotation) is Use}
        mute = [name for name, field in fields.items() if not (field.description or name in slots)]
        assert mute == [], "`mousai-kit show` prints what mk.Field(description=...) says of each"

    def test_an_unknown_option_is_refused(self) -> None:
        context = {"registry": self.registry()}
        with pytest.raises(ValidationError):
            self.component.Options.model_validate({**self.options, "no_such": 1}, context=context)

    def test_options_that_never_change_weights_leave_them(self) -> None:
        names, fields = self.component.never_change_weights, self.component.Options.model_fields
        unknown = [name for name in names if name not in fields]
        assert unknown == [], "never_change_weights must name options"
        key, shapes = self.use().values(without=("sampler",)), self.state_shapes()
        for name in names:
            value = getattr(self.use().options, name)
            for other in _other_values(value, fields[name].annotation):
                options = {"options": {**self.options, name: other}}
                changed = type(type(self).__name__, (type(self),), options)()
                try:
                    use = changed.use()
                except (ValidationError, PydanticCustomError):  # out of range
                    continue
                rule = f"{name} is in never_change_weights, and changes what is learned"
                assert use.values(without=("sampler",)) == key, rule
                assert changed.state_shapes() == shapes, rule
                break

    def test_options_can_not_be_changed_after_they_were_checked(self) -> None:
        options: Options = self.use().options
        for name in type(options).model_fields:
            with pytest.raises(ValidationError):
                setattr(options, name, getattr(options, name))


def _other_values(value: Any, annotation: Any) -> Iterator[Any]:
    """Yield what an option might say instead of a value; some of it may be out of range."""
    yield from (choice for choice in get_args(annotation) if choice != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 2 * value)
    elif isinstance(value, float):
        yield from (value + 0.125, value - 0.125, value / 2, value + 1, value - 1)


def rules_of(contract: type[Contract]) -> dict[str, Rule]:
    """Return the tests of a suite by name, those of all kinds first, as they were first written."""
    names: dict[str, Rule] = {}
    for base in contract.__mro__:
        if issubclass(base, Contract):
            own = {name: rule for name, rule in vars(base).items() if name.startswith("test_")}
            names = {**own, **names, **own}
    return names


def _refuse_what_is_no_suite(cls: type[Contract]) -> None:
    """Raise where the suite is another kind's, or where its rules would not be what is run."""
    if not issubclass(cls.component, cls.interface):
        raise TypeError(
            f"{cls.__name__} tests {cls.component.__name__} with the suite of another kind: "
            f"it is no subclass of {cls.interface.__name__}"
        )
    for name in ("use", "registry", "build"):
        if name in vars(cls):
            raise TypeError(
                f"{cls.__name__} replaces '{name}' of its contract; what the component is "
                "built with goes into options"
            )
    if not getattr(cls, "__test__", True):
        raise TypeError(f"{cls.__name__} is hidden from pytest: __test__ must not be False")


def _refuse_odd_excuses(cls: type[Contract], rules: Mapping[str, Rule]) -> None:
    """Raise where a component is excused from what is no rule, or for no reason."""
    for name, reason in cls.expected_failures.items():
        if name not in rules:
            hint = did_you_mean(name, rules)
            raise TypeError(f"{cls.__name__} is excused from '{name}', which is no rule{hint}")
        if not reason.strip():
            raise TypeError(f"{cls.__name__} is excused from '{name}' without a reason")


def _expected_to_fail(rule: Rule, reason: str) -> Rule:
    """Return a rule of its own for one suite, marked as failing for a reason."""

    @wraps(rule)
    def run_rule(*arguments: Any, **keywords: Any) -> None:
        rule(*arguments, **keywords)

    run_rule.pytestmark = [*getattr(rule, "pytestmark", [])]  # type: ignore[attr-defined]
    run_rule.excuses = rule  # type: ignore[attr-defined]
    return cast("Rule", pytest.mark.xfail(reason=reason, strict=True)(run_rule))


MEANT = (
    "words mean something else in the next process, where Python's hash() of a text is another; "
    "use zlib.crc32 or hashlib"
)


@contextmanager
def salted_hash(component: type[Component]) -> Iterator[None]:
    """Let `hash` in the modules of a component's package be what another process may have."""
    package = component.__module__.partition(".")[0]
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name == package or name.startswith(f"{package}."):
                patch.setattr(module, "hash", hash_with_salt, raising=False)
        patch.setattr(sys.modules[component.__module__], "hash", hash_with_salt, raising=False)
        yield


def hash_with_salt(hashable: Hashable) -> int:
    """Return a hash that is another for text, as with another PYTHONHASHSEED."""
    if isinstance(hashable, tuple):
        return hash(tuple(hash_with_salt(part) for part in hashable))
    return hash((hashable, "another process") if isinstance(hashable, str | bytes) else hashable)
