"""Building: a component on its own, without a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args, overload

from pydantic_core import PydanticCustomError

from mousai_kit.component import Component, Use, choose
from mousai_kit.errors import Problem, RequestError, did_you_mean, dotted, listed, one_line, shown
from mousai_kit.inspection import kind_called
from mousai_kit.interfaces import (
    KINDS,
    Dataset,
    Domain,
    Metric,
    Sampler,
    Schedule,
    Space,
    SpectralEncoder,
    Split,
    Stage,
    TextEncoder,
    UNet,
    WeightFormat,
)
from mousai_kit.plugins import installed

What = str | Mapping[str, Any]
"""What a recipe says in a slot: a name, or `use` with options."""


class Rule(NamedTuple):
    """What a keyword of the wiring must be."""

    holds: Callable[[Any], bool]
    told: str


def _of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


_COUNT = Rule(_at_least(1), "must be a whole number of at least 1")
_COUNT_OR_NONE = Rule(_at_least(0), "must be a whole number, 0 for none")
RULES = {
    "schedule": Rule(_of(Schedule), "must be a schedule, as mk.build('schedule', ...) makes"),
    "below": Rule(_of(Space), "must be an mk.Space"),
    "split": Rule(
        lambda it: it in get_args(Split), f"must be {' or '.join(map(repr, get_args(Split)))}"
    ),
    "sample_rate": _COUNT,
    "channels": _COUNT,
    "audio_channels": _COUNT,
    "length": _COUNT,
    "context_channels": _COUNT_OR_NONE,
    "text_features": _COUNT_OR_NONE,
}
"""The rule of each keyword of any kind's wiring."""


@overload
def build(
    kind: Literal["text_encoder", "text-encoder"], what: What, **wiring: Any
) -> TextEncoder: ...
@overload
def build(
    kind: Literal["spectral_encoder", "spectral-encoder"], what: What, **wiring: Any
) -> SpectralEncoder: ...
@overload
def build(kind: Literal["unet"], what: What, **wiring: Any) -> UNet: ...
@overload
def build(kind: Literal["schedule"], what: What, **wiring: Any) -> Schedule: ...
@overload
def build(kind: Literal["sampler"], what: What, **wiring: Any) -> Sampler: ...
@overload
def build(kind: Literal["domain"], what: What, **wiring: Any) -> Domain: ...
@overload
def build(kind: Literal["stage"], what: What, **wiring: Any) -> Stage: ...
@overload
def build(kind: Literal["dataset"], what: What, **wiring: Any) -> Dataset: ...
@overload
def build(kind: Literal["metric"], what: What, **wiring: Any) -> Metric: ...
@overload
def build(
    kind: Literal["weight_format", "weight-format"], what: What, **wiring: Any
) -> WeightFormat: ...
def build(kind: str, what: What, **wiring: Any) -> Component:
    """Build an installed component from what a recipe would say of it, and its kind's wiring.

    RequestError where there is no such kind or component, or an option or the wiring is wrong.
    """
    use = _chosen(kind_called(kind, KINDS), what)
    _check_wiring(use.component, wiring)
    built: Component = use.build(**wiring)
    return built


def _chosen(kind: str, what: What) -> Use[Any]:
    try:
        return choose(KINDS[kind], what, {"registry": installed()})
    except PydanticCustomError as error:
        context = error.context or {}
        told = context.get("errors", [(context.get("at", ()), error.message())])
        raise RequestError(*(Problem(kind, dotted(at), it) for at, it in told)) from None


def _check_wiring(component: type[Component], wiring: Mapping[str, Any]) -> None:
    """Raise RequestError unless the keywords are those of the component's kind, of their types."""
    known, origin = component.wiring, f"{component.kind}: {component.name}"
    takes = f"is built with {listed(known)}" if known else "is built with nothing"
    faults = [f"{takes}; '{key}' is missing" for key in known if key not in wiring]
    faults += [
        f"{takes}, not with '{key}'{did_you_mean(key, known)}" for key in wiring if key not in known
    ]
    problems = [Problem(origin, "", fault) for fault in faults]
    problems += [
        Problem(origin, key, f"{RULES[key].told} (got {one_line(shown(wiring[key]))})")
        for key in known
        if key in wiring and not RULES[key].holds(wiring[key])
    ]
    if problems:
        raise RequestError(*problems)
