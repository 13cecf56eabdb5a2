"""HuggingFace: data sets as the package datasets keeps them, on the disk or on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationInfo, field_validator

import mousai_kit.api as mk
from mousai_kit_shards.hub_data import from_folder, from_hub, instead, library
from mousai_kit_shards.rows import Rows


class HuggingFace(mk.TrackDataset):
    """A data set of Hugging Face: a folder that `save_to_disk` wrote, or one on the hub.

    It needs the package datasets (`pip install 'mousai-kit[datasets]'`). Captions come from the
    columns that `text` names; else from a column `caption`, `prompt` or `text`; else from columns
    title, artist, album, genre and year; else from the audio's tags. Rows without audio that can
    be read are left out and listed by `skipped_files`. AudioError where none is left.
    """

    name = "huggingface"

    class Options(mk.TrackDataset.Options):
        """Options of `dataset: huggingface`."""

        path: mk.PathOrName = mk.Field(
            min_length=1, description="a folder, or a data set on the hub"
        )
        revision: str | None = mk.Field(
            None,
            pattern="^[0-9a-f]{40}$",
            validate_default=True,
            description="commit of the data set on the hub",
        )
        subset: str | None = mk.Field(
            None, min_length=1, description="which configuration of a data set on the hub"
        )
        split: str = mk.Field("train", min_length=1, description="split to learn from")
        validation_split: str | None = mk.Field(
            None, min_length=1, description="split that is held out; null: a fraction of `split`"
        )
        audio: str = mk.Field("audio", min_length=1, description="column of the audio")
        text: list[str] = mk.Field(
            default_factory=list,
            description="columns whose texts, joined by commas, are the caption",
        )
        validation: float = mk.Field(
            0.1, ge=0, le=0.5, description="fraction of the rows that is held out"
        )

        @field_validator("revision")
        @classmethod
        def _check_pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
            path = info.data.get("path", "")
            if not path or mk.hub.is_folder(path):
                return None
            if revision is None:
                raise ValueError(
                    f"must be the 40-digit commit to fetch of '{path}' from the hub; "
                    "a folder needs none, but there is none of this name"
                )
            return revision

    options: Options

    def find_tracks(self) -> Sequence[mk.Track]:
        """Return the rows of this split, and remember what was left out."""
        held, own = self.split == "validation", self.options.validation_split
        self.rows = self._rows(own if held and own else self.options.split)
        self._texts = self._columns()
        tracks, self._skipped = self.rows.tracks()
        if not tracks:
            raise mk.AudioError(
                mk.Problem(mk.display_path(self.rows.place), "", "holds no music that can be used"),
                *self._skipped[:10],
            )
        if own:
            return tracks
        return tracks.part(self.split, map(str, tracks.rows), self.options.validation)

    def skipped_files(self) -> list[str]:
        """Return one line for each row that was left out, with the reason."""
        return list(map(str, self._skipped))

    def open_track(self, track: mk.Track) -> BinaryIO:
        """Open a row's audio."""
        return self.rows.open_row(int(track.name))

    def read_caption(self, track: mk.Track) -> mk.AnyCaption:
        """Return what a row's columns say; else what the audio's tags do."""
        values = self.rows.values(int(track.name), self._texts)
        if len(self.options.text) == 1 and isinstance(several := next(iter(values.values())), list):
            return mk.caption_from_mapping({"caption": several})
        if self.options.text:
            return ", ".join(
                str(value).strip() for value in values.values() if value not in (None, "")
            )
        return mk.caption_from_mapping(values) or super().read_caption(track)

    def _rows(self, split: str) -> Rows:
        options = self.options
        if options.revision is None:
            folder = Path(options.path).expanduser()
            data = from_folder(folder, split)
            return Rows(data, audio=options.audio, place=folder / split, root=folder)
        cache = Path(library().config.HF_CACHE_HOME)
        data = from_hub(options.path, subset=options.subset, split=split, revision=options.revision)
        return Rows(data, audio=options.audio, place=Path(options.path) / split, root=cache)

    def _columns(self) -> list[str]:
        """Return the columns that captions are made of; AudioError where one is missing."""
        there = self.rows.columns
        for name in self.options.text:
            if name not in there:
                raise mk.audio_error(
                    self.rows.place, f"has no column '{name}'{instead(name, there)}"
                )
        return self.options.text or [
            name for name in there if mk.caption_from_mapping({name: "2000"})
        ]
