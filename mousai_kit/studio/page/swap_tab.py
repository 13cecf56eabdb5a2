"""Swap: a system's sampler, schedule or guidance beside another one, on the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.core.plugins import installed_registry
from mousai_kit.studio.forms import GENERATE, FormField, PartForm, form_changes, part_form
from mousai_kit.studio.gallery import ClipRecord
from mousai_kit.studio.page.endpoints import DEVICE, PRIVATE
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.make_tab import Progress
from mousai_kit.studio.page.player import ClipPlayer
from mousai_kit.studio.settings import clip_settings
from mousai_kit.studio.studio import Studio


class SwapTab:
    """A form of a part's options, and both systems' clips side by side."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        names = studio.systems.names
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.system = gr.Dropdown(
                    names, value=names[0], label="System", visible=len(names) > 1
                )
                self.place = gr.Dropdown(
                    self._places(names[0]),
                    value=self._places(names[0])[-2],
                    label="Part",
                    elem_id="swap-place",
                )
                self.component = gr.Dropdown(label="Component", elem_id="swap-component")
                self.form = gr.Column()
            with gr.Column(scale=2, min_width=300):
                # what only events of the form take in must be told that it can be changed
                self.prompt = gr.Textbox(
                    label="Prompt", lines=2, interactive=True, elem_id="swap-prompt"
                )
                with gr.Row():
                    self.seconds = gr.Number(
                        5, label="Seconds", min_width=90, interactive=True, elem_id="swap-seconds"
                    )
                    self.seed = gr.Number(
                        0, label="Seed", precision=0, min_width=90, interactive=True
                    )
                self.progress = Progress()
        with gr.Row():
            with gr.Column(min_width=300):
                gr.Markdown("## As its recipe says")
                self.before = ClipPlayer(studio, "swap-before")
            with gr.Column(min_width=300):
                gr.Markdown("## With the part swapped")
                self.after = ClipPlayer(studio, "swap-after")
        self.recipe = gr.File(
            label="Recipe", interactive=False, visible=False, elem_id="swap-recipe"
        )
        self._connect()

    def _connect(self) -> None:
        chosen = [self.system, self.place]
        self.system.change(tell_errors(self._offer_places), [self.system], [self.place], **PRIVATE)
        gr.on(
            [self.place.change, self.system.change],
            tell_errors(self._offer_components),
            chosen,
            [self.component],
            **PRIVATE,
        )
        with self.form:
            gr.render(
                [*chosen, self.component], triggers=[self.component.change, self.place.change]
            )(tell_errors(self._render_form))

    def offer(self) -> Any:
        """Return the component of the part that stands there at first, for the page's load."""
        return self._offer_components(self.studio.systems.names[0], self._places()[-2])

    def _places(self, name: str | None = None) -> list[str]:
        return [
            *self.studio.systems.abilities(name or self.studio.systems.names[0]).slots,
            GENERATE,
        ]

    def _offer_places(self, system: str) -> Any:
        places = self._places(system)
        return gr.Dropdown(places, value=places[-2])

    def _offer_components(self, system: str, place: str) -> Any:
        if place not in self._places(system):
            return gr.skip()
        form = part_form(self.studio.systems.recipe(system), place, installed_registry())
        shown = form.place != GENERATE
        return gr.Dropdown(
            list(form.components) or [GENERATE], value=form.chosen or GENERATE, visible=shown
        )

    def _render_form(self, system: str, place: str, component: str | None) -> None:
        """Build the fields of the component that was chosen, and the buttons that use them."""
        recipe = self.studio.systems.recipe(system)
        registry = installed_registry()
        if component is None or place not in self._places(system):
            return
        kind = part_form(recipe, place, registry).kind
        if place != GENERATE and component not in registry.names(kind):
            return
        form = part_form(recipe, place, registry, component)
        fields = [_input(field) for field in form.fields]
        with gr.Row():
            listen = gr.Button("Hear both", variant="primary", elem_id="swap-listen")
            export = gr.Button("Export the recipe", elem_id="swap-export")
            cancel = gr.Button("Cancel", variant="stop")
        listening = listen.click(
            tell_errors(self._handler(system, form)),
            [self.prompt, self.seconds, self.seed, *fields],
            [*self.progress.outputs, *self.before.outputs, *self.after.outputs],
            show_progress="minimal",
            show_progress_on=self.progress.status,
            **DEVICE,
            **PRIVATE,
        )
        self.progress.cancel_by(cancel, listening)
        export.click(
            tell_errors(lambda *values: self._export(system, form, values)),
            fields,
            [self.recipe],
            **PRIVATE,
        )

    def _handler(self, system: str, form: PartForm) -> Any:
        def hear_both(
            prompt: str, seconds: float, seed: int, *values: Any
        ) -> Iterator[tuple[Any, ...]]:
            changes = form_changes(form, self.studio.systems.recipe(system), values)
            self.studio.systems.recipe(system, changes)  # which tells what is wrong
            asked = {"system": system, "prompt": prompt, "seconds": seconds, "seed": seed}
            orders = [clip_settings(**asked), clip_settings(**asked, overrides=changes)]
            shown = 0
            for state, told in self.progress.follow(self.studio.make(orders)):
                clips: list[ClipRecord | None] = [None, None]
                if len(state.clips) > shown:
                    clips[shown] = state.clips[-1]
                    shown = len(state.clips)
                yield *told, *self.before.show(clips[0]), *self.after.show(clips[1])

        return hear_both

    def _export(self, system: str, form: PartForm, values: tuple[Any, ...]) -> Any:
        """Return the file of the recipe with what the form says."""
        changes = form_changes(form, self.studio.systems.recipe(system), values)
        recipe = self.studio.systems.recipe(system, changes)
        folder = self.studio.gallery.making / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        file = Path(folder, f"{recipe.name}-swapped.yaml")
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        return gr.File(str(file), visible=True)


def _input(field: FormField) -> Any:
    """Return what a field is on the page. Numbers have no bounds there: the recipe's checks do."""
    options: dict[str, Any] = {
        "label": field.name,
        "info": field.info,
        "elem_id": f"swap-{field.name}",
        "interactive": True,
    }
    match field.kind:
        case "number" | "whole":
            return gr.Number(field.value, precision=0 if field.kind == "whole" else None, **options)
        case "switch":
            return gr.Checkbox(field.value, **options)
        case "choice":
            return gr.Dropdown(list(field.choices), value=field.value, **options)
    return gr.Textbox(field.value, **options)
