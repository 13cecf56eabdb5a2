"""The stage folder: the files that a stage has in a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mousai_kit import checkpoints
from mousai_kit.interfaces import Split


@dataclass(frozen=True, slots=True)
class StageFolder:
    """The files of one stage."""

    path: Path

    @property
    def weights(self) -> Path:
        """Return where the trained, averaged weights are."""
        return self.path / "weights.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Return the folder of what training goes on from."""
        return self.path / "checkpoints"

    @property
    def checkpoint(self) -> Path | None:
        """Return the newest file that training can go on from, or None."""
        return next(iter(checkpoints.kept(self.checkpoints)), None)

    @property
    def learned(self) -> Path:
        """Return where that part of the averaged weights is for a while which was learned."""
        return self.path / "learned.safetensors"

    @property
    def adapter(self) -> Path:
        """Return where what LoRA learned is, apart from the weights it was learned for."""
        return self.path / "adapter.safetensors"

    @property
    def log(self) -> Path:
        """Return the log of training, a JSON value a line."""
        return self.path / "log.jsonl"

    def latents(self, split: Split) -> Path:
        """Return the folder of the latents that the stage learns from."""
        return self.path / f"latents-{split}"

    @property
    def curves(self) -> Path:
        """Return the picture of the course of training."""
        return self.path / "loss.png"

    @property
    def demos(self) -> Path:
        """Return the folder of what was heard during training."""
        return self.path / "demos"

    def newest(self) -> Path | None:
        """Return the finished weights, else the newest checkpoint with a header, else None."""
        if self.weights.exists():
            return self.weights
        return next(filter(checkpoints.is_ours, checkpoints.kept(self.checkpoints)), None)

    @property
    def origin(self) -> str:
        """Return where imported weights are from; empty for weights that were trained here."""
        if not self.weights.exists():
            return ""
        found = checkpoints.header(self.weights).get("imported", {})
        if not found:
            return ""
        place = "/".join(found[key] for key in ("source", "file") if key in found)
        revision = f", revision {found['revision']}" if "revision" in found else ""
        return f"{place} ({found['format']}{revision}, sha256 {found['sha256'][:16]})"

    def set_aside(self) -> Path:
        """Rename the folder, so that nothing is lost; return its new name.

        Latents stay where they are: they may serve again, and tell themselves what made them.
        """
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        self.path.rename(target)
        for latents in target.glob("latents-*/"):
            self.path.mkdir(exist_ok=True)
            latents.rename(self.path / latents.name)
        return target
