"""Train: music is looked at, the starter is tuned to it, and trainings are watched and steered."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mousai_kit.core.build import build
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import join_quoted
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.analysis import NOTES, PROBLEMS, analyze, summarize_analysis
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.trainings import Trainings, TrainingView

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
SPLITS: tuple[Split, ...] = ("train", "validation")
RATE = 48_000
DEMOS = 4
EVERY = 5.0
"""Seconds between two looks at a training that is watched."""


class TrainTab:
    """A folder of music, a tuning, and what goes on in it."""

    def __init__(self, trainings: Trainings) -> None:
        self.trainings = trainings
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._add_start()
            with gr.Column(scale=3, min_width=300):
                self._add_view()
        self.timer = gr.Timer(EVERY)
        self._connect()

    def _add_start(self) -> None:
        folders = self.trainings.music_folders
        self.music = gr.Dropdown(
            folders,
            value=next(iter(folders), None),
            label="Folder of music",
            info="the studio's --music says which there are",
            elem_id="train-music",
        )
        self.check = gr.Button("Look at the music", elem_id="train-check")
        self.found = gr.Textbox(
            label="What is in it", interactive=False, lines=6, elem_id="train-found"
        )
        with gr.Row():
            self.name = gr.Textbox(label="Name", min_width=120, elem_id="train-name")
            self.steps = gr.Number(
                1000, label="Steps", precision=0, min_width=90, elem_id="train-steps"
            )
        self.start = gr.Button("Tune the starter to it", variant="primary", elem_id="train-start")

    def _add_view(self) -> None:
        names = self.trainings.names
        self.chosen = gr.Dropdown(
            names, value=next(iter(names), None), label="Training", elem_id="train-chosen"
        )
        with gr.Row():
            self.stop = gr.Button("Stop", variant="stop", elem_id="train-stop")
            self.go_on = gr.Button("Go on", elem_id="train-go-on")
        self.state = gr.Textbox(label="State", interactive=False, lines=4, elem_id="train-state")
        self.warnings = gr.Textbox(label="Warnings", interactive=False, visible=False)
        self.curves = gr.Image(
            label="Curves", interactive=False, buttons=[], visible=False, type="filepath"
        )
        self.demos = [
            gr.Audio(label=f"Demo {n + 1}", interactive=False, buttons=[], visible=False)
            for n in range(DEMOS)
        ]

    def _connect(self) -> None:
        shown = [self.state, self.warnings, self.curves, *self.demos]
        self.check.click(tell_errors(self._check), [self.music], [self.found], **PRIVATE)
        self.start.click(
            tell_errors(self._start), [self.name, self.music, self.steps], [self.chosen], **PRIVATE
        )
        self.chosen.change(tell_errors(self._view), [self.chosen], shown, **PRIVATE)
        self.timer.tick(self._view, [self.chosen], shown, show_progress="hidden", **PRIVATE)
        self.stop.click(tell_errors(self._stop), [self.chosen], [self.state], **PRIVATE)
        self.go_on.click(tell_errors(self._go_on), [self.chosen], [self.state], **PRIVATE)

    def _check(self, music: str | None) -> str:
        """Return what `data check` says of a folder."""
        folder = str(self.trainings.check_music(music or ""))
        wiring = {"sample_rate": RATE, "channels": 2, "length": RATE}
        what = {"use": "folder", "path": folder}
        sets = {split: build(Dataset, what, split=split, **wiring) for split in SPLITS}
        screen = Screen(quiet=True)
        found = analyze(folder, sets, sample_rate=RATE, quick=False, screen=screen)
        facts = summarize_analysis(found)
        lines = [f"{facts['pieces']} tracks, {facts['hours']:.2f} hours"]
        for kinds in (PROBLEMS, NOTES):
            for key, told in kinds.items():
                if facts[key]:
                    names = join_quoted(str(item) for item in list(facts[key])[:4])
                    lines.append(f"{told}: {len(facts[key])} ({names})")
        return "\n".join(lines)

    def _start(self, name: str, music: str | None, steps: int) -> Any:
        self.trainings.start(name, music or "", steps=int(steps))
        return gr.Dropdown(self.trainings.names, value=name)

    def _stop(self, name: str | None) -> str:
        self.trainings.stop(name or "")
        return "asked to stop; it writes a checkpoint first"

    def _go_on(self, name: str | None) -> str:
        self.trainings.go_on(name or "")
        return "it goes on"

    def _view(self, name: str | None) -> tuple[Any, ...]:
        if not name:
            return tuple(gr.skip() for _ in range(3 + DEMOS))
        view = self.trainings.view(name)
        told = "\n".join(view.warnings)
        curves = str(view.curves) if view.curves else None
        files = [str(path) for path in view.demos]
        return (
            _state_text(view),
            gr.Textbox(told, visible=bool(told)),
            gr.Image(curves, visible=curves is not None),
            *(
                gr.Audio(files[n], label=view.demos[n].stem, visible=True)
                if n < len(files)
                else gr.Audio(None, visible=False)
                for n in range(DEMOS)
            ),
        )


def _state_text(view: TrainingView) -> str:
    if not view.ours:
        return view.told
    return f"{'running' if view.running else 'not running'}\n{view.told}"
