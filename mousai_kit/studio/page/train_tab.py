"""Train: the starter is tuned to music, and trainings are watched, steered and made music with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from mousai_kit.core.errors import MousaiError
from mousai_kit.studio.learned_systems import LearnedSystems
from mousai_kit.studio.page.endpoints import PRIVATE
from mousai_kit.studio.page.errors import error_lines, tell_errors
from mousai_kit.studio.page.music_panel import MusicPanel
from mousai_kit.studio.page.shown_files import picture_html, show_file
from mousai_kit.studio.training_view import DEMOS, TrainingView
from mousai_kit.studio.trainings import Trainings
from mousai_kit.studio.tuning import ADAPTER, ALL, METHODS, RANK, STEPS, TuneOrder

EVERY = 5.0
"""Seconds between two looks at a training that is watched."""
PROMPT = (
    "what all of the music is called; blank: what each piece is described by, for which {caption} "
    "stands"
)
RANKS = 64
"""The highest rank that the page offers."""


class TrainTab:
    """A folder of music, a tuning, and what goes on in it."""

    def __init__(self, trainings: Trainings, learned: LearnedSystems) -> None:
        self.trainings, self.learned = trainings, learned
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                gr.Markdown("### Music")
                self.music = MusicPanel(trainings)
                gr.Markdown("### Tuning")
                self._add_start()
            with gr.Column(scale=3, min_width=300):
                gr.Markdown("### Training")
                self._add_view()
        self.timer = gr.Timer(EVERY)
        self._connect()

    def _add_start(self) -> None:
        offered = ADAPTER in self.trainings.recipe.megabytes
        with gr.Row():
            self.name = gr.Textbox(label="Name", min_width=120, elem_id="train-name")
            self.steps = gr.Number(
                STEPS, label="Steps", precision=0, min_width=90, elem_id="train-steps"
            )
        self.method = gr.Radio(
            [(told, method) for method, told in METHODS.items()],
            value=ALL,
            label="What learns",
            info=self.trainings.recipe.explain(ALL, RANK),
            visible=offered,
            elem_id="train-method",
        )
        self.rank = gr.Slider(
            1, RANKS, RANK, step=1, label="Rank", visible=False, elem_id="train-rank"
        )
        self.prompt = gr.Textbox(label="Prompt", info=PROMPT, lines=1, elem_id="train-prompt")
        self.start = gr.Button("Tune the starter to it", variant="primary", elem_id="train-start")
        self.told = gr.Textbox(
            label="Start", interactive=False, visible=False, elem_id="train-told"
        )

    def _add_view(self) -> None:
        names = self.trainings.names
        self.chosen = gr.Dropdown(
            names, value=next(iter(names), None), label="Training", elem_id="train-chosen"
        )
        with gr.Row():
            self.stop = gr.Button("Stop", variant="stop", min_width=80, elem_id="train-stop")
            self.go_on = gr.Button("Go on", min_width=80, elem_id="train-go-on")
            self.use = gr.Button("Make music with it", min_width=160, elem_id="train-use")
        self.state = gr.Textbox(
            label="State", interactive=False, lines=3, max_lines=14, elem_id="train-state"
        )
        self.warnings = gr.Textbox(
            label="Warnings", interactive=False, visible=False, elem_id="train-warnings"
        )
        self.curves = gr.HTML(visible=False, padding=False, elem_id="train-curves")
        self.demos = [
            gr.Audio(
                label=f"Demo {number}",
                interactive=False,
                buttons=[],
                visible=False,
                elem_id=f"train-demo-{number}",
            )
            for number in range(1, DEMOS + 1)
        ]
        self.shown = gr.State(None)

    def _connect(self) -> None:
        buttons = [self.stop, self.go_on, self.use]
        viewed = [self.state, self.warnings, *buttons, self.shown, self.curves, *self.demos]
        watched = [self.chosen, self.shown]
        gr.on(
            [self.method.change, self.rank.change],
            self._explain,
            [self.method, self.rank],
            [self.method, self.rank],
            show_progress="hidden",
            **PRIVATE,
        )
        self.start.click(
            tell_errors(self._start),
            [self.name, self.music.music, self.steps, self.method, self.rank, self.prompt],
            [self.told, self.chosen],
            show_progress="minimal",
            show_progress_on=self.told,
            **PRIVATE,
        )
        gr.on(
            [self.chosen.change, self.timer.tick],
            self._view,
            watched,
            viewed,
            show_progress="hidden",
            **PRIVATE,
        )
        for button, does in ((self.stop, self._stop), (self.go_on, self._go_on)):
            button.click(
                tell_errors(does), [self.chosen], [self.state], show_progress="hidden", **PRIVATE
            )
        self.taken = self.use.click(
            tell_errors(self._use),
            [self.chosen],
            [self.state],
            concurrency_id="learned",
            concurrency_limit=1,
            show_progress="minimal",
            **PRIVATE,
        )

    def refresh(self, music: str | None, chosen: str | None) -> tuple[Any, Any]:
        """Return the folders of music and the trainings as they are now."""
        names = self.trainings.names
        if chosen in names:
            return self.music.refresh(music), gr.Dropdown(names)
        first = next((name for name in names if self._is_running(name)), next(iter(names), None))
        return self.music.refresh(music), gr.Dropdown(names, value=first)

    def _is_running(self, name: str) -> bool:
        try:
            return self.trainings.is_running(name)
        except MousaiError:  # it was removed meanwhile
            return False

    def _explain(self, method: str, rank: int) -> tuple[Any, Any]:
        told = self.trainings.recipe.explain(method, int(rank))
        return gr.Radio(info=told), gr.Slider(visible=method == ADAPTER)

    def _start(
        self, name: str, music: str | None, steps: float, method: str, rank: int, prompt: str
    ) -> Iterator[tuple[Any, Any]]:
        yield gr.Textbox("looking at the music and the recipe", visible=True), gr.skip()
        order = TuneOrder(
            name=name,
            music=music or "",
            steps=int(steps or 0),
            method=method,
            rank=int(rank),
            prompt=prompt,
        )
        try:
            advice = self.trainings.start(order)
        except MousaiError:
            yield gr.Textbox("", visible=False), gr.skip()
            raise
        told = "\n".join([f"'{name}' begins; it goes on when this page is closed", *advice])
        yield gr.Textbox(told, visible=True), gr.Dropdown(self.trainings.names, value=name)

    def _stop(self, name: str | None) -> str:
        self.trainings.stop(name or "")
        return "asked to stop; it writes a checkpoint first"

    def _go_on(self, name: str | None) -> str:
        self.trainings.go_on(name or "")
        return "it goes on"

    def _use(self, name: str | None) -> Iterator[str]:
        yield "taking what it has learned so far"
        system = self.learned.take(name or "", self.trainings.find(name or "").run)
        told = f"'{system}' is a system now: choose it under Make, Shape, Swap, Compare or Listen"
        if system in self.learned.systems.adapters:
            told += "; and an adapter: Shape has a slider for it"
        yield told

    def _view(self, name: str | None, shown: Any) -> tuple[Any, ...]:
        """Return what is shown of a training; what is heard or looked at stays while it is same."""
        if not name:
            off = [gr.Button(interactive=False)] * 3
            return "there is no training yet", gr.skip(), *off, *[gr.skip()] * (2 + DEMOS)
        try:
            view = self.trainings.view(name)
            changed = view.curves and view.curves.stat().st_mtime_ns
            now = [name, changed, *map(str, view.demos)]
            seen = [gr.skip()] * (1 + DEMOS) if now == shown else _pictures_and_sounds(view)
        except (MousaiError, OSError) as error:  # it was removed, perhaps in this moment
            off = [gr.Button(interactive=False)] * 3
            told = error_lines(error) if isinstance(error, MousaiError) else "it was removed"
            return told, gr.skip(), *off, *[gr.skip()] * (2 + DEMOS)
        told = "\n".join(view.warnings)
        return (
            _state_text(view),
            gr.Textbox(told, visible=bool(told)),
            gr.Button(interactive=view.running and view.steerable),
            gr.Button(interactive=not view.running),
            gr.Button(interactive=view.playable),
            now,
            *seen,
        )


def _pictures_and_sounds(view: TrainingView) -> list[Any]:
    """Return what the curves and the demos show."""
    curves = picture_html(view.curves, f"curves of {view.name}") if view.curves else ""
    heard: list[Any] = [
        gr.Audio(show_file(demo), label=f"{demo.parent.name}: {demo.stem}", visible=True)
        for demo in view.demos
    ]
    silent = [gr.Audio(None, visible=False) for _ in range(DEMOS - len(heard))]
    return [gr.HTML(curves, visible=bool(curves)), *heard, *silent]


def _state_text(view: TrainingView) -> str:
    return f"{'running' if view.running else 'not running'}\n{view.told}"
