"""Data sets of Hugging Face for tests, saved as the package itself saves them."""

import datasets


def saved(folder, audio, *, names=(), alone=False, **columns):
    """Save rows whose `audio` is bytes, paths or {bytes, path}; `names` are those of genres."""
    data = data_of(audio, names=names, **columns)
    datasets.disable_progress_bars()
    found = data if alone else datasets.DatasetDict({"train": data, "test": data})
    found.save_to_disk(str(folder))
    datasets.enable_progress_bars()
    return folder


def data_of(audio, *, names=(), **columns):
    datasets.disable_progress_bars()
    data = datasets.Dataset.from_dict({"audio": audio, **columns})
    if audio and isinstance(audio[0], dict):
        data = data.cast_column("audio", datasets.Audio(decode=False))
    if names:
        data = data.cast_column("genre", datasets.ClassLabel(names=list(names)))
    return data
