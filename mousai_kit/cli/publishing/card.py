"""The card of a publication: what it is, what it learned and what it can't do, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mousai_kit import __version__
from mousai_kit.cli.publishing.facts import Facts
from mousai_kit.cli.tables import duration, size
from mousai_kit.evaluation.evaluation import loss_rows
from mousai_kit.evaluation.tables import markdown_table
from mousai_kit.runs.model_card import LIBRARY
from mousai_kit.runs.vocabulary import telling

WAYS = {
    "trained": "trained",
    "draft": "its draft alone",
    "untrained": "untrained",
    "other": "from another's latent",
}
"""What the ways are called in which clips are brought back."""
FREQUENT = 40
"""Words that are told of those that a system learned."""


@dataclass(frozen=True, slots=True)
class Card:
    """All that a card tells."""

    called: str
    """What others load it by: `owner/name`, or the folder's name."""
    licence: str
    credits: str
    """The file with the credits; empty where there is none."""
    prompts: Sequence[str]
    recipe: Facts
    """As `describe_recipe` tells."""
    bytes: int
    half: bool
    text: bool
    """Whether it makes music from text."""
    requires: Sequence[str]
    words: Sequence[str] | None
    data: Facts
    training: Mapping[str, Facts]
    starts: Mapping[str, str]
    figures: Facts | None

    def markdown(self) -> str:
        """Return the card: a YAML front matter, then Markdown."""
        parts = [
            *([self._front_matter(), f"# {self.recipe['name']}", self._what()]),
            *("## Use it", self._use(), "## What it is", self._parts()),
            *("## What it learned from", self._data(), "## How it was trained", self._training()),
            *("## What was measured", self._figures(), "## What it can't do", self._limits()),
            *("## Licence", self._licence()),
        ]
        return "\n\n".join(parts) + "\n"

    def _front_matter(self) -> str:
        task = "text-to-audio" if self.text else "audio-to-audio"
        tags = "[music, text-to-music, diffusion, mousai-kit]"
        lines = [f"license: {self.licence}", f"library_name: {LIBRARY}", f"pipeline_tag: {task}"]
        return "\n".join(["---", *lines, f"tags: {tags}", "---"])

    def _what(self) -> str:
        recipe = self.recipe
        makes = "makes {} music from text" if self.text else "brings {} music to latents and back"
        channels = {1: "mono", 2: "stereo"}.get(recipe["channels"], f"{recipe['channels']}-channel")
        sound = f"{channels} {recipe['sample_rate'] / 1000:g} kHz"
        return (
            f"A diffusion system of {_millions(recipe['parameters'])} parameters that "
            f"{makes.format(sound)}. It was published with mousai-kit {__version__}."
        )

    def _use(self) -> str:
        prompt = (self.prompts or ["music"])[0].replace('"', "'")
        install = " ".join(["pip install mousai-kit", *(f"'{name}'" for name in self.requires)])
        if not self.text:
            return _code("sh", install, f"mousai-kit reconstruct {self.called} some-music.flac")
        play = f'mousai-kit generate {self.called} "{prompt}" --seconds 10'
        call = f'music = mk.load("{self.called}").generate("{prompt}", seconds=10)'
        python = ("import mousai_kit.api as mk", "", call, 'music.save("music.flac")')
        return "\n\n".join([_code("sh", install, play), _code("python", *python)])

    def _parts(self) -> str:
        rows = [
            [stage["name"], stage["use"], _millions(stage["parameters"]), _latent(stage["latent"])]
            for stage in self.recipe["stages"]
        ]
        half = "in half precision (float16; cast to float32 when loaded)"
        kept = half if self.half else "as trained"
        told = f"`recipe.yaml` says all of it. The weights are {kept}: {size(self.bytes)}."
        return f"{markdown_table(['stage', 'component', 'parameters', 'latent'], rows)}\n\n{told}"

    def _data(self) -> str:
        data, lines = self.data, list[str]()
        if data["tracks"] is not None:
            lines.append(
                f"- {data['tracks']:,} tracks, {data['hours']:.3g} hours; {data['held_out']:,} of "
                f"them were held out (dataset `{data['use']}`)"
            )
            told = ", ".join(f"{name} ({count:,})" for name, count in data["licences"].items())
            lines.append(f"- licences that their tags tell: {told}")
        elif data["clips"] is not None:
            lines.append(f"- {data['clips']:,} clips (dataset `{data['use']}`)")
        else:
            lines.append(f"- dataset `{data['use']}`; it was not at hand when this was written")
        if self.words:
            told = ", ".join(telling(self.words)[:FREQUENT])
            lines.append(f"- {len(self.words):,} words of captions, most often: {told}")
        return "\n".join(lines)

    def _training(self) -> str:
        rows = [
            {
                "stage": name,
                "steps": f"{training['steps']:,}" if training["steps"] else "-",
                "time": duration(training["seconds"]) if training["seconds"] else "-",
                "clips a step": training["batch"],
                "seconds a clip": f"{training['crop']:.3g}",
                "learning rate": f"{training['learning_rate']:g}",
                "precision": training["precision"],
            }
            for name, training in self.training.items()
        ]
        table = markdown_table([*rows[0]], [[*row.values()] for row in rows])
        lines = [f"- {name} started from {told}" for name, told in self.starts.items() if told]
        lines += [
            f"- {name} was trained {told}"
            for name, training in self.training.items()
            for told in training["changes"]
        ]
        lines += [
            f"- {name} was imported: steps and settings of its training are another project's"
            for name, training in self.training.items()
            if training["imported"]
        ]
        return "\n".join([table, *(["", *lines] if lines else [])])

    def _figures(self) -> str:
        if self.figures is None:
            return "Nothing: there was no report of these weights (`mousai-kit evaluate`)."
        told = "Figures say whether the system listens, not how it sounds."
        if self.half:
            told += " They were measured before the weights were rounded to float16."
        heard, losses = _reconstructions(self.figures["decoded"]), loss_rows(self.figures["loss"])
        head = ["stage", "clips", "loss, right caption", "another's", "none"]
        return "\n\n".join([told, *heard, *([markdown_table(head, losses)] if losses else [])])

    def _limits(self) -> str:
        lines = list[str]()
        if self.words:
            lines.append(
                f"- It knows {len(self.words):,} words. Others it spells out of pieces, which say "
                "little or nothing to it; `mousai-kit generate` tells which they are."
            )
        longest = max(training["crop"] for training in self.training.values())
        lines.append(
            f"- It learned from crops of up to {longest:.3g} seconds. Longer music is made, but "
            "has no form beyond that: no verse comes back."
        )
        lines.append(
            "- It resembles what it learned from, in style, quality and gaps, and may come near to "
            "single pieces of it, the more so the fewer there were."
        )
        lines.append("- Nobody listened to all that it can make. Listen before you use any of it.")
        return "\n".join(lines)

    def _licence(self) -> str:
        told = f"The weights: {self.licence}."
        if self.credits:
            told += f" Whose music it learned from: [{self.credits}]({self.credits})."
        return told


def _code(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _reconstructions(parts: Sequence[Facts]) -> Iterator[str]:
    """Yield a table of how near clips come back, by stage, metric and split."""
    found = {way for part in parts for means in part["metrics"].values() for way in means}
    ways = [item for item in WAYS if item in found]
    rows = [
        [
            *(part["stage"], metric, f"{part['clips']} {part['split']}"),
            *(f"{means[way]:.2f}" if way in means else "-" for way in ways),
        ]
        for part in parts
        for metric, means in part["metrics"].items()
    ]
    if rows:
        yield markdown_table(["stage", "metric", "clips", *(WAYS[item] for item in ways)], rows)


def _latent(latent: Facts | None) -> str:
    if latent is None:
        return "-"
    return f"{latent['channels']} x {latent['frames_per_second']:g} a second"


def _millions(count: int) -> str:
    return f"{count / 1e6:.3g} M" if count >= 1e5 else f"{count:,}"
