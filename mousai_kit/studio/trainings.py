"""Trainings: processes of their own that a studio starts, watches and stops, and that outlive it.

trainings/<name>/command.json   what was started, so that it can go on
trainings/<name>/process.json   which process it is, and when it began
trainings/<name>/output.txt     what it said
trainings/<name>/run/           its run folder
trainings/.runs/<name>/         process and output of a run of the command line that went on here
trainings/.curves/              pictures of curves that were drawn here
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mousai_kit.core.errors import MousaiError, RunError, argument_error
from mousai_kit.core.files import atomic_write
from mousai_kit.recipe import RECIPE, RUNS
from mousai_kit.runs.resolve import resolve_recipe
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.status import is_up_to_date
from mousai_kit.studio.music import FOLDER_NAME, PLAIN_RULE, MusicFolders
from mousai_kit.studio.training_process import OUTPUT, RunningTraining, TrainingProcesses
from mousai_kit.studio.training_view import (
    LOG,
    CurvePictures,
    TrainingLog,
    TrainingView,
    last_lines,
    newest_demos,
    stages_in,
)
from mousai_kit.studio.tuning import TUNE, TuneOrder, TuneRecipe

COMMAND, RUN, REPORT = "command.json", "run", "report.md"


@dataclass(frozen=True, slots=True)
class TrainingPlace:
    """Where a training lies."""

    name: str
    state: Path
    """What is kept of its process."""
    run: Path
    ours: bool


class Trainings:
    """The trainings of a gallery, and other runs to watch and steer."""

    def __init__(
        self, folder: Path, music: MusicFolders, *, runs: Path = RUNS, recipe: str = TUNE
    ) -> None:
        """Keep them in a folder; they learn from folders of `music`, as `recipe` says."""
        self.folder, self.runs, self.music = folder, runs, music
        self.recipe = TuneRecipe(recipe)
        self._processes = TrainingProcesses()
        self._curves = CurvePictures(folder / ".curves")
        self._beginning = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Return what can be watched: trainings that were started here, then runs with a log."""
        ours = sorted(path.parent.name for path in self.folder.glob(f"*/{COMMAND}"))
        logs = self.runs.glob(f"*/*/{LOG}")
        return [*ours, *sorted({f"{self.runs}/{path.parents[1].name}" for path in logs})]

    def start(self, order: TuneOrder) -> list[str]:
        """Begin to tune the starter to a folder of music; return what is too little, a line each.

        RequestError for a name that is none or taken, or a folder that may not be learned from;
        what `validate` would tell for values that the recipe does not take; AudioError where there
        is no music.
        """
        if not FOLDER_NAME.fullmatch(order.name):
            raise argument_error("name", PLAIN_RULE)
        folder = self.folder / order.name
        taken = f"there is a training '{order.name}' already; name another"
        if folder.exists():
            raise argument_error("name", taken)
        music = self.music.find(order.music)
        words = self.recipe.words(order, music)
        advice = self.music.advise(order.music, self.recipe.needs)
        words += ["--out", str(folder / RUN)]
        try:
            folder.mkdir(parents=True)
            with atomic_write(folder / COMMAND) as file:
                file.write(json.dumps(words).encode())
            self._processes.begin(words, folder)
        except FileExistsError:  # another page was quicker
            raise argument_error("name", taken) from None
        except OSError as error:
            raise RunError.about(folder, f"can't be written ({error.strerror})") from None
        return advice

    def go_on(self, name: str) -> None:
        """Let a training that was stopped go on; RequestError where it runs, or can't."""
        with self._beginning:
            place = self.find(name)
            if self._process(place) is not None:
                raise argument_error("training", f"'{name}' runs already")
            if _is_complete(place.run):
                raise argument_error("training", f"'{name}' is trained to the end")
            if place.ours:
                words = self._words(place.state, name)
            else:
                _check_resumable(place)
                words = [str((place.run / RECIPE).resolve()), "--out", str(place.run.resolve())]
            place.state.mkdir(parents=True, exist_ok=True)
            self._processes.begin(words, place.state)

    def stop(self, name: str) -> None:
        """Ask a training to stop, as Ctrl-C does: it keeps what it learned and can go on.

        RequestError where it does not run, or is no `mousai-kit run` of the same user.
        """
        running = self._process(self.find(name))
        if running is None:
            raise argument_error("training", f"'{name}' does not run")
        running.stop(name)

    def view(self, name: str) -> TrainingView:
        """Return how a training stands; RequestError where there is none of the name."""
        place = self.find(name)
        log, process = TrainingLog.newest(place.run), self._process(place)
        said = last_lines(place.state / OUTPUT)
        fault = f"it {process.fault}" if process and process.fault else ""
        told = [log.describe(running=process is not None), fault, said]
        return TrainingView(
            name=name,
            running=process is not None,
            ours=place.ours,
            steerable=not fault,
            playable=_has_weights(place.run),
            step=log.step,
            steps=log.steps,
            told="\n".join(filter(None, told)),
            warnings=log.warnings,
            curves=self._curves.find(name, log),
            demos=newest_demos(log),
        )

    def is_running(self, name: str) -> bool:
        """Return whether a process trains it; RequestError where there is none of the name."""
        return self._process(self.find(name)) is not None

    def find(self, name: str) -> TrainingPlace:
        """Return where a training lies; RequestError where there is none of the name."""
        folder = self.folder / name
        if FOLDER_NAME.fullmatch(name) and (folder / COMMAND).exists():
            return TrainingPlace(name, folder, folder / RUN, ours=True)
        if name in self.names:
            called = Path(name).name
            return TrainingPlace(
                name, self.folder / ".runs" / called, self.runs / called, ours=False
            )
        raise argument_error("training", f"there is no '{name[:60]}'")

    def _process(self, place: TrainingPlace) -> RunningTraining | None:
        return self._processes.find(place.state, place.run)

    def _words(self, folder: Path, name: str) -> list[str]:
        """Return the words that a training was started with."""
        with suppress(OSError, ValueError):
            words = json.loads((folder / COMMAND).read_text())
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                return words
        raise argument_error("training", f"'{name}' can't go on: its {COMMAND} can't be read")


def _has_weights(run: Path) -> bool:
    """Return whether each stage of a run has weights or a checkpoint."""
    stages = stages_in(run)
    return bool(stages) and all(
        RunFolder(run).stage(name).weights.is_file() or RunFolder(run).stage(name).checkpoint
        for name in stages
    )


def _is_complete(run: Path) -> bool:
    """Return whether nothing of a run is left to do."""
    if not (run / REPORT).is_file():
        return False
    with suppress(MousaiError):
        recipe, folder = resolve_recipe(str(run / RECIPE), None, own=True), RunFolder(run)
        return all(is_up_to_date(recipe, folder, name) for name in recipe.stages)
    return False


def _check_resumable(place: TrainingPlace) -> None:
    """Raise RequestError where a run would begin anew instead of going on from its own recipe."""
    again = "go on in a terminal, with the command that began it"
    folder = RunFolder(place.run)
    if not RunFolder.is_run(place.run):
        raise argument_error("training", f"'{place.name}' has no recipe.yaml; {again}")
    recipe = resolve_recipe(str(folder.recipe), None, own=True)
    for name in recipe.stages:
        files = folder.stage(name)
        if (path := files.latest_weights()) is None:
            return
        if folder.mismatches(path, folder.provenance(recipe, name)):
            told = f"'{place.name}' has weights that its recipe.yaml did not make; {again}"
            raise argument_error("training", told)
        if path != files.weights:
            return
