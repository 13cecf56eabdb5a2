"""Player: a clip of the gallery on the page, heard, seen, told, and taken home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.studio.gallery import ClipRecord
from mousai_kit.studio.page.errors import tell_errors
from mousai_kit.studio.studio import Studio


class ClipPlayer:
    """A player, a mel picture, facts and a download of one clip; `outputs` are what shows it."""

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio = studio
        self.audio = gr.Audio(
            label="Clip",
            type="filepath",
            interactive=False,
            buttons=[],
            visible=False,
            elem_id=f"{name}-audio",
        )
        self.picture = gr.Image(
            label="Mel picture",
            alt_text="Mel picture of the clip",
            type="filepath",
            interactive=False,
            buttons=[],
            visible=False,
            elem_classes="studio-labelled",
            elem_id=f"{name}-picture",
        )
        self.facts = gr.Textbox(
            label="Made from", interactive=False, lines=3, elem_id=f"{name}-facts"
        )
        self.key = gr.Textbox(visible=False)
        with gr.Row(elem_classes="studio-bottom"):
            self.suffix = gr.Dropdown(
                ["flac", "wav", "ogg"],
                value="flac",
                label="Download as",
                min_width=120,
                elem_id=f"{name}-download-as",
            )
            self.download = gr.DownloadButton(
                "Download", interactive=False, min_width=170, elem_id=f"{name}-download"
            )
        shown = [self.audio, self.picture, self.facts, self.key]
        self.outputs = [*shown, self.suffix, self.download]
        self.suffix.input(
            tell_errors(self._convert),
            [self.key, self.suffix],
            [self.download],
            show_progress="hidden",
            api_visibility="private",
        )

    def show(self, clip: ClipRecord | None) -> tuple[Any, ...]:
        """Return what the outputs show of a clip; None leaves them as they are."""
        if clip is None:
            return tuple(gr.skip() for _ in self.outputs)
        gallery = self.studio.gallery
        file = gallery.audio(clip.key)
        sound = gr.Audio(str(file), visible=True)
        picture = gr.Image(str(gallery.picture(clip.key)), visible=True)
        suffix = clip.settings.format
        return sound, picture, describe_clip(clip), clip.key, suffix, _download(file)

    def clear(self) -> tuple[Any, ...]:
        """Return outputs that show no clip."""
        hidden = gr.Audio(None, visible=False), gr.Image(None, visible=False)
        return *hidden, "", "", gr.skip(), gr.DownloadButton("Download", interactive=False)

    def _convert(self, key: str, suffix: str) -> Any:
        if not key:
            return gr.skip()
        return _download(self.studio.export(key, suffix))


def _download(file: Path) -> Any:
    """Return a button that says which kind of file it gives."""
    label = f"Download {file.suffix.removeprefix('.').upper()}"
    return gr.DownloadButton(label, value=str(file), interactive=True)


def describe_clip(clip: ClipRecord) -> str:
    """Return what a clip was made from, in lines of plain text."""
    settings = clip.settings
    lines = [
        settings.prompt,
        f"{settings.system}, seed {settings.seed}, {clip.seconds:.1f} s, guidance "
        f"{settings.guidance:g}" + (f", {settings.steps} steps" if settings.steps else ""),
        *(f"{name}: {_plain(value)}" for name, value in settings.controls.items()),
        *(f"swapped: {change}" for change in settings.overrides),
        *(f"adapter: {name}, strength {value:g}" for name, value in settings.adapters.items()),
        f"made in {clip.took:.1f} s, {clip.made}, {clip.key}",
    ]
    if clip.how:
        lines.append(f"{clip.how} from {clip.parent}" if clip.parent else clip.how)
    return "\n".join([*lines, *clip.notes])


def _plain(value: Any) -> str:
    """Return a control's value as people write it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key} of {item}" for key, item in value.items())
    return str(value)


def clip_label(clip: ClipRecord) -> str:
    """Return a clip in a list: one line."""
    prompt = " ".join(clip.settings.prompt.split())[:60] or "no prompt"
    return f"{prompt} - seed {clip.settings.seed}, {clip.seconds:.1f} s ({clip.key})"
