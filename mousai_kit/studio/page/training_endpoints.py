"""Endpoints of trainings: what the page's Train does, for programs, by way of Gradio's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.core.errors import argument_error
from mousai_kit.studio.learned_systems import LearnedSystems
from mousai_kit.studio.music import MusicState
from mousai_kit.studio.page.endpoints import QUICK, add_endpoint, add_file_endpoint
from mousai_kit.studio.page.music_panel import LOOKING
from mousai_kit.studio.page.shown_files import show_file
from mousai_kit.studio.training_view import TrainingView
from mousai_kit.studio.trainings import Trainings
from mousai_kit.studio.tuning import ALL, RANK, STEPS, TuneOrder


def add_training_endpoints(trainings: Trainings, learned: LearnedSystems) -> None:
    """Add the endpoints to the page that is being built."""
    for function in (*_music_endpoints(trainings), *_steering_endpoints(trainings, learned)):
        add_endpoint(function, LOOKING if function.__name__ == "check_music" else QUICK)
    _add_file_endpoints(trainings)


def _music_endpoints(trainings: Trainings) -> list[Callable[..., Any]]:
    def music() -> list[str]:
        """Tell the folders of music that may be learned from."""
        return trainings.music.paths

    def check_music(music: str) -> Iterator[dict[str, Any]]:
        """Look at a folder of music; yields how far it is, at last with what `data check` found."""
        for state in trainings.music.look(music, trainings.recipe.needs):
            yield music_values(state)

    return [music, check_music]


def _steering_endpoints(trainings: Trainings, learned: LearnedSystems) -> list[Callable[..., Any]]:
    def tune(
        name: str,
        music: str,
        steps: int = STEPS,
        method: str = ALL,
        rank: int = RANK,
        prompt: str = "",
    ) -> dict[str, Any]:
        """Begin a tuning of `all` weights, or of an `adapter`; tell what is too little for it."""
        order = TuneOrder(name, music, steps, method, rank, prompt)
        return {"name": name, "advice": trainings.start(order)}

    def list_trainings() -> list[str]:
        """Tell the names of trainings, and of other runs that can be watched."""
        return trainings.names

    def training(name: str) -> dict[str, Any]:
        """Tell how a training stands."""
        return view_values(trainings.view(name))

    def stop_training(name: str) -> str:
        """Ask a training to stop: it writes a checkpoint first."""
        trainings.stop(name)
        return name

    def continue_training(name: str) -> str:
        """Let a training that was stopped go on."""
        trainings.go_on(name)
        return name

    def use_training(name: str) -> str:
        """Make a system of what a training has learned so far; tell the system's name."""
        return learned.take(name, trainings.find(name).run)

    list_trainings.__name__ = "trainings"
    return [tune, list_trainings, training, stop_training, continue_training, use_training]


def _add_file_endpoints(trainings: Trainings) -> None:
    """Add the endpoints whose arguments or results are files."""

    def bring_music(name: str, files: list[str] | None) -> str:
        *_, state = trainings.music.bring(name, [Path(file) for file in files or []])
        return state.folder

    def training_curves(name: str) -> str:
        curves = trainings.view(name).curves
        if curves is None:
            raise argument_error("training", f"'{name}' has no curves yet")
        return show_file(curves)

    def training_demo(name: str, demo: str) -> str:
        found = {path.name: path for path in trainings.view(name).demos}
        if demo not in found:
            raise argument_error("demo", f"'{name}' has no such newest demo", demo[:100])
        return show_file(found[demo])

    with gr.Group(visible=False):
        given, taken = gr.File(type="filepath", file_count="multiple"), gr.File()
        word, other, answer = gr.Textbox(), gr.Textbox(), gr.Textbox()
    add_file_endpoint(bring_music, [word, given], answer)
    add_file_endpoint(training_curves, [word], taken)
    add_file_endpoint(training_demo, [word, other], taken)


def music_values(state: MusicState) -> dict[str, Any]:
    """Return how far music was looked at as plain values."""
    return {"told": state.told, "share": state.share, "facts": state.facts}


def view_values(view: TrainingView) -> dict[str, Any]:
    """Return how a training stands as plain values; files by their names."""
    files = {
        "curves": view.curves is not None,
        "demos": [path.name for path in view.demos],
        "warnings": list(view.warnings),
    }
    return asdict(view) | files
