"""What a part is: a class with a name, closed options and the build keywords of its kind."""

from __future__ import annotations

import inspect
import re
from abc import ABC
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, to_jsonable_python

from mousai_kit.core.errors import MousaiError, PluginError, Problem, format_value
from mousai_kit.core.validation import flatten_errors, missing_attributes, option_error

__all__ = [
    "Component",
    "ComponentLookup",
    "Field",
    "LocalPath",
    "Options",
    "PathOption",
    "PathOrName",
    "Use",
    "default",
    "iter_slots",
]

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a component is called."""
SLOT = "x-mousai-kind"
"""The key under which a slot's JSON Schema names the kind that it takes."""


class Options(BaseModel):
    """What a recipe may say of a component: closed (a typo is an error), frozen, ranged, described.

    Numbers must be finite. Defaults are checked like values that a recipe gives.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        defer_build=True,  # a recipe uses few of all the Options that plug-ins bring
    )
    shows_defaults: ClassVar[bool] = True
    """Whether a recipe that is written out says what was left to its default, too."""
    former_names: ClassVar[Mapping[str, str]] = {}
    """What options were called in earlier versions, each with its name of today."""

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Let a component read its deprecated options in silence: the recipe's author is told."""
        for name in cls.model_fields:
            if name in vars(cls):
                delattr(cls, name)


_Options = Options


@dataclass(frozen=True, slots=True)
class PathOption:
    """Marks text of a recipe as a path: a relative one is beside the recipe that says it."""

    may_be_name: bool = False
    """Whether it may be a name of something elsewhere, a model on the hub say, if nothing is there
    under it."""


LocalPath = Annotated[str, PathOption()]
"""The type of an option that is the path of a file or folder. A component built from a recipe gets
it absolute, or as it stands where it begins with `~` or names a place on the net."""
PathOrName = Annotated[str, PathOption(may_be_name=True)]
"""The type of an option that is a path or else a name: where nothing is at the path, it stays."""


class Component(ABC):
    """A part of a system. Options come from the recipe, build keywords from its neighbours.

    A subclass of a kind sets `name`, nests `Options` where it has any, and takes
    `(self, options, *, <the kind's build keywords>)`, which the registry checks.
    """

    kind: ClassVar[str]
    """Set by the interface: `sampler`, `unet`, ..."""
    build_kwargs: ClassVar[tuple[str, ...]] = ()
    """Set by the interface: the keywords that a component of this kind is built with."""
    optional_build_kwargs: ClassVar[tuple[str, ...]] = ()
    """Set by the interface: further keywords, which a component gets if its constructor takes them,
    and where whoever builds it knows them: it has a default for each."""
    name: ClassVar[str]
    """Set by the component: what a recipe calls it."""
    former_names: ClassVar[tuple[str, ...]] = ()
    """Set by a component that had other names in earlier versions; recipes may still say them."""
    never_change_weights: ClassVar[tuple[str, ...]] = ()
    """Set by a component: options that leave what was learned as it is, so that nothing is trained
    anew where they change."""
    Options: ClassVar[type[_Options]] = Options


def interfaces_of(component: object) -> list[type[Component]]:
    """Return the classes that set the kind of a component: one, where it is sound."""
    if not (isinstance(component, type) and issubclass(component, Component)):
        return []
    return [base for base in component.__mro__ if "kind" in vars(base)]


K = TypeVar("K", bound=Component)


class ComponentLookup(Protocol):
    """Whatever finds component classes by kind and name: the registry."""

    def find(self, kind: str, name: str) -> type[Component]:
        """Return the component class; raise LookupError with one line that helps."""


class Use(Generic[K]):
    """A slot for a component: chosen and checked (class and options), not built yet.

    As an annotation, `encoder: Use[SpectralEncoder]` accepts `{use: name, option: value, ...}` or
    a bare name, and finds the class in the registry that the validation context carries.
    """

    def __init__(self, component: type[K], options: Options) -> None:
        self.component = component
        self.options = options

    def build(self, **build_kwargs: Any) -> K:
        """Build the component with its kind's keywords, those that it may take and does included.

        PluginError where it is unfinished; an error of its own knows where it was built.
        """
        try:
            built = cast("Any", self.component)(self.options, **self._accepted_kwargs(build_kwargs))
        except MousaiError as error:
            error.slot = error.slot or self
            raise
        interface = interfaces_of(self.component)[-1]
        if missing := list(missing_attributes(interface, built)):
            of, what = self.component, f"{self.component.kind} '{self.component.name}'"
            told = f"{what} must set self.{{}} in its constructor"
            origin = f"{of.__module__}.{of.__qualname__}"
            raise PluginError(*(Problem(origin, "", told.format(name)) for name in missing))
        return cast("K", built)

    def _accepted_kwargs(self, build_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return keywords without those optional ones that the constructor does not take."""
        takes = inspect.signature(self.component.__init__).parameters
        unasked = {key for key in self.component.optional_build_kwargs if key not in takes}
        return {key: value for key, value in build_kwargs.items() if key not in unasked}

    def values(self, *, without: Collection[str] = ()) -> dict[str, Any]:
        """Return `{use: name, option: value, ...}`, nested, with every default filled in.

        Slots of the kinds in `without` are left out, and with them options that never change
        weights.
        """
        values = to_plain_dict(self.options, without=without)
        idle = self.component.never_change_weights if without else ()
        options = {key: value for key, value in values.items() if key not in idle}
        return {"use": self.component.name, **options}

    def replace(self, **changes: Any) -> Use[K]:
        """Return the same choice with some options changed, unchecked."""
        return Use(self.component, self.options.model_copy(update=changes))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Use):
            return NotImplemented
        return self.component is other.component and self.options == other.options

    def __hash__(self) -> int:
        return hash(self.component)

    def __repr__(self) -> str:
        return f"Use({self.component.kind} {self.component.name})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (kind,) = get_args(source)

        def validate(value: Any, info: core_schema.ValidationInfo) -> Use[Any]:
            return resolve_slot(kind, value, cast("Mapping[str, Any]", info.context or {}))

        return core_schema.with_info_plain_validator_function(validate, metadata={SLOT: kind.kind})

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say which kind the slot takes: what there is of it, only a registry knows."""
        return {"type": ["string", "object"], SLOT: schema["metadata"][SLOT]}


def default(value: str | Mapping[str, Any]) -> Any:
    """Return what a `Use` slot holds unless a recipe says otherwise: a name, or a mapping."""
    return Field(default_factory=lambda: value if isinstance(value, str) else dict(value))


def resolve_slot(kind: type[Component], value: Any, context: Mapping[str, Any]) -> Use[Any]:
    """Return the slot's content for what a recipe says of it; errors carry the inner places."""
    if isinstance(value, Use):
        return value
    component = _find_class(kind.kind, value, context)
    options = {key: item for key, item in value.items() if key != "use"} if _maps(value) else {}
    try:
        return Use(component, component.Options.model_validate(options, context=dict(context)))
    except ValidationError as error:
        raise PydanticCustomError(
            "nested", "nested problems", {"errors": flatten_errors(error, component.Options)}
        ) from None


def iter_slots(use: Use[Any], place: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Use[Any]]]:
    """Yield (place, choice) of a slot and of every slot in its options, the outer ones first."""
    yield place, use
    yield from _slots_in(use.options, place)


def _slots_in(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[Any, Use[Any]]]:
    match value:
        case Use():
            yield from iter_slots(value, place)
        case BaseModel() | Mapping():
            for key, item in dict(value).items():
                yield from _slots_in(item, (*place, key))
        case list() | tuple():
            for at, item in enumerate(value):
                yield from _slots_in(item, (*place, at))


def to_plain_dict(options: BaseModel, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return options as plain YAML values, slots as `use` mappings but for kinds in `without`."""

    def is_kept(value: Any) -> bool:
        return not (isinstance(value, Use) and value.component.kind in without)

    def value_of(value: Any) -> Any:
        match value:
            case Use():
                return value.values(without=without)
            case BaseModel():
                return to_plain_dict(value, without=without)
            case Mapping():
                return {key: value_of(item) for key, item in value.items() if is_kept(item)}
            case list() | tuple():
                return [value_of(item) for item in value if is_kept(item)]
            case _:
                return to_jsonable_python(value, fallback=str)

    shows_all = not isinstance(options, Options) or options.shows_defaults
    shown = ((key, value) for key, value in options if shows_all or key in options.model_fields_set)
    return {key: value_of(value) for key, value in shown if is_kept(value)}


def _find_class(kind: str, value: Any, context: Mapping[str, Any]) -> type[Component]:
    """Return the class that a recipe names for a slot."""
    if _maps(value) and "use" not in value:
        raise option_error(f"must say which {kind} to use (`use: <name>`)")
    name, at = (value["use"], ("use",)) if _maps(value) else (value, ())
    if not isinstance(name, str):
        rule = f"must be the name of a {kind}" + ("" if at else ", or `use: <name>` with options")
        raise option_error(f"{rule} (got {format_value(name)})", *at)
    try:
        return cast("ComponentLookup", context["registry"]).find(kind, name)
    except LookupError as error:
        raise option_error(str(error), "use") from None


def _maps(value: Any) -> bool:
    return isinstance(value, Mapping)
