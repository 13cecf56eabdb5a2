"""Generation: from prompts, or through the latents, to tagged audio in files or in memory.

Legend: b clips, c channels, n samples of a piece, t samples of a clip.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from torch import Tensor

from mousai_kit import __version__, audio
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import Argument, Problem, RequestError, argument_error, format_value
from mousai_kit.core.interfaces import Controls, GenerationRequest
from mousai_kit.core.interfaces.controls import printable
from mousai_kit.core.spin_wait import sleep_if_contended
from mousai_kit.distributed import Communicator
from mousai_kit.generation.editing import Edit, Through
from mousai_kit.generation.output import GeneratedAudio
from mousai_kit.generation.rendering import AudioSink, FileSink, MemorySink, is_recorded
from mousai_kit.generation.source_file import control_tags, plan_edit, source_path
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditioning import CONDITION
from mousai_kit.models.conditions import condition_tags
from mousai_kit.models.memory import check_memory, check_output_space, report_out_of_memory
from mousai_kit.recipe import Recipe

SOFTWARE = {"software": f"mousai-kit {__version__}"}
"""The tag of every file that is made."""
STRICTEST = 1000
"""Guidance beyond which there are only infinities."""
A_DAY = 24 * 60 * 60
"""Seconds that a clip may last."""
MOST = 10_000
"""Clips that are made at a time for each prompt, at most."""


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """A prompt to be made into one clip."""

    prompt: str
    seed: int
    seconds: float
    guidance: float
    controls: Controls = field(default_factory=Controls)

    @property
    def alike(self) -> tuple[float, float, Controls]:
        """Return what clips that are made in one batch agree in: all but what is each one's own."""
        return self.seconds, self.guidance, self.controls.model_copy(update={"variation": 0})

    @property
    def stem(self) -> str:
        """Return a file name without suffix."""
        number = self.controls.variation
        return f"{clip_file_name(self.prompt)}-{self.seed}" + (f"-v{number}" if number else "")


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A clip on the disk."""

    path: Path
    picture: Path
    prompt: str
    seed: int
    reused: bool


def make_jobs(
    prompts: Sequence[str],
    *,
    seed: int,
    count: int,
    seconds: float,
    guidance: float,
    controls: Controls | None = None,
) -> list[GenerationJob]:
    """Return what to make: each prompt with the seeds `seed` .. `seed + count - 1`.

    RequestError where there is no prompt, or a number is out of range.
    """
    _check_types(prompts, seed=seed, count=count, seconds=seconds, guidance=guidance)
    if not prompts:
        raise RequestError("there is no prompt; give one or more")
    if not 0 < seconds < math.inf:
        raise argument_error("seconds", f"must be a number above 0 (got {seconds:g})")
    if seconds > A_DAY:
        raise argument_error("seconds", f"must be at most {A_DAY}, a day (got {seconds:g})")
    if not 0 <= guidance <= STRICTEST:
        told = f"must be a number from 0 to {STRICTEST} (got {guidance:g})"
        raise argument_error("guidance", told)
    if not 1 <= count <= MOST:
        raise argument_error("count", f"must be 1 to {MOST} (got {count})")
    if seed < 0:
        raise argument_error("seed", f"must be 0 or more (got {seed})")
    return [
        GenerationJob(printable(prompt), seed + number, seconds, guidance, controls or Controls())
        for prompt in prompts
        for number in range(count)
    ]


def _check_types(prompts: Sequence[str], **numbers: float) -> None:
    """Raise RequestError where a caller gives what is no text, or no number."""
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Sequence):
        raise RequestError(f"prompts must be a list of texts (got {format_value(prompts)})")
    if others := [prompt for prompt in prompts if not isinstance(prompt, str)]:
        raise RequestError(f"a prompt must be text (got {format_value(others[0])})")
    for name, value in numbers.items():
        whole = name in ("seed", "count")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            told = "a whole number" if whole else "a number"
            raise argument_error(name, f"must be {told} (got {format_value(value)})")


class Generator:
    """Makes clips with a recipe's cascade, in its windows, `batch` at a time.

    `tags` say beside the recipe's what every file is made with.
    """

    def __init__(
        self,
        recipe: Recipe,
        cascade: Cascade,
        screen: Screen,
        *,
        tags: Mapping[str, str],
        batch: int = 1,
        ranks: Communicator | None = None,
    ) -> None:
        self.cascade, self.screen, self.batch = cascade, screen, batch
        self.window, self.ranks = recipe.window_samples, ranks or Communicator()
        top = recipe.stages[[*cascade.stages][-1]]
        self.trained = top.train.length
        self.tags = {"recipe": recipe.name, "recipe_hash": recipe.hash, **tags, **SOFTWARE}

    def write(
        self, jobs: Sequence[GenerationJob], *, folder: Path, suffix: str
    ) -> list[GeneratedFile]:
        """Return the clips as files, those that are there already from the same weights included.

        Processes that work together share those that are missing.
        """
        pairs = list(zip(jobs, _paths(jobs, folder, suffix, self._control_tags), strict=True))
        missing = [(job, path) for job, path in pairs if not is_recorded(path, self._job_tags(job))]
        self.ranks.barrier()  # until each knows what is missing
        mine = self.ranks.share(missing)
        sinks = [self.file_sink(job, path) for job, path in mine]
        self.play_into([job for job, _ in mine], sinks, folder)
        self.ranks.barrier()
        fresh = {path for _, path in missing}
        return [
            GeneratedFile(path, path.with_suffix(".png"), job.prompt, job.seed, path not in fresh)
            for job, path in pairs
        ]

    def play(self, jobs: Sequence[GenerationJob]) -> list[GeneratedAudio]:
        """Return the clips in memory: as `write` writes them."""
        sinks = [MemorySink() for _ in jobs]
        self.play_into(jobs, sinks)
        rate = self.cascade.audio.sample_rate
        return [
            GeneratedAudio(sink.audio, rate, job.prompt, job.seed, self._job_tags(job))
            for sink, job in zip(sinks, jobs, strict=True)
        ]

    def stream(self, job: GenerationJob) -> Iterator[Tensor]:
        """Return a clip's audio [c, n] piece by piece, as `write` writes it; none is kept.

        An error where it can't be made: nothing is computed before the first piece is asked for.
        """
        request, edit = self._request([job]), self._edit(job)
        self._check_memory(request, edit)
        return self._iter_pieces(request, edit)

    def _iter_pieces(self, request: GenerationRequest, edit: Edit) -> Iterator[Tensor]:
        with self.screen.bar("generating", edit.reports(request)) as bar:
            pieces = edit.stream(replace(request, progress=bar.advance))
            for (piece,) in self._report_computed(pieces, request.samples):
                if piece.numel():
                    yield piece

    def reconstruct(
        self,
        wave: Tensor,
        out: Path,
        *,
        top: str,
        seed: int,
        real: str,
        tags: Mapping[str, str],
        prompt: str = "",
        guidance: float = 1.0,
    ) -> None:
        """Bring audio [c, t] through the latents of stage `top` and back, into a tagged file.

        Its picture shows the `real` one too. RequestError where memory or the disk won't suffice.
        """
        title, above = "through the latents and back", {f"real: {real}": wave}
        sink = FileSink(
            out, self.cascade.audio, wave.shape[-1], title=title, tags=tags, above=above
        )
        work = [self._through(wave, top, seed, prompt, guidance)]
        self._render("reconstructing", work, [sink], folder=out.parent)

    def play_reconstruction(
        self, wave: Tensor, *, top: str, seed: int, prompt: str = "", guidance: float = 1.0
    ) -> Tensor:
        """Return audio [c, t] brought through the latents of stage `top` and back."""
        sink = MemorySink()
        self._render("reconstructing", [self._through(wave, top, seed, prompt, guidance)], [sink])
        return sink.audio

    def _through(
        self, wave: Tensor, top: str, seed: int, prompt: str, guidance: float
    ) -> tuple[GenerationRequest, Edit]:
        samples = wave.shape[-1]
        request = GenerationRequest(
            [prompt], [seed], samples, guidance=guidance, window=self.window
        )
        return request, Through(self.cascade, wave, top=top)

    def play_into(
        self, jobs: Sequence[GenerationJob], sinks: Sequence[AudioSink], folder: Path | None = None
    ) -> None:
        """Hand the clips of jobs to their sinks piece by piece, those together that are alike.

        `folder` is where sinks write to, if they do: it must have room for all.
        """
        runs = [list(run) for _, run in groupby(jobs, lambda job: job.alike)]
        groups = [
            run[first : first + self.batch]
            for run in runs
            for first in range(0, len(run), self.batch)
        ]
        work = [(self._request(group), self._edit(group[0])) for group in groups]
        self._render("generating", work, sinks, folder=folder)

    def _request(self, group: Sequence[GenerationJob]) -> GenerationRequest:
        """Return the request for clips that are made together."""
        samples = self._edit(group[0]).samples
        return GenerationRequest(
            prompts=[job.prompt for job in group],
            seeds=[job.seed for job in group],
            samples=samples,
            guidance=group[0].guidance,
            controls=group[0].controls,
            variations=[job.controls.variation for job in group],
            extras=self._extras(group[0], samples, clips=len(group)),
            window=self.window,
            together=max(1, self.batch // len(group)),
        )

    def _extras(self, job: GenerationJob, samples: int, *, clips: int) -> dict[str, Tensor]:
        """Return what so many clips are told besides the text."""
        if not job.controls.conditions:
            return {}
        given = self.cascade.parse_conditions(job.controls.conditions)
        with self.screen.busy("listening to what the clips are told"):
            return self.cascade.request_extras(given, samples, clips=clips)

    def _edit(self, job: GenerationJob) -> Edit:
        """Return how a job's clip is made; an error where the file that it begins from can't be."""
        file = source_path(job.controls)
        reading = self.screen.busy(f"reading {file.name}") if file else nullcontext()
        with reading:
            return plan_edit(
                self.cascade,
                job.controls,
                seconds=job.seconds,
                trained=self.trained,
            )

    @sleep_if_contended()
    def _render(
        self,
        label: str,
        work: Sequence[tuple[GenerationRequest, Edit]],
        sinks: Sequence[AudioSink],
        *,
        folder: Path | None = None,
    ) -> None:
        """Hand each clip of the requests, the first of which is the largest, to its sink."""
        for request, edit in work[:1]:
            self._check_memory(request, edit)
        if folder is not None:
            check_output_space(folder, self.cascade.audio, [request for request, _ in work])
        total = sum(len(request.prompts) * edit.reports(request) for request, edit in work)
        waiting = iter(sinks)
        with self.screen.bar(label, total) as bar:
            for request, edit in work:
                tick = partial(bar.advance, len(request.prompts))
                pieces = edit.stream(replace(request, progress=tick))
                group = [next(waiting) for _ in request.prompts]
                with ExitStack() as stack:
                    for sink in group:
                        stack.enter_context(sink)
                    for piece in self._report_computed(pieces, request.samples):
                        for sink, clip in zip(group, piece, strict=True):
                            sink.add(clip)
                    for sink in group:
                        sink.finish()
                    self._tell_scaled(edit, group)

    def _check_memory(self, request: GenerationRequest, edit: Edit) -> None:
        """Raise RequestError where an edit would not fit into memory."""
        played = replace(request, samples=edit.length_played)
        check_memory(self.cascade, played, top=edit.top, at_a_time=edit.at_a_time)

    def _tell_scaled(self, edit: Edit, sinks: Sequence[AudioSink]) -> None:
        """Say where a file's audio can't stay bit for bit, as its peaks do not fit into a file."""
        for sink in sinks:
            if edit.keeps and isinstance(sink, FileSink) and sink.peak > 1:
                told = f"the file's peaks reach {sink.peak:.3f}; all was scaled down by so much"
                self.screen.print(f"{audio.display_path(sink.path)}: {told}")

    def _report_computed(self, pieces: Iterator[Tensor], samples: int) -> Iterator[Tensor]:
        """Yield pieces [b, c, n] as float32 on the CPU; RequestError where memory runs out."""
        seconds = samples / self.cascade.audio.sample_rate
        too_long = f"{seconds:g} s do not fit into memory; ask for less"
        told = Problem(Argument("seconds"), "", too_long)
        while True:
            with report_out_of_memory(told):
                piece = next(pieces, None)
                if piece is None:
                    return
                piece = piece.float().cpu()
            yield piece

    def _job_tags(self, job: GenerationJob) -> dict[str, str]:
        return {
            **self.tags,
            "title": " ".join(job.prompt.split())[:120],
            "prompt": job.prompt,
            "seed": str(job.seed),
            "seconds": f"{job.seconds:g}",
            "guidance": f"{job.guidance:g}",
            **self._control_tags(job),
        }

    def _control_tags(self, job: GenerationJob) -> dict[str, str]:
        """Return what a clip's file says of its controls."""
        given = self.cascade.parse_conditions(job.controls.conditions)
        return {**dict(control_tags(job.controls)), **condition_tags(given)}

    def file_sink(self, job: GenerationJob, path: Path) -> FileSink:
        """Return what writes a job's clip to a tagged file, with its picture beside it."""
        space, tags = self.cascade.audio, self._job_tags(job)
        return FileSink(path, space, self._edit(job).samples, title=job.prompt, tags=tags)


def clip_file_name(text: str) -> str:
    """Return a file name without suffix: safe on any system, whatever the text holds."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:48].strip("-") or "clip"


Tags = Callable[[GenerationJob], Mapping[str, str]]
"""What a clip's file says of its controls."""


def _paths(
    jobs: Sequence[GenerationJob], folder: Path, suffix: str, control_tags: Tags
) -> list[Path]:
    """Return a file for each job, numbered where its name is another clip's already."""
    taken: dict[Path, None] = {}
    for job in jobs:
        path, number = folder / f"{job.stem}.{suffix}", 2
        while path in taken or _is_another(path, job, control_tags(job)):
            path, number = folder / f"{job.stem}-{number}.{suffix}", number + 1
        taken[path] = None
    return list(taken)


def _is_another(path: Path, job: GenerationJob, controls: Mapping[str, str]) -> bool:
    """Return whether a file is there that must not be replaced: no clip of this prompt, this seed
    and these controls.
    """
    if not path.exists():
        return False
    found = audio.read_tags(path)
    wanted = {"prompt": job.prompt, "seed": str(job.seed), **controls}
    told = [name for name in found if name.startswith(f"{CONDITION}.")]
    names = [*wanted, *Controls.model_fields, *told]
    return any(found.get(name, "") != wanted.get(name, "") for name in names)
