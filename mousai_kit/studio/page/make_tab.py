"""Make: a prompt and its numbers become clips, which are heard while they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from mousai_kit.core.errors import MousaiError
from mousai_kit.studio.clip_order import MakingState
from mousai_kit.studio.page.endpoints import DEVICE, sound_url
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.player import ClipPlayer
from mousai_kit.studio.settings import ClipSettings, clip_settings
from mousai_kit.studio.studio import MOST, Studio, count_up

FORMATS = ["flac", "wav", "ogg"]
CANCELLED = "cancelled; what was finished is in the gallery"
ENDED = "it failed; the message says why"
WORDS = 300
"""Words that are offered."""


class Progress:
    """How far the making of clips is, and their sound meanwhile; outputs of events that make."""

    def __init__(self) -> None:
        self.status = gr.Textbox(
            label="Progress", value="nothing was asked for yet", interactive=False, lines=1
        )
        self.bar = gr.HTML(progress_bar(0.0), padding=False)
        self.sound = gr.HTML(padding=False)
        self.outputs = [self.status, self.bar, self.sound]

    def cancel_by(self, button: Any, events: Any) -> None:
        """Let a button cancel what other events make, and say so."""
        private: dict[str, Any] = {"api_visibility": "private"}
        ended = button.click(None, cancels=events, **private)
        ended.then(lambda: CANCELLED, None, [self.status], **private)

    def follow(
        self, states: Iterator[MakingState]
    ) -> Iterator[tuple[MakingState, tuple[Any, Any, Any]]]:
        """Yield each state with what the outputs show of it."""
        heard: str | None = None
        try:
            for state in states:
                sound = gr.skip() if state.sound in (None, heard) else sound_player(state.sound)
                heard = state.sound or heard
                yield state, (state.told, progress_bar(state.share), sound)
        except MousaiError:  # which is told beside; nothing is waited for any more
            failed = MakingState(ENDED, 0.0, None, None)
            yield failed, (ENDED, progress_bar(0.0), gr.skip())
            raise


def progress_bar(share: float) -> str:
    """Return a progress bar as HTML: of a number, and nothing that a user wrote."""
    return (
        f'<progress class="studio-progress" aria-label="How much is done" max="1" '
        f'value="{share:.3f}"></progress>'
    )


def sound_player(key: str | None) -> str:
    """Return what plays a sound while it is made, as HTML: of a key, and no user's words."""
    return (
        f'<audio class="studio-live" controls autoplay aria-label="Sound while it is made" '
        f'src="{sound_url(key)}"></audio>'
    )


class MakeTab:
    """The page's first tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        names = studio.systems.names
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._add_inputs(names)
            with gr.Column(scale=3, min_width=300):
                self.progress = Progress()
                self.player = ClipPlayer(studio, "make")
        self._connect()

    def _add_inputs(self, names: list[str]) -> None:
        first = self.studio.systems.abilities(names[0])
        self.system = gr.Dropdown(
            names, value=names[0], label="System", visible=len(names) > 1, elem_id="make-system"
        )
        self.prompt = gr.Textbox(
            label="Prompt", lines=2, max_length=2000, elem_id="make-prompt", autofocus=True
        )
        self.words = gr.Dropdown(
            list(first.words[:WORDS]),
            value=None,
            label="Words that it knows",
            info="what you choose is added to the prompt",
            visible=bool(first.words),
            elem_id="make-words",
        )
        with gr.Row():
            self.seconds = gr.Number(
                first.seconds, label="Seconds", minimum=None, min_width=90, elem_id="make-seconds"
            )
            self.count = gr.Slider(
                1, MOST, 1, step=1, label="Clips", min_width=120, elem_id="make-count"
            )
        with gr.Row():
            self.seed = gr.Number(0, label="Seed", precision=0, min_width=120, elem_id="make-seed")
            self.draw = gr.Checkbox(
                True, label="Draw a seed each time", min_width=150, elem_id="make-draw"
            )
        with gr.Row():
            self.guidance = gr.Number(first.guidance, label="Guidance", min_width=90)
            self.steps = gr.Textbox(
                label="Steps", placeholder="as in its recipe", min_width=90, elem_id="make-steps"
            )
        self.negative = gr.Textbox(
            label="Negative prompt", visible="negative" in first.controls, elem_id="make-negative"
        )
        self.format = gr.Radio(FORMATS, value=FORMATS[0], label="Format")
        with gr.Row():
            self.button = gr.Button("Make", variant="primary", elem_id="make-button")
            self.cancel = gr.Button("Cancel", variant="stop", elem_id="make-cancel")

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        self.words.input(
            tell_errors(_add_word), [self.prompt, self.words], [self.prompt, self.words], **private
        )
        self.system.change(
            tell_errors(self._offer),
            [self.system],
            [self.words, self.seconds, self.guidance, self.negative],
            **private,
        )
        inputs = [
            *(self.system, self.prompt, self.seconds, self.count, self.seed, self.draw),
            *(self.guidance, self.steps, self.negative, self.format),
        ]
        outputs = [self.seed, *self.progress.outputs, *self.player.outputs]
        making = gr.on(
            [self.button.click, self.prompt.submit],
            tell_errors(self._make),
            inputs,
            outputs,
            show_progress="minimal",
            show_progress_on=self.progress.status,
            **DEVICE,
            **private,
        )
        self.progress.cancel_by(self.cancel, making)
        self.finished = making

    def _make(self, *values: Any) -> Iterator[tuple[Any, ...]]:
        settings, count = self._settings(*values)
        states = self.studio.make(count_up(settings, count))
        shown = 0
        for state, told in self.progress.follow(states):
            clip = state.clips[-1] if len(state.clips) > shown else None
            shown = len(state.clips)
            yield settings.seed, *told, *self.player.show(clip)

    def _settings(self, *values: Any) -> tuple[ClipSettings, int]:
        system, prompt, seconds, count, seed, draw, guidance, steps, negative, suffix = values
        settings = clip_settings(
            system=system,
            prompt=prompt,
            seconds=seconds,
            seed=None if draw else seed,
            steps=number_or_text(steps),
            guidance=guidance,
            format=suffix,
            controls={"negative": negative} if negative else {},
        )
        return settings, int(count)

    def _offer(self, system: str) -> list[Any]:
        """Return what the chosen system can be asked; what it can't is not offered."""
        able = self.studio.systems.abilities(system)
        return [
            gr.Dropdown(list(able.words[:WORDS]), value=None, visible=bool(able.words)),
            able.seconds,
            able.guidance,
            gr.Textbox(visible="negative" in able.controls),
        ]


def number_or_text(text: str | None) -> int | str | None:
    """Return what was typed as a whole number, None where it is blank, else as it is."""
    plain = (text or "").strip()
    try:
        return int(plain)
    except ValueError:
        return plain or None


def _add_word(prompt: str, word: str | None) -> tuple[str, None]:
    """Return a prompt with a word more, and no word chosen."""
    return ", ".join(part for part in (prompt.strip(), word or "") if part), None
