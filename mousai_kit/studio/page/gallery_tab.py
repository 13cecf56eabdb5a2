"""Gallery on the page: clips to be heard, made again, varied, gone on from, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import gradio as gr

from mousai_kit.studio.gallery import ClipRecord
from mousai_kit.studio.page.endpoints import DEVICE, PRIVATE
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.make_tab import Progress
from mousai_kit.studio.page.player import ClipPlayer, clip_label
from mousai_kit.studio.settings import ClipSettings
from mousai_kit.studio.studio import Studio, continue_clip, vary_clip

SHOWN = 6
"""Pictures on a page of the gallery."""


class GalleryTab:
    """The clips of the gallery, a page of pictures at a time."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._add_list()
            with gr.Column(scale=3, min_width=300):
                self.player = ClipPlayer(studio, "gallery")
                self._add_actions()
                self.progress = Progress()
        self._connect()

    def _add_list(self) -> None:
        self.chosen = gr.Dropdown(
            clip_choices(self.studio), value=None, label="Clip", elem_id="gallery-clip"
        )
        self.pictures = gr.Gallery(
            label="Newest clips",
            columns=1,
            height="auto",
            allow_preview=False,
            interactive=False,
            buttons=[],
            elem_id="gallery-pictures",
        )
        self.page = gr.Number(1, label="Page", precision=0, elem_id="gallery-page")

    def _add_actions(self) -> None:
        with gr.Row():
            self.again = gr.Button("Make again", min_width=140, elem_id="gallery-again")
            self.vary = gr.Button("Vary", min_width=90, elem_id="gallery-vary")
            self.extend = gr.Button("Continue", min_width=90, elem_id="gallery-continue")
            self.delete = gr.Button(
                "Delete", variant="stop", min_width=90, elem_id="gallery-delete"
            )
            self.cancel = gr.Button("Cancel", min_width=90, elem_id="gallery-cancel")
        with gr.Row():
            self.spread = gr.Slider(0, 1, 0.2, label="Spread of variations")
            self.longer = gr.Slider(1, 60, 5, step=0.5, label="Seconds to continue for")

    def _connect(self) -> None:
        listed = [self.chosen, self.pictures]
        self.chosen.input(
            tell_errors(self._show),
            [self.chosen],
            self.player.outputs,
            show_progress="hidden",
            **PRIVATE,
        )
        self.pictures.select(
            tell_errors(self._select),
            [self.page],
            [self.chosen, *self.player.outputs],
            show_progress="hidden",
            **PRIVATE,
        )
        self.page.change(tell_errors(self.refresh), [self.chosen, self.page], listed, **PRIVATE)
        inputs = [self.chosen, self.spread, self.longer, self.page]
        outputs = [*self.progress.outputs, *self.player.outputs, *listed]
        events = [
            button.click(
                tell_errors(self._handler(orders, how)),
                inputs,
                outputs,
                show_progress="minimal",
                show_progress_on=self.progress.status,
                **DEVICE,
                **PRIVATE,
            )
            for button, orders, how in (
                (self.again, lambda clip, *_: clip.settings, "made again"),
                (self.vary, lambda clip, spread, _: vary_clip(clip, 1, spread)[0], "varied"),
                (self.extend, lambda clip, _, longer: continue_clip(clip, longer), "continued"),
            )
        ]
        self.progress.cancel_by(self.cancel, events)
        self.delete.click(
            tell_errors(self._delete),
            [self.chosen, self.page],
            [*listed, *self.player.outputs],
            show_progress="hidden",
            **PRIVATE,
        )

    def refresh(self, chosen: str | None, page: int) -> tuple[Any, Any]:
        """Return the list and the pictures as they are now."""
        return offer_again(clip_choices(self.studio), chosen), self._pictures(page)

    def _pictures(self, page: int) -> list[tuple[str, str]]:
        gallery = self.studio.gallery
        return [(str(gallery.picture(clip.key)), clip_label(clip)) for clip in self._on_page(page)]

    def _on_page(self, page: int) -> list[ClipRecord]:
        first = (max(1, int(page or 1)) - 1) * SHOWN
        gallery = self.studio.gallery
        seen = (clip for clip in gallery.records() if gallery.picture(clip.key).exists())
        return list(islice(seen, first, first + SHOWN))

    def _show(self, key: str | None) -> tuple[Any, ...]:
        return self.player.show(self.studio.gallery.find(key)) if key else self.player.clear()

    def _select(self, page: int, event: gr.SelectData) -> tuple[Any, ...]:
        clips = self._on_page(page)
        if event.index >= len(clips):
            return (gr.skip(), *self.player.show(None))
        clip = clips[event.index]
        return (clip.key, *self.player.show(clip))

    def _handler(self, order: Callable[..., ClipSettings], how: str) -> Callable[..., Any]:
        """Return what an event that makes one clip from another does."""

        def handle(
            key: str | None, spread: float, longer: float, page: int
        ) -> Iterator[tuple[Any, ...]]:
            clip = self.studio.gallery.find(key or "")
            states = self.studio.make([order(clip, spread, longer)], parent=clip.key, how=how)
            for state, told in self.progress.follow(states):
                made = state.clips[-1] if state.clips else None
                listed = self._list_with(made.key, page) if made else (gr.skip(), gr.skip())
                yield *told, *self.player.show(made), *listed

        return handle

    def _delete(self, key: str | None, page: int) -> tuple[Any, ...]:
        self.studio.delete(key or "")
        return *self._list_with(None, page), *self.player.clear()

    def _list_with(self, chosen: str | None, page: int) -> tuple[Any, Any]:
        """Return the list, of which a clip is chosen, and the pictures."""
        return gr.Dropdown(clip_choices(self.studio), value=chosen), self._pictures(page)


def clip_choices(studio: Studio) -> list[tuple[str, str]]:
    """Return the clips for a list to choose from, the newest first."""
    return [(clip_label(clip), clip.key) for clip in studio.gallery.records()]


def offer_again(choices: list[tuple[str, str]], chosen: str | None) -> Any:
    """Return a list to choose from as it is now; nothing is chosen where the choice is gone.

    Else the choice is not said: it may be another one by the time that this reaches the page.
    """
    if chosen is not None and chosen not in [key for _, key in choices]:
        return gr.Dropdown(choices, value=None)
    return gr.Dropdown(choices)
