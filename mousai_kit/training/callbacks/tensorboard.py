"""TensorBoard: losses, rates, warnings and demos as event files in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.image import imread
from torch.utils.tensorboard import SummaryWriter

from mousai_kit import audio
from mousai_kit.training.callbacks.base import Callback, TrainerView, flatten


class TensorBoard(Callback):
    """Writes what `tensorboard --logdir` shows. Steps that are taken again replace themselves."""

    task = "reporting to tensorboard"

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe
        self.writer: Any = None  # once training has begun, a SummaryWriter

    def on_train_start(self, training: TrainerView) -> None:
        """Open a file that takes back what was said of later steps."""
        self.writer = SummaryWriter(str(self.folder), purge_step=training.step + 1)
        if not training.step:
            indented = self.recipe.replace("\n", "\n    ")
            self.writer.add_text("recipe", f"    {indented}", 0)

    def log(self, training: TrainerView, values: Mapping[str, Any]) -> None:
        """Write figures, and a warning as a text."""
        for name, value in flatten(values).items():
            if name == "warning":
                self.writer.add_text("warnings", value, training.step)
            else:
                self.writer.add_scalar(name, value, training.step)

    def on_demo(self, training: TrainerView, demos: Sequence[Path]) -> None:
        """Write demos: TensorBoard plays them in mono."""
        for path in demos:
            rate = audio.audio_info(path).sample_rate
            wave = audio.read(path, sample_rate=rate, channels=1).clamp(-1, 1)
            tag = f"demo/{path.stem}"
            self.writer.add_audio(tag, wave, training.step, sample_rate=rate)
            picture = imread(path.with_suffix(".png"))[..., :3]
            self.writer.add_image(tag, picture, training.step, dataformats="HWC")

    def on_train_end(self, training: TrainerView) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()
