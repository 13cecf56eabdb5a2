"""Judge: systems side by side, and listening tests: which genre, and which of two is the third."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.core.errors import argument_error
from mousai_kit.evaluation.matrices import draw_matrices
from mousai_kit.studio.arguments import check_arguments
from mousai_kit.studio.judging import (
    compare_systems,
    make_abx_test,
    make_genre_test,
    trial_sounds,
)
from mousai_kit.studio.listening import AskedTrial
from mousai_kit.studio.page.endpoints import DEVICE, PRIVATE
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.gallery_tab import clip_choices, offer_again
from mousai_kit.studio.page.make_tab import Progress
from mousai_kit.studio.page.player import clip_label
from mousai_kit.studio.settings import CLIP
from mousai_kit.studio.studio import Studio

PAPER = "Electronic\nHip Hop\nMetal\nPop"
"""The genres of the paper's test."""
LETTERS = ("A", "B", "X")


class CompareTab:
    """Two to four systems on the same prompts and seed."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        names = studio.systems.names
        with gr.Row():
            with gr.Column(min_width=300):
                self.systems = gr.CheckboxGroup(
                    names, value=names[:4], label="Systems: 2 to 4", elem_id="compare-systems"
                )
                self.prompts = gr.Textbox(
                    label="Prompts, a line each", lines=3, elem_id="compare-prompts"
                )
            with gr.Column(min_width=300):
                with gr.Row():
                    self.seconds = gr.Number(
                        5, label="Seconds", min_width=90, elem_id="compare-seconds"
                    )
                    self.seed = gr.Number(0, label="Seed", precision=0, min_width=90)
                with gr.Row():
                    self.button = gr.Button("Compare", variant="primary", elem_id="compare-button")
                    self.cancel = gr.Button("Cancel", variant="stop", elem_id="compare-cancel")
                self.progress = Progress()
        self.made = gr.State([])
        gr.render([self.made])(tell_errors(self._render_clips))
        comparing = self.button.click(
            tell_errors(check_arguments(self._compare)),
            [self.systems, self.prompts, self.seconds, self.seed],
            [*self.progress.outputs, self.made],
            show_progress="minimal",
            show_progress_on=self.progress.status,
            **DEVICE,
            **PRIVATE,
        )
        self.progress.cancel_by(self.cancel, comparing)

    def _compare(
        self, systems: list[str], prompts: str, seconds: float, seed: int
    ) -> Iterator[tuple[Any, ...]]:
        states = compare_systems(
            self.studio, systems, prompts.splitlines(), seconds=seconds, seed=seed
        )
        shown = 0
        for state, told in self.progress.follow(states):
            keys = [clip.key for clip in state.clips]
            yield *told, keys if len(keys) > shown else gr.skip()
            shown = len(keys)

    def _render_clips(self, keys: list[str]) -> None:
        """Show a player for each clip, those of a prompt in a row."""
        clips = [self.studio.gallery.find(key) for key in keys]
        for prompt in dict.fromkeys(clip.settings.prompt for clip in clips):
            with gr.Row(elem_classes="compare-row"):
                for clip in clips:
                    if clip.settings.prompt == prompt:
                        label = f"{clip.settings.system}: {clip_label(clip)}"
                        file = str(self.studio.gallery.audio(clip.key))
                        gr.Audio(file, label=label, interactive=False, buttons=[], min_width=240)


class ListenTab:
    """Listening tests: made, taken by whoever listens, and told as tables."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.tests = studio.listening
        self.making = gr.Accordion("Make a test", open=not self.tests.names)
        with self.making:
            self._add_makers()
        with gr.Row():
            with gr.Column(min_width=300):
                self._add_trial()
            with gr.Column(min_width=300):
                self._add_results()
        self._connect()

    def _add_makers(self) -> None:
        names = self.studio.systems.names
        able = [name for name in names if self.studio.systems.abilities(name).reconstructs]
        with gr.Row():
            with gr.Column(min_width=300):
                gr.Markdown("### Which genre?")
                self.name = gr.Textbox(label="Name of the test", elem_id="genre-name")
                self.systems = gr.CheckboxGroup(
                    names, value=names, label="Systems to judge", elem_id="genre-systems"
                )
                self.genres = gr.Textbox(
                    PAPER, label="Genres, a line each", lines=4, elem_id="genre-genres"
                )
                with gr.Row():
                    self.clips = gr.Number(
                        2, label="Clips of each", precision=0, min_width=90, elem_id="genre-clips"
                    )
                    self.seconds = gr.Number(
                        5, label="Seconds", min_width=90, elem_id="genre-seconds"
                    )
                self.make = gr.Button("Make the test", variant="primary", elem_id="genre-make")
            with gr.Column(min_width=300):
                gr.Markdown("### ABX: is a reconstruction told from the music?")
                self.abx_name = gr.Textbox(label="Name of the ABX test", elem_id="abx-name")
                self.abx_system = gr.Dropdown(able, value=next(iter(able), None), label="System")
                self.abx_clip = gr.Dropdown(
                    clip_choices(self.studio),
                    value=None,
                    label="Clip of the gallery",
                    elem_id="abx-clip",
                )
                self.abx_file = gr.File(
                    height=140, label="Or a file of music", type="filepath", elem_id="abx-file"
                )
                self.trials = gr.Number(8, label="Trials", precision=0, elem_id="abx-trials")
                self.abx_make = gr.Button(
                    "Make the ABX test", interactive=bool(able), elem_id="abx-make"
                )
        self.progress = Progress()

    def _add_trial(self) -> None:
        self.test = gr.Dropdown(self.tests.names, label="Test", elem_id="listen-test")
        self.listener = gr.Textbox(label="Your name", elem_id="listen-name")
        self.begin = gr.Button("Begin, or go on", variant="primary", elem_id="listen-begin")
        self.trial = gr.State(None)
        self.question = gr.Textbox(label="Question", interactive=False, elem_id="listen-question")
        self.sounds = [
            gr.Audio(
                label=label,
                interactive=False,
                buttons=[],
                visible=False,
                type="filepath",
                waveform_options=gr.WaveformOptions(show_recording_waveform=False),  # X is not seen
                elem_id=f"listen-{label.lower()}",
            )
            for label in LETTERS
        ]
        self.answer = gr.Radio([], label="Your answer", visible=False, elem_id="listen-answer")
        self.next = gr.Button("Next", visible=False, elem_id="listen-next")

    def _add_results(self) -> None:
        self.show = gr.Button("Show the results", elem_id="listen-show")
        self.told = gr.Textbox(label="Accuracy", interactive=False, lines=3, elem_id="listen-told")
        self.table = gr.Dataframe(
            label="Answers (rows: asked for; columns: heard as)",
            interactive=False,
            visible=False,
            wrap=True,
            elem_id="listen-table",
        )
        self.picture = gr.Image(
            label="Confusion matrices",
            alt_text="Confusion matrices",
            elem_classes="studio-labelled",
            interactive=False,
            buttons=[],
            visible=False,
            type="filepath",
            elem_id="listen-matrix",
        )
        self.csv = gr.File(
            label="Answers as CSV", interactive=False, visible=False, elem_id="listen-csv"
        )

    def _connect(self) -> None:
        making = {"show_progress": "minimal", "show_progress_on": self.progress.status, **PRIVATE}
        self.make.click(
            tell_errors(check_arguments(self._make_genres)),
            [self.name, self.systems, self.genres, self.clips, self.seconds],
            [*self.progress.outputs, self.test],
            **DEVICE,
            **making,
        )
        self.abx_make.click(
            tell_errors(check_arguments(self._make_abx)),
            [self.abx_name, self.abx_system, self.abx_clip, self.abx_file, self.trials],
            [self.progress.status, self.test],
            **DEVICE,
            **making,
        )
        trial = [self.trial, self.question, *self.sounds, self.answer, self.next]
        hidden = {"show_progress": "hidden", **PRIVATE}  # where one fails, nothing is covered
        self.begin.click(tell_errors(self._begin), [self.test, self.listener], trial, **hidden)
        self.begin.click(lambda: gr.Accordion(open=False), None, self.making, **PRIVATE)
        self.next.click(
            tell_errors(self._answer),
            [self.test, self.listener, self.trial, self.answer],
            trial,
            **hidden,
        )
        self.show.click(
            tell_errors(self._results),
            [self.test],
            [self.told, self.table, self.picture, self.csv],
            **hidden,
        )

    def refresh(self, chosen: str | None) -> tuple[Any, Any]:
        """Return the tests and the clips as they are now."""
        tests = [(name, name) for name in self.tests.names]
        return offer_again(tests, chosen), gr.Dropdown(clip_choices(self.studio))

    def _make_genres(
        self, name: str, systems: list[str], genres: str, clips: int, seconds: float
    ) -> Iterator[tuple[Any, ...]]:
        states = make_genre_test(
            self.studio,
            self.tests,
            name,
            systems=systems,
            genres=genres.splitlines(),
            clips=clips,
            seconds=seconds,
            seed=0,
        )
        for _, (told, share, _) in self.progress.follow(states):
            yield told, share, gr.skip(), gr.skip()
        yield (
            f"the test {name} is there",
            gr.skip(),
            gr.skip(),
            gr.Dropdown(self.tests.names, value=name),
        )

    def _make_abx(
        self, name: str, system: str | None, clip: str | None, file: str | None, trials: int
    ) -> tuple[str, Any]:
        sources = [f"{CLIP}{clip}"] if clip else []
        sources += [self.studio.upload(Path(file))] if file else []
        make_abx_test(
            self.studio,
            self.tests,
            name,
            system=system or "",
            sources=sources,
            trials=trials,
            seed=0,
        )
        return f"the test {name} is there", gr.Dropdown(self.tests.names, value=name)

    def _begin(self, name: str | None, listener: str) -> tuple[Any, ...]:
        return self._show_trial(self.studio.listening.ask(name or "", listener))

    def _show_trial(self, asked: AskedTrial) -> tuple[Any, ...]:
        """Return what is shown of a trial; after the last one it is hidden."""
        if asked.trial is None:
            hidden = [gr.Audio(None, visible=False) for _ in self.sounds]
            told = f"thank you, {asked.listener}: that was the last one"
            return None, told, *hidden, gr.Radio([], visible=False), gr.Button(visible=False)
        heard = trial_sounds(self.studio, asked)
        files = [heard.get(letter) for letter in LETTERS]
        return (
            asked.trial,
            f"{asked.trial} of {asked.total}: {asked.question}",
            *(gr.Audio(file and str(file), visible=file is not None) for file in files),
            gr.Radio(list(asked.answers), value=None, visible=True),
            gr.Button(visible=True),
        )

    def _answer(
        self, name: str | None, listener: str, trial: int | None, heard: str | None
    ) -> tuple[Any, ...]:
        if trial is None:
            return self._begin(name, listener)
        if heard is None:
            raise argument_error("answer", "choose one first")
        return self._show_trial(self.studio.listening.answer(name or "", listener, trial, heard))

    def _results(self, name: str | None) -> tuple[Any, ...]:
        results = self.studio.listening.results(name or "")
        test, judged = results.test, results.systems
        folder = self.studio.gallery.making / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{test.name}.csv"
        file.write_text(results.csv, encoding="utf-8")
        download = gr.File(str(file), visible=True)
        if test.kind == "abx":
            hidden = gr.Dataframe(visible=False), gr.Image(visible=False)
            return results.summary, *hidden, download
        rows = [
            [one.system, right, *counts]
            for one in judged
            for right, counts in zip(test.answers, one.rows, strict=True)
        ]
        table = {"headers": ["system", "asked for", *test.answers], "data": rows}
        picture = folder / f"{test.name}.png"
        draw_matrices(picture, {one.system: one.matrix for one in judged})
        return (
            results.summary,
            gr.Dataframe(table, visible=True),
            gr.Image(str(picture), visible=True),
            download,
        )
