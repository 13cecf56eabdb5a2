"""Where another project's weights lie: a file, a folder, or a model on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from mousai_kit import hub
from mousai_kit.errors import Problem, RequestError, WeightsError, did_you_mean, listed

SAFE, TORCH = (".safetensors",), (".pt", ".pth", ".ckpt", ".bin", ".th")
"""How files of weights end: those that are taken first, and those of torch."""
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of weights, and what to call where it is from."""

    path: Path
    name: str
    """The file, the folder or the model, as the user gave it."""
    file: str = ""
    """The file's name within a folder or a model."""
    revision: str = ""
    """The commit of a model on the hub."""

    @classmethod
    def find(
        cls,
        name: str,
        *,
        file: str | None = None,
        revision: str | None = None,
        preferred: Sequence[str] = (),
    ) -> Source:
        """Return a source's one file of weights, fetched if it is on the hub.

        Where `file` does not say which, the first of `preferred` that is there is taken.
        RequestError or WeightsError where there is none, where it is not clear which, or where the
        hub can't be asked.
        """
        path = Path(name).expanduser()
        if not path.exists() and _may_be_model(name):
            return _from_hub(name, file, revision, preferred)
        if revision is not None:
            raise RequestError(
                "--revision: is for a model on the hub, and this is a file or folder"
            )
        if path.is_dir():
            chosen = _chosen(_files(path), file, name, preferred)
            return cls(path / chosen, name, chosen)
        if not path.is_file():
            raise RequestError(
                Problem(name, "", "is no file, no folder, and no name of a model (owner/name)")
            )
        if file is not None:
            raise RequestError("--file: names a file of a folder or a model, and this is a file")
        return cls(path, name)

    def provenance(self) -> dict[str, str]:
        """Return where the weights are from, for a header; the digest is the whole file's."""
        with self.path.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
        told = {"source": self.name, "file": self.file, "revision": self.revision}
        return {**{key: text for key, text in told.items() if text}, "sha256": digest}

    def __str__(self) -> str:
        return f"{self.name}/{self.file}" if self.file else self.name


def _may_be_model(name: str) -> bool:
    """Tell a model on the hub, `owner/name`, from a file that is not there."""
    is_file = name.endswith((*SAFE, *TORCH))
    return "/" in name and hub.HUB_ID.fullmatch(name) is not None and not is_file


def _from_hub(
    model: str, file: str | None, revision: str | None, preferred: Sequence[str]
) -> Source:
    """Return a model's file of weights; one that is here already needs no network."""
    try:
        if revision is not None and COMMIT.fullmatch(revision):
            folder = hub.kept(model, revision, [])
            files = [] if folder is None else _files(folder)
            if folder is not None and _weights_in(files, file):
                chosen = _chosen(files, file, model, preferred)
                return Source(folder / chosen, model, chosen, revision)
        commit, files = hub.contents(model, revision)
        chosen = _chosen(files, file, model, preferred)
        return Source(hub.fetched(model, commit, [chosen]) / chosen, model, chosen, commit)
    except (RequestError, WeightsError):
        raise
    except Exception as error:  # whatever the hub's client and its network library raise
        told = hub.reason(error, "such file")
        raise WeightsError(
            Problem(model, "", f"can't be fetched: {told}; download it and name the file")
        ) from error


def _files(folder: Path) -> list[str]:
    return [str(it.relative_to(folder)) for it in folder.rglob("*") if it.is_file()]


def _weights_in(files: Sequence[str], wanted: str | None) -> list[str]:
    """Return the files of weights, those of safetensors alone where there are any."""
    if wanted is not None:
        return [it for it in files if it == wanted]
    for endings in (SAFE, TORCH):
        if found := sorted(it for it in files if it.endswith(endings)):
            return found
    return []


def _chosen(files: Sequence[str], wanted: str | None, origin: str, preferred: Sequence[str]) -> str:
    """Return the one file of weights among others; RequestError where it is not clear which."""
    if wanted is None:
        wanted = next((it for it in preferred if it in files), None)
    found = _weights_in(files, wanted)
    if len(found) == 1:
        return found[0]
    if wanted is not None:
        raise RequestError(
            Problem(origin, "", f"holds no file '{wanted}'{did_you_mean(wanted, files)}")
        )
    if not found:
        endings = ", ".join((*SAFE, *TORCH))
        raise RequestError(Problem(origin, "", f"holds no file of weights ({endings})"))
    told = f"none of them {preferred[-1]}" if preferred else "say --file"
    raise RequestError(
        Problem(origin, "", f"holds several files of weights; {told}: {listed(found)}")
    )
