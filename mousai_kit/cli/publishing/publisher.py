"""Publisher: writes a trained system for others, into a folder or onto the hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from mousai_kit import __version__
from mousai_kit.cli.describe import describe_recipe
from mousai_kit.cli.publishing.card import Card
from mousai_kit.cli.publishing.facts import data_facts, figures, training_facts
from mousai_kit.cli.publishing.half_precision import to_half
from mousai_kit.cli.publishing.portable_recipe import neutral, told_start
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RequestError, format_value, some
from mousai_kit.core.files import write_bytes
from mousai_kit.core.packaged import RECIPE, WEIGHTS
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, stage_fingerprint_values
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.vocabulary import saved_words

CREDITS = "credits.md"
LICENCE = re.compile(r"[a-z0-9]+([.+-][a-z0-9]+)*")
"""Licences as the hub spells them: cc-by-sa-4.0."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an owner says of a publication."""

    licence: str
    credits: str
    """The text of the credits; empty where there are none."""

    @classmethod
    def of(cls, licence: str | None, credits_file: Path | None) -> Terms:
        """Return the terms; RequestError where no licence is said, or the credits are no text."""
        if licence is None:
            raise RequestError.about(
                "--license",
                "say under which licence others may use the weights, such as cc-by-4.0 or mit; the "
                "music that they learned from may bind you",
            )
        if not LICENCE.fullmatch(licence.lower()):
            told = (
                f"must be a licence's short name, such as cc-by-4.0 (got {format_value(licence)})"
            )
            raise RequestError.about("--license", told)
        return cls(licence.lower(), _text(credits_file) if credits_file else "")


class Publisher:
    """Writes a trained system: its recipe without paths, its weights, and a card that tells of it.

    What it writes is a run folder to whoever plays it, and loads as it did here.
    """

    def __init__(
        self, recipe: Recipe, folder: RunFolder, terms: Terms, *, half: bool, screen: Screen
    ) -> None:
        """Raise where a stage is not trained, or the model lies in part on this disk only."""
        folder.check_trained(recipe)
        self.recipe, self.folder, self.terms, self.half = recipe, folder, terms, half
        self.screen = screen
        self.neutral = neutral(recipe)

    def write(self, out: Path, *, card: str, called: str) -> None:
        """Write all files into an empty folder, and see that they load.

        `card` is the name of the file with the card, `called` what it says to load by.
        """
        head = f"# {self.recipe.name}, published with mousai-kit {__version__}; {card} tells of it."
        write_bytes(out / RECIPE, f"{head}\n{self.neutral.to_yaml()}".encode())
        if self.terms.credits:
            write_bytes(out / CREDITS, self.terms.credits.encode())
        cascade = Cascade.build(self.neutral, device="meta")
        for name in self.neutral.stages:
            self._write_weights(name, cascade, out)
        write_bytes(out / card, self._card(cascade, out, called).markdown().encode())
        self._check(cascade, out)

    def _write_weights(self, name: str, cascade: Cascade, out: Path) -> None:
        tensors = self.folder.load(self.recipe, name)
        if self.half:
            tensors, exact = to_half(cascade.stages[name], tensors)
            if exact:
                told = f"{name}: stays in float32, which float16 can't hold: {some(exact, 3)}"
                self.screen.print(told)
        path = out / name / WEIGHTS
        path.parent.mkdir()
        checkpoint.write_checkpoint(path, tensors, self._header(name, out))

    def _header(self, name: str, out: Path) -> dict[str, Any]:
        """Return what a stage's file says of itself: no more than others may know."""
        path = self.folder.stage(name).weights
        header = checkpoint.read_header(path)
        names = list(self.neutral.stages)
        below = [out / item / WEIGHTS for item in names[: names.index(name)]]
        return {
            "stage": name,
            "key": stage_fingerprint_values(self.neutral, name),
            "recipe": self.neutral.to_yaml(),
            "below": [checkpoint.read_header(item)["digest"] for item in below],
            "step": header.get("step", 0),
            "seconds": header.get("seconds", 0.0),
            "imported": _provenance(header, path, self.recipe.name),
        }

    def _card(self, cascade: Cascade, out: Path, called: str) -> Card:
        recipe, folder, names = self.recipe, self.folder, list(self.recipe.stages)
        return Card(
            called=called,
            licence=self.terms.licence,
            credits=CREDITS if self.terms.credits else "",
            prompts=recipe.generate.texts,
            recipe=describe_recipe(self.neutral),
            bytes=sum(path.stat().st_size for path in out.glob(f"*/{WEIGHTS}")),
            half=self.half,
            text=cascade.top.hears_text,
            requires=recipe.requires,
            words=saved_words(recipe, folder),
            data=data_facts(recipe, self.screen),
            training=training_facts(recipe, folder),
            starts={name: told_start(recipe, name) for name in names},
            figures=figures(recipe, folder),
        )

    def _check(self, cascade: Cascade, out: Path) -> None:
        """Raise WeightsError where what was written would not load."""
        written = RunFolder(out)
        for name, stage in cascade.stages.items():
            tensors, origin = written.load(self.neutral, name), str(out / name / WEIGHTS)
            checkpoint.check_tensors_fit(stage.state_dict(), tensors, origin=origin)


def _provenance(header: Mapping[str, Any], path: Path, name: str) -> dict[str, str]:
    """Return where weights are from, for those who load them; a path of the owner's is not told."""
    if found := header.get("imported"):
        on_the_hub = ("source", "file", "revision") if "revision" in found else ()
        return {key: found[key] for key in ("format", "sha256", *on_the_hub) if key in found}
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return {"format": "mousai-kit", "source": name, "sha256": digest}


def _text(file: Path) -> str:
    """Return the text of a file; RequestError where there is none."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError.about(file, "is no UTF-8 text; save it as such") from None
    except OSError as error:
        raise RequestError.about(file, f"can't be read ({error.strerror})") from None
