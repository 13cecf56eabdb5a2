"""The network: whether the Hugging Face hub answers, and which models of it are here already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mousai_kit import hub
from mousai_kit.doctor.finding import Finding, note, ok
from mousai_kit.doctor.parts import found

ASKED = ("google-t5/t5-base", "config.json")
"""A small file that is always there."""
NOT_NEEDED = "only recipes that name a model of the hub need it, once"


def hub_itself() -> Iterator[Finding]:
    """Ask the hub for the head of one small file, unless HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(*ASKED), timeout=hub.PATIENCE)
    except Exception as error:  # whatever the hub's client and its network library raise
        told = f"no model can be fetched: {hub.reason(error, ASKED[1])}"
        mend = f"{NOT_NEEDED}; see HF_HUB_OFFLINE, HF_ENDPOINT and HTTPS_PROXY"
        yield note("hub", told, mend)
    else:
        yield ok("hub", f"{constants.ENDPOINT} answers")


def models() -> Iterator[Finding]:
    """Tell which models that shipped recipes name are kept here."""
    for (model, revision), names in _wanted().items():
        told = f"{model}, for {' and '.join(names)}"
        folder = hub.kept(model, revision, ["*.safetensors"])
        if folder and any(folder.glob("*.safetensors")):
            yield ok("models", f"{told}: in {folder}")
        else:
            yield note("models", f"{told}: not here yet", "their first run fetches it")


def _wanted() -> dict[tuple[str, str | None], list[str]]:
    """Return the models (name, revision) of the hub that shipped recipes name, and which those."""
    from mousai_kit.errors import MousaiError
    from mousai_kit.recipe import load_recipe, shipped

    wanted: dict[tuple[str, str | None], list[str]] = {}
    for name, path in shipped().items():
        try:
            values = load_recipe(path, registry=found()[0]).values()
        except MousaiError:  # another check tells of it
            continue
        for options in _mappings(values):
            model, revision = options.get("model"), options.get("revision")
            if isinstance(model, str) and "revision" in options and not hub.is_folder(model):
                wanted.setdefault((model, revision), []).append(name)
    return wanted


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _mappings(item)
