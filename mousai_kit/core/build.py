"""Building: a component on its own, without a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from pydantic_core import PydanticCustomError

from mousai_kit.core.component import Component, K, Use, interfaces_of, resolve_slot
from mousai_kit.core.errors import (
    Problem,
    RequestError,
    did_you_mean,
    escape_control_chars,
    format_path,
    format_value,
    join_quoted,
)
from mousai_kit.core.interfaces import KINDS, ChannelLayout, Schedule, SignalSpace, Split
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.registry import interface_name

ComponentConfig = str | Mapping[str, Any]
"""What a recipe says in a slot: a name, or `use` with options."""


def _is_count(value: Any, least: int = 1) -> bool:
    return type(value) is int and value >= least


_SPLITS = get_args(Split)
_KEYWORD_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "schedule": (
        "must be a schedule, as mk.build(mk.Schedule, ...) makes",
        lambda value: isinstance(value, Schedule),
    ),
    **dict.fromkeys(
        ("input_space", "space"),
        ("must be an mk.SignalSpace", lambda value: isinstance(value, SignalSpace)),
    ),
    "layout": (
        "must be an mk.ChannelLayout, or None",
        lambda value: value is None or isinstance(value, ChannelLayout),
    ),
    "split": (f"must be {' or '.join(map(repr, _SPLITS))}", lambda value: value in _SPLITS),
    **dict.fromkeys(
        ("sample_rate", "channels", "audio_channels", "length"),
        ("must be a whole number of at least 1", _is_count),
    ),
    **dict.fromkeys(
        ("context_channels", "text_features"),
        ("must be a whole number, 0 for none", lambda value: _is_count(value, least=0)),
    ),
}
"""Rule and test of each keyword of mousai-kit's kinds; those of plug-ins check their own."""


# Not `type[K]`, for which mypy takes no abstract class.
def build(kind: Callable[..., K], what: ComponentConfig, **build_kwargs: Any) -> K:
    """Build an installed component of a kind (`mk.Sampler`) as a recipe would.

    Optional keywords of the kind that the component does not take change nothing.

    RequestError where there is no such kind or component, or an option or a build keyword is wrong.
    """
    use = _choose(_interface(kind), what)
    _check_wiring(use.component, build_kwargs)
    return cast("K", use.build(**build_kwargs))


def _interface(kind: object) -> type[Component]:
    """Return the interface that a caller means; RequestError names it where it is not given."""
    bases = interfaces_of(kind)
    if isinstance(kind, str):
        bases = [base for name, base in KINDS.items() if name == kind.replace("-", "_")]
    if bases == [kind]:
        return bases[0]
    names = [interface_name(base) for base in bases or KINDS.values()]
    hint = f"write mk.build({names[0]}, ...)" if bases else f"there are {join_quoted(names)}"
    got = escape_control_chars(repr(kind))
    raise RequestError(f"mk.build takes the class of a kind; {hint} (got {got})")


def _choose(kind: type[Component], what: ComponentConfig) -> Use[Any]:
    try:
        return resolve_slot(kind, what, {"registry": installed_registry()})
    except PydanticCustomError as error:
        context = error.context or {}
        told = context.get("errors", [(context.get("at", ()), error.message())])
        raise RequestError(
            *(Problem(kind.kind, format_path(at), message) for at, message in told)
        ) from None


def _check_wiring(component: type[Component], build_kwargs: Mapping[str, Any]) -> None:
    """Raise RequestError unless the keywords are those of the component's kind, of their types."""
    checks = _KEYWORD_CHECKS if component.kind in KINDS else {}
    known, origin = component.build_kwargs, f"{component.kind}: {component.name}"
    all_known = (*known, *component.optional_build_kwargs)
    takes = f"is built with {join_quoted(known)}" if known else "is built with nothing"
    faults = [f"{takes}; '{key}' is missing" for key in known if key not in build_kwargs]
    faults += [
        f"{takes}, not with '{key}'{did_you_mean(key, all_known)}"
        for key in build_kwargs
        if key not in all_known
    ]
    problems = [Problem(origin, "", fault) for fault in faults]
    for key in (key for key in all_known if key in build_kwargs and key in checks):
        rule, holds = checks[key]
        if not holds(build_kwargs[key]):
            got = escape_control_chars(format_value(build_kwargs[key]))
            problems.append(Problem(origin, key, f"{rule} (got {got})"))
    if problems:
        raise RequestError(*problems)
