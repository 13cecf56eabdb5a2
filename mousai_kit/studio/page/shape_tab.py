"""Shape: clips that begin from a file, fill in a range of it, go on from it; loops and blends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit import audio
from mousai_kit.core.errors import argument_error
from mousai_kit.studio.page.endpoints import DEVICE, PRIVATE
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.gallery_tab import clip_choices, offer_again
from mousai_kit.studio.page.make_tab import Progress
from mousai_kit.studio.page.player import ClipPlayer
from mousai_kit.studio.settings import CLIP, clip_settings
from mousai_kit.studio.studio import Studio
from mousai_kit.studio.systems import Abilities
from mousai_kit.studio.waveform import second_at, waveform_picture

FROM, REPAINT, CONTINUE = "Begin from it", "Repaint a range of it", "Continue it"
LOOP, BLEND, HUM = "Loop", "Blend two prompts", "Hum a melody"
NEEDS = {FROM: "source", REPAINT: "inpaint", CONTINUE: "extend", LOOP: "loop", BLEND: "blend"}
"""Ways to shape, and the control that a run must heed for each."""
NOTHING = "() => null"
"""What empties an input, in the browser."""
MELODY = "melody"
"""The condition that a hummed tune is told as."""
SLIDERS = 12
"""Adapters that have a slider, at most: trainings bring more of them while the page is open."""


def ways(able: Abilities) -> list[str]:
    """Return the ways to shape that a run can follow."""
    found = [way for way, control in NEEDS.items() if control in able.controls]
    return [*found, HUM] if MELODY in able.conditions else found


def offer_adapters(names: list[str]) -> list[Any]:
    """Return which adapter each slider is for; one that is for none is not shown."""
    padded = [*names, *([""] * SLIDERS)][:SLIDERS]
    return [gr.Slider(label=f"Adapter {name} (0: off)", visible=bool(name)) for name in padded]


class ShapeTab:
    """A file or a clip, what is done with it, and what comes of it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.names = studio.systems.names
        offered = ways(studio.systems.abilities(self.names[0]))
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                self._add_source(offered)
                self._add_details()
            with gr.Column(scale=3, min_width=300):
                self._add_prompt()
                self.progress = Progress()
                self.player = ClipPlayer(studio, "shape")
        self._connect()

    def _add_source(self, offered: list[str]) -> None:
        self.system = gr.Dropdown(
            self.names,
            value=self.names[0],
            label="System",
            visible=len(self.names) > 1,
            elem_id="shape-system",
        )
        self.way = gr.Radio(
            offered, value=offered[0] if offered else None, label="What to do", elem_id="shape-way"
        )
        self.clip = gr.Dropdown(
            clip_choices(self.studio), value=None, label="Clip of the gallery", elem_id="shape-clip"
        )
        self.file = gr.Audio(
            label="Or a file, or the microphone",
            sources=["upload", "microphone"],
            type="filepath",
            editable=False,
            elem_id="shape-file",
        )

    def _add_details(self) -> None:
        self.wave = gr.Image(
            label="Waveform: click both ends of the range",
            alt_text="Waveform",
            elem_classes="studio-labelled",
            type="numpy",
            interactive=False,
            buttons=[],
            visible=False,
            elem_id="shape-wave",
        )
        self.first_click = gr.State(True)
        with gr.Row(visible=False) as self.range:
            self.start = gr.Number(0, label="From second", elem_id="shape-start", min_width=90)
            self.stop = gr.Number(1, label="To second", elem_id="shape-stop", min_width=90)
        self.strength = gr.Slider(
            0, 1, 0.6, label="Strength: 0 gives it back, 1 ignores it", elem_id="shape-strength"
        )
        self.seconds = gr.Number(
            5, label="Seconds", visible=False, elem_id="shape-seconds", min_width=90
        )
        self.blend = gr.Textbox(label="Second prompt", visible=False, elem_id="shape-blend")
        self.share = gr.Slider(
            -0.05,
            1,
            -0.05,
            step=0.05,
            visible=False,
            label="Share of the second prompt; below 0: it goes from one to the other",
            elem_id="shape-share",
        )
        names = [*self.studio.systems.adapters, *([""] * SLIDERS)][:SLIDERS]
        self.adapters = [
            gr.Slider(
                -2,
                2,
                0,
                step=0.05,
                label=f"Adapter {name} (0: off)",
                visible=bool(name),
                elem_id=f"shape-adapter-{number}",
            )
            for number, name in enumerate(names, 1)
        ]

    def _add_prompt(self) -> None:
        self.prompt = gr.Textbox(label="Prompt", lines=2, elem_id="shape-prompt")
        with gr.Row():
            self.seed = gr.Number(0, label="Seed", precision=0, min_width=90, elem_id="shape-seed")
            self.guidance = gr.Number(
                self.studio.systems.abilities(self.names[0]).guidance,
                label="Guidance",
                min_width=90,
            )
        with gr.Row():
            self.button = gr.Button("Shape", variant="primary", elem_id="shape-button")
            self.cancel = gr.Button("Cancel", variant="stop")

    def _connect(self) -> None:
        self._connect_choices()
        self._connect_waveform()
        self._connect_button()

    def _connect_choices(self) -> None:
        """Let what is chosen decide what is offered and shown."""
        self.system.change(
            tell_errors(self._offer), [self.system], [self.way, self.guidance], **PRIVATE
        )
        self.way.change(
            tell_errors(_show_details),
            [self.way],
            [
                self.clip,
                self.file,
                self.wave,
                self.range,
                self.strength,
                self.seconds,
                self.blend,
                self.share,
            ],
            **PRIVATE,
        )
        # the one that was chosen last counts: told in the browser, before anything can be pressed
        self.clip.input(None, None, [self.file], js=NOTHING, **PRIVATE)
        gr.on(
            [self.file.upload, self.file.stop_recording],
            None,
            None,
            [self.clip],
            js=NOTHING,
            **PRIVATE,
        )

    def _connect_waveform(self) -> None:
        """Let the waveform show the range, and a click on it change the range."""
        gr.on(
            [
                self.clip.change,
                self.file.change,
                self.start.change,
                self.stop.change,
                self.way.change,
            ],
            tell_errors(self._draw),
            [self.way, self.clip, self.file, self.start, self.stop],
            [self.wave],
            show_progress="hidden",
            **PRIVATE,
        )
        self.wave.select(
            tell_errors(self._click),
            [self.clip, self.file, self.first_click, self.start, self.stop],
            [self.start, self.stop, self.first_click],
            show_progress="hidden",
            **PRIVATE,
        )

    def _connect_button(self) -> None:
        """Let the button make a clip of all that was chosen."""
        inputs = [
            self.system,
            self.way,
            self.clip,
            self.file,
            self.start,
            self.stop,
            self.strength,
            self.seconds,
            self.blend,
            self.share,
            self.prompt,
            self.seed,
            self.guidance,
            *self.adapters,
        ]
        shaping = self.button.click(
            tell_errors(self._shape),
            inputs,
            [*self.progress.outputs, *self.player.outputs],
            show_progress="minimal",
            show_progress_on=self.progress.status,
            **DEVICE,
            **PRIVATE,
        )
        self.progress.cancel_by(self.cancel, shaping)

    def refresh(self, chosen: str | None) -> Any:
        """Return the list of clips as it is now."""
        return offer_again(clip_choices(self.studio), chosen)

    def _offer(self, system: str) -> tuple[Any, Any]:
        able = self.studio.systems.abilities(system)
        offered = ways(able)
        return gr.Radio(offered, value=offered[0] if offered else None), able.guidance

    def _path(self, clip: str | None, file: str | None) -> Path | None:
        """Return the audio that was chosen: a clip, else a file."""
        if clip:
            return self.studio.gallery.audio(clip)
        return Path(file) if file else None

    def _draw(self, way: str, clip: str | None, file: str | None, start: float, stop: float) -> Any:
        path = self._path(clip, file)
        if way != REPAINT or path is None:
            return gr.skip()
        seconds = audio.audio_info(path).seconds
        low, high = (min(max(float(at or 0), 0.0), seconds) for at in (start, stop))
        return waveform_picture(path, (low, high) if low < high else None)

    def _click(
        self,
        clip: str | None,
        file: str | None,
        first: bool,
        start: float | None,
        stop: float | None,
        event: gr.SelectData,
    ) -> tuple[float | None, float | None, bool]:
        path = self._path(clip, file)
        if path is None:
            return start, stop, first
        at = second_at(int(event.index[0]), audio.audio_info(path).seconds)
        start, stop = (at if end is None else end for end in (start, stop))
        if first:
            return at, max(at, stop), False
        return min(start, at), max(start, at), True

    def _shape(
        self, system: str, way: str, clip: str | None, file: str | None, *values: Any
    ) -> Iterator[tuple[Any, ...]]:
        start, stop, strength, seconds, blend, share, prompt, seed, guidance, *adapters = values
        if way == REPAINT and None in (start, stop):
            raise argument_error("ranges", "say from which second, and to which")
        controls: dict[str, Any] = {}
        if way in (FROM, REPAINT, CONTINUE, HUM):
            reference = self._reference(clip, file)
            controls = {
                FROM: {"source": reference, "strength": strength},
                REPAINT: {"inpaint": reference, "ranges": [f"{start:g}-{stop:g}"]},
                CONTINUE: {"extend": reference},
                HUM: {"conditions": {MELODY: reference}},
            }[way]
        elif way == LOOP:
            controls = {"loop": True}
        elif way == BLEND:
            controls = {"blend": blend} | ({"blend_at": share} if share >= 0 else {})
        pairs = zip(self.studio.systems.adapters, adapters, strict=False)  # more are not shown
        settings = clip_settings(
            system=system,
            prompt=prompt,
            seconds=None if way in (FROM, REPAINT) else seconds,
            seed=seed,
            guidance=guidance,
            controls=controls,
            adapters={name: float(value) for name, value in pairs if value},
        )
        parent = clip if clip and way in (FROM, REPAINT, CONTINUE, HUM) else None
        states = self.studio.make([settings], parent=parent, how=way.lower())
        for state, told in self.progress.follow(states):
            yield *told, *self.player.show(state.clips[-1] if state.clips else None)

    def _reference(self, clip: str | None, file: str | None) -> str:
        if clip:
            return f"{CLIP}{clip}"
        if file:
            return self.studio.upload(Path(file))
        raise argument_error("file", "choose a clip of the gallery, or bring a file")


def _show_details(way: str | None) -> list[Any]:
    """Return what is asked for a way to shape; the rest is not shown."""
    needs_file = way in (FROM, REPAINT, CONTINUE, HUM)
    return [
        gr.Dropdown(visible=needs_file),
        gr.Audio(visible=needs_file),
        gr.Image(visible=way == REPAINT),
        gr.Row(visible=way == REPAINT),
        gr.Slider(visible=way == FROM),
        gr.Number(visible=way in (CONTINUE, LOOP, BLEND, HUM)),
        gr.Textbox(visible=way == BLEND),
        gr.Slider(visible=way == BLEND),
    ]
