"""Music on the page: folders to learn from are chosen, brought from the browser, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.core.errors import MousaiError
from mousai_kit.studio.page.endpoints import PRIVATE
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.trainings import Trainings

LOOKING: dict[str, Any] = {"concurrency_id": "music", "concurrency_limit": 2}
"""How an event says that it decodes music: two at a time."""
DESCRIBED = (
    "Each piece is described by a text beside it (`song.txt`, or `song.json`), else by its tags, "
    "else by its file's name; WAV, FLAC, Ogg and MP3 are taken."
)


class MusicPanel:
    """The part of Train that is about music."""

    def __init__(self, trainings: Trainings) -> None:
        self.trainings = trainings
        folders = trainings.music.paths
        self.music = gr.Dropdown(
            folders,
            value=next(iter(folders), None),
            label="Folder of music",
            info="below the studio's --music, or brought here",
            elem_id="train-music",
        )
        with gr.Accordion("Bring music", open=not folders):
            gr.Markdown(DESCRIBED)
            self.files = gr.File(
                label="Music, and texts beside it",
                file_count="multiple",
                type="filepath",
                height=160,
                elem_id="train-files",
            )
            self.name = gr.Textbox(label="Name of the folder", elem_id="train-folder")
            self.keep = gr.Button("Keep it", elem_id="train-bring")
        self.check = gr.Button("Look at the music", elem_id="train-check")
        self.found = gr.Textbox(
            label="What is in it",
            interactive=False,
            lines=3,
            max_lines=14,
            elem_id="train-found",
        )
        self._connect()

    def _connect(self) -> None:
        showing = {"show_progress": "minimal", "show_progress_on": self.found, **PRIVATE}
        self.check.click(tell_errors(self._look), [self.music], [self.found], **LOOKING, **showing)
        self.keep.click(
            tell_errors(self._bring),
            [self.name, self.files],
            [self.found, self.music, self.files],
            **LOOKING,
            **showing,
        )

    def refresh(self, chosen: str | None) -> Any:
        """Return the folders as they are now; what was chosen stays, if it is there."""
        paths = self.trainings.music.paths
        first = {} if chosen in paths else {"value": next(iter(paths), None)}
        return gr.Dropdown(paths, **first)

    def _look(self, music: str | None) -> Iterator[str]:
        """Yield how far it is looked at, then what `data check` says."""
        yield "reading what is there"
        try:
            for state in self.trainings.music.look(music or "", self.trainings.recipe.needs):
                yield state.told
        except MousaiError:
            yield ""
            raise

    def _bring(self, name: str, files: list[str] | None) -> Iterator[tuple[Any, Any, Any]]:
        try:
            for state in self.trainings.music.bring(name, [Path(file) for file in files or []]):
                done = bool(state.folder)
                folders = gr.Dropdown(self.trainings.music.paths, value=state.folder)
                yield state.told, folders if done else gr.skip(), None if done else gr.skip()
        except MousaiError:
            yield "", gr.skip(), gr.skip()
            raise
