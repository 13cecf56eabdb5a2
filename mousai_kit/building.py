"""Building: a component on its own, without a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

from pydantic_core import PydanticCustomError

from mousai_kit.component import Component, Use, choose
from mousai_kit.errors import Problem, RequestError, did_you_mean, dotted, listed
from mousai_kit.interfaces import (
    KINDS,
    Dataset,
    Domain,
    Metric,
    Sampler,
    Schedule,
    SpectralEncoder,
    Stage,
    TextEncoder,
    UNet,
    WeightFormat,
)
from mousai_kit.plugins import installed

What = str | Mapping[str, Any]
"""What a recipe says in a slot: a name, or `use` with options."""


@overload
def build(kind: Literal["text_encoder"], what: What, **wiring: Any) -> TextEncoder: ...
@overload
def build(kind: Literal["spectral_encoder"], what: What, **wiring: Any) -> SpectralEncoder: ...
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
def build(kind: Literal["weight_format"], what: What, **wiring: Any) -> WeightFormat: ...
def build(kind: str, what: What, **wiring: Any) -> Component:
    """Build an installed component from what a recipe would say of it, and its kind's wiring.

    RequestError where there is no such kind or component, or an option or the wiring is wrong.
    """
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"; the kinds are {listed(KINDS)}"
        raise RequestError(f"there is no kind '{kind}'{hint}")
    use = _chosen(kind, what)
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
    """Raise RequestError unless the keywords are those of the component's kind."""
    known, origin = component.wiring, f"{component.kind}: {component.name}"
    takes = f"is built with {listed(known)}" if known else "is built with nothing"
    faults = [f"{takes}; '{key}' is missing" for key in known if key not in wiring]
    faults += [
        f"{takes}, not with '{key}'{did_you_mean(key, known)}" for key in wiring if key not in known
    ]
    if faults:
        raise RequestError(*(Problem(origin, "", fault) for fault in faults))
