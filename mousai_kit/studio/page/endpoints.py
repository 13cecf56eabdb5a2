"""Endpoints: what the page does, for programs, by way of Gradio's API.

Whatever needs the device is of one queue, in which one request runs and the others have a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.studio.arguments import check_arguments
from mousai_kit.studio.clip_order import MakingState
from mousai_kit.studio.gallery import ClipRecord
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.settings import ClipSettings, clip_settings
from mousai_kit.studio.studio import Studio, continue_clip, count_up, vary_clip

DEVICE: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1}
"""How an event says that it needs the device."""
QUICK: dict[str, Any] = {"concurrency_limit": 8}
"""How an event says that it waits for nobody."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""How an event says that it is the page's own, and no endpoint."""


def add_endpoints(studio: Studio) -> None:
    """Add the endpoints of clips to the page that is being built."""
    for function in _device_endpoints(studio):
        add_endpoint(function, DEVICE)
    for function in _quick_endpoints(studio):
        add_endpoint(function)
    _add_file_endpoints(studio)


def add_endpoint(function: Callable[..., Any], queue: dict[str, Any] = QUICK) -> None:
    """Add an endpoint that is called as a function is; its arguments are checked by their types."""
    gr.api(
        tell_errors(check_arguments(function), escape=False), api_name=function.__name__, **queue
    )


def add_file_endpoint(function: Callable[..., Any], inputs: list[Any], output: Any) -> None:
    """Add an endpoint of which an argument or the result is a file, as these components say."""
    gr.Button(visible=False).click(
        tell_errors(check_arguments(function), escape=False),
        inputs,
        output,
        api_name=function.__name__,
        concurrency_limit=4,
    )


def _device_endpoints(studio: Studio) -> list[Callable[..., Any]]:
    def make(
        system: str,
        prompt: str,
        seconds: float | None = None,
        seed: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        negative: str | None = None,
        count: int = 1,
        format: str = "flac",  # noqa: A002 (what a client says)
        controls: dict[str, Any] | None = None,
        overrides: list[str] | None = None,
        adapters: dict[str, float] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Make clips from a prompt; yields how it stands, at last with the clips' records."""
        asked = dict(controls or {}) | ({"negative": negative} if negative else {})
        settings = clip_settings(
            system=system,
            prompt=prompt,
            seconds=seconds,
            seed=seed,
            steps=steps,
            guidance=guidance,
            format=format,
            overrides=overrides or [],
            adapters=adapters or {},
            controls=asked,
        )
        yield from _states(studio, count_up(settings, count))

    def again(clip: str) -> Iterator[dict[str, Any]]:
        """Make a clip of the gallery once more, from the same settings."""
        yield from _states(studio, [studio.gallery.find(clip).settings], clip, "made again")

    def vary(clip: str, count: int = 1, spread: float = 0.2) -> Iterator[dict[str, Any]]:
        """Make variations of a clip: 0 is the same, 1 unrelated."""
        orders = vary_clip(studio.gallery.find(clip), count, spread)
        yield from _states(studio, orders, clip, "varied")

    def extend(clip: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Go on from a clip, for so many seconds."""
        order = continue_clip(studio.gallery.find(clip), seconds)
        yield from _states(studio, [order], clip, "continued")

    return [make, again, vary, extend]


def _quick_endpoints(studio: Studio) -> list[Callable[..., Any]]:
    def systems() -> list[dict[str, Any]]:
        """Tell what there is to make music with, and what each can be asked."""
        found = ((name, studio.systems.abilities(name)) for name in studio.systems.names)
        return [
            {"name": name, **asdict(one), "controls": sorted(one.controls)} for name, one in found
        ]

    def clips(limit: int = 100) -> list[dict[str, Any]]:
        """Tell the records of the newest clips."""
        return [record_values(record) for record in studio.gallery.records()[: max(0, limit)]]

    def clip(key: str) -> dict[str, Any]:
        """Tell a clip's record."""
        return record_values(studio.gallery.find(key))

    def delete(key: str) -> str:
        """Remove a clip from the gallery."""
        studio.delete(key)
        return key

    def recipe(system: str, overrides: list[str] | None = None) -> str:
        """Tell a system's recipe as YAML, with parts swapped; what is wrong as `validate` does."""
        return studio.systems.recipe(system, overrides or []).to_yaml()

    return [systems, clips, clip, delete, recipe]


def _add_file_endpoints(studio: Studio) -> None:
    """Add the endpoints whose arguments or results are files."""

    def upload(file: str) -> str:
        return studio.upload(Path(file))

    def audio(key: str, format: str) -> str:  # noqa: A002
        return str(studio.export(key, format))

    def picture(key: str) -> str:
        return str(studio.gallery.picture(key))

    with gr.Group(visible=False):
        given, taken = gr.File(type="filepath"), gr.File()
        word, suffix, answer = gr.Textbox(), gr.Textbox(value="flac"), gr.Textbox()
    add_file_endpoint(upload, [given], answer)
    add_file_endpoint(audio, [word, suffix], taken)
    add_file_endpoint(picture, [word], taken)


def _states(
    studio: Studio, orders: list[ClipSettings], parent: str | None = None, how: str = ""
) -> Iterator[dict[str, Any]]:
    for state in studio.make(orders, parent=parent, how=how):
        yield state_values(state)


def state_values(state: MakingState) -> dict[str, Any]:
    """Return how a making stands as plain values."""
    return {
        "told": state.told,
        "share": state.share,
        "seconds_left": state.seconds_left,
        "sound": sound_url(state.sound),
        "clips": [record_values(record) for record in state.clips],
        "notes": list(state.notes),
    }


def record_values(record: ClipRecord) -> dict[str, Any]:
    """Return a record as plain values."""
    return record.model_dump(mode="json")


def sound_url(key: str | None) -> str | None:
    """Return where a sound can be heard, beside the page."""
    return key and f"studio/sound/{key}.wav"
