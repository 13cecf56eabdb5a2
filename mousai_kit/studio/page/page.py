"""The page: a tab for each thing that is done, in a look that needs no other server."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mousai_kit.studio.page.endpoints import add_endpoints
from mousai_kit.studio.page.gallery_tab import GalleryTab
from mousai_kit.studio.page.make_tab import MakeTab
from mousai_kit.studio.studio import Studio

TITLE = "mousai-kit studio"
CSS = """
.studio-progress, .studio-live { width: 100%; }
"""


def build_page(studio: Studio) -> Any:
    """Return the page of a studio, and its endpoints: Gradio's Blocks."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Tab("Make", elem_id="tab-make"):
            MakeTab(studio)
        with gr.Tab("Gallery", elem_id="tab-gallery") as tab:
            gallery = GalleryTab(studio)
        listed = [gallery.chosen, gallery.pictures]
        tab.select(
            gallery.refresh, [gallery.chosen, gallery.page], listed, api_visibility="private"
        )
        add_endpoints(studio)
    return page


def theme() -> Any:
    """Return Gradio's default look with the system's fonts: nothing is fetched from elsewhere."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
