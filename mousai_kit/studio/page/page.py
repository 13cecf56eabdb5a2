"""The page: a tab for each thing that is done, in a look that needs no other server."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mousai_kit.studio.page.endpoints import add_endpoints
from mousai_kit.studio.page.gallery_tab import GalleryTab
from mousai_kit.studio.page.judge_tab import CompareTab, ListenTab
from mousai_kit.studio.page.make_tab import MakeTab
from mousai_kit.studio.page.shape_tab import ShapeTab
from mousai_kit.studio.page.swap_tab import SwapTab
from mousai_kit.studio.page.train_tab import TrainTab
from mousai_kit.studio.studio import Studio
from mousai_kit.studio.trainings import Trainings

TITLE = "mousai-kit studio"
CSS = """
.studio-progress, .studio-live { display: block; width: 100%; }
.studio-progress { appearance: none; height: 8px; border: 0; border-radius: 4px; overflow: hidden;
  background: var(--border-color-primary); accent-color: var(--color-accent); }
.studio-progress::-webkit-progress-bar { background: var(--border-color-primary); }
.studio-progress::-webkit-progress-value { background: var(--color-accent); }
.studio-progress::-moz-progress-bar { background: var(--color-accent); }
"""


def build_page(studio: Studio, trainings: Trainings) -> Any:
    """Return the page of a studio, and its endpoints: Gradio's Blocks."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Tab("Make", elem_id="tab-make"):
            MakeTab(studio)
        with gr.Tab("Gallery") as gallery_tab:
            gallery = GalleryTab(studio)
        with gr.Tab("Shape") as shape_tab:
            shape = ShapeTab(studio)
        with gr.Tab("Swap"):
            swap = SwapTab(studio)
        if len(studio.systems.names) > 1:
            with gr.Tab("Compare"):
                CompareTab(studio)
        with gr.Tab("Listen") as listen_tab:
            listen = ListenTab(studio)
        with gr.Tab("Train"):
            TrainTab(trainings)
        add_endpoints(studio)
        private: dict[str, Any] = {"api_visibility": "private"}
        page.load(swap.offer, None, [swap.component], **private)
        shape_tab.select(shape.refresh, [shape.clip], [shape.clip], **private)
        listen_tab.select(listen.refresh, [listen.test], [listen.test, listen.abx_clip], **private)
        gallery_tab.select(
            gallery.refresh,
            [gallery.chosen, gallery.page],
            [gallery.chosen, gallery.pictures],
            **private,
        )
    return page


def theme() -> Any:
    """Return Gradio's default look with the system's fonts: nothing is fetched from elsewhere."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
