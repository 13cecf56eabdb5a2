"""The page: a tab for each thing that is done, in a look that needs no other server."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mousai_kit.studio.learned_systems import LearnedSystems
from mousai_kit.studio.page.endpoints import PRIVATE, add_endpoints
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.page.gallery_tab import GalleryTab
from mousai_kit.studio.page.judge_tab import CompareTab, ListenTab
from mousai_kit.studio.page.listening_endpoints import add_listening_endpoints
from mousai_kit.studio.page.make_tab import MakeTab
from mousai_kit.studio.page.shape_tab import ShapeTab, offer_adapters
from mousai_kit.studio.page.swap_tab import SwapTab
from mousai_kit.studio.page.train_tab import TrainTab
from mousai_kit.studio.page.training_endpoints import add_training_endpoints
from mousai_kit.studio.page.watch import WATCH
from mousai_kit.studio.studio import Studio
from mousai_kit.studio.trainings import Trainings

TITLE = "mousai-kit studio"
CSS = """
.studio-progress, .studio-live { display: block; width: 100%; }
.studio-progress { appearance: none; height: 8px; border: 0; border-radius: 4px; overflow: hidden;
  background: var(--border-color-primary); accent-color: var(--color-accent); }
.studio-progress::-webkit-progress-bar { background: var(--border-color-primary); }
.studio-progress::-webkit-progress-value { background: var(--color-accent); }
[role="tab"].selected { color: var(--body-text-color) !important; }
.studio-picture { display: block; width: 100%; border-radius: 4px; }
.studio-progress::-moz-progress-bar { background: var(--color-accent); }
.dark .studio-live, .dark audio { color-scheme: dark; }
.studio-stopped { position: fixed; inset: auto 0 0; z-index: 2000; padding: 12px 16px;
  background: #b91c1c; color: #fff; text-align: center; font-weight: 600; }
.studio-labelled { padding-top: 28px; } /* its label lies above it, not on it */
.studio-bottom { align-items: flex-end; }
input[role="combobox"] { padding-right: 28px; text-overflow: ellipsis; }
.component-wrapper { --neutral-400: var(--body-text-color-subdued); }
.source-selection button { width: 32px; height: 32px; }
#gallery-pictures { padding-top: 28px; }
#gallery-pictures .grid-wrap { max-height: none; overflow: visible; }
#gallery-pictures .thumbnail-item { aspect-ratio: auto; }
#gallery-pictures .thumbnail-item img { position: static; height: auto; }
#gallery-pictures .caption-label { position: static; max-width: 100%; opacity: 1; }
button:disabled { opacity: 0.7; }
footer .divider { display: none; }
"""

PRIMARY, PRIMARY_HOVER, STOP, STOP_HOVER = "#c2410c", "#9a3412", "#b91c1c", "#991b1b"
DARK = {
    "button_primary_background_fill": PRIMARY,
    "button_primary_background_fill_hover": PRIMARY_HOVER,
    "button_cancel_background_fill": STOP,
    "button_cancel_background_fill_hover": STOP_HOVER,
    "body_text_color_subdued": "#a1a1aa",
    "input_placeholder_color": "#a1a1aa",
    "checkbox_border_color": "#a1a1aa",
}
"""Colours of the theme in which text is read on them: a contrast of 4.5 at least; 3 of borders."""
CONTRAST = {
    **DARK,
    "body_text_color_subdued": "#52525b",
    "input_placeholder_color": "#52525b",
    "block_info_text_color": "#52525b",
    "checkbox_border_color": "#71717a",
}


def build_page(studio: Studio, trainings: Trainings) -> Any:
    """Return the page of a studio, and its endpoints: Gradio's Blocks."""
    learned = LearnedSystems(studio.gallery.folder / "learned", studio.systems)
    learned.add_kept()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Tab("Make", elem_id="tab-make"):
            make = MakeTab(studio)
        with gr.Tab("Gallery") as gallery_tab:
            gallery = GalleryTab(studio)
        with gr.Tab("Shape") as shape_tab:
            shape = ShapeTab(studio)
        with gr.Tab("Swap"):
            swap = SwapTab(studio)
        with gr.Tab("Compare", visible=len(studio.systems.names) > 1) as compare_tab:
            compare = CompareTab(studio)
        with gr.Tab("Listen") as listen_tab:
            listen = ListenTab(studio)
        with gr.Tab("Train") as train_tab:
            train = TrainTab(trainings, learned)
        add_endpoints(studio)
        add_listening_endpoints(studio)
        add_training_endpoints(trainings, learned)
        gr.on(
            [page.load, train_tab.select],
            tell_errors(train.refresh),
            [train.music.music, train.chosen],
            [train.music.music, train.chosen],
            show_progress="hidden",
            **PRIVATE,
        )
        offered = [make.system, shape.system, swap.system, compare.systems, listen.systems]
        for happens in (page.load, train.taken.success):
            happens(
                tell_errors(lambda: _offer_systems(studio)),
                None,
                [*offered, listen.abx_system, compare_tab, *shape.adapters],
                show_progress="hidden",
                **PRIVATE,
            )
        page.load(tell_errors(swap.offer), None, [swap.component], **PRIVATE)
        page.load(None, js=WATCH, **PRIVATE)
        shape_tab.select(tell_errors(shape.refresh), [shape.clip], [shape.clip], **PRIVATE)
        listen_tab.select(
            tell_errors(listen.refresh), [listen.test], [listen.test, listen.abx_clip], **PRIVATE
        )
        gallery_tab.select(
            tell_errors(gallery.refresh),
            [gallery.chosen, gallery.page],
            [gallery.chosen, gallery.pictures],
            **PRIVATE,
        )
    return page


def _offer_systems(studio: Studio) -> list[Any]:
    """Return what the tabs offer of systems and adapters now: trainings bring more of both."""
    names, adapters = studio.systems.names, list(studio.systems.adapters)
    able = [name for name in names if studio.systems.abilities(name).reconstructs]
    several = len(names) > 1
    return [
        *(gr.Dropdown(names, visible=several) for _ in range(3)),
        *(gr.CheckboxGroup(names) for _ in range(2)),
        gr.Dropdown(able),
        gr.Tab(visible=several),
        *offer_adapters(adapters),
    ]


def theme() -> Any:
    """Return Gradio's default look with the system's fonts: nothing is fetched from elsewhere."""
    plain = gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return plain.set(**CONTRAST, **{f"{name}_dark": colour for name, colour in DARK.items()})
