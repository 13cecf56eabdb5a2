"""TensorBoard: losses, rates, warnings and demos as event files in the run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.image import imread
from torch.utils.tensorboard import SummaryWriter

from mousai_kit import audio
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class TensorBoard(Observer):
    """Writes what `tensorboard --logdir` shows. Steps that are taken again replace themselves."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe
        self._writer: SummaryWriter | None = None

    @property
    def writer(self) -> SummaryWriter:
        """What writes, once training has begun."""
        assert self._writer is not None
        return self._writer

    def begun(self, training: Training) -> None:
        """Open a file that takes back what was said of later steps."""
        self._writer = SummaryWriter(str(self.folder), purge_step=training.step + 1)
        if not training.step:
            indented = self.recipe.replace("\n", "\n    ")
            self.writer.add_text("recipe", f"    {indented}", 0)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Write a step's figures."""
        self.writer.add_scalar("loss", taken.loss, training.step)
        self.writer.add_scalar("gradient_norm", taken.gradient_norm, training.step)
        self.writer.add_scalar("learning_rate", training.rate, training.step)

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Write a validation's losses."""
        for condition, loss in losses.items():
            self.writer.add_scalar(f"validation/{condition}", loss, training.step)

    def warned(self, training: Training, warning: str) -> None:
        """Write a warning."""
        self.writer.add_text("warnings", warning, training.step)

    def demonstrated(self, training: Training, demos: Sequence[Path]) -> None:
        """Write demos: TensorBoard plays them in mono."""
        for path in demos:
            rate = audio.probe(path).sample_rate
            wave = audio.read(path, sample_rate=rate, channels=1).clamp(-1, 1)
            tag = f"demo/{path.stem}"
            self.writer.add_audio(tag, wave, training.step, sample_rate=rate)
            picture = imread(path.with_suffix(".png"))[..., :3]
            self.writer.add_image(tag, picture, training.step, dataformats="HWC")

    def ended(self, training: Training) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
