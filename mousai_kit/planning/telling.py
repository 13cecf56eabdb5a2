"""Telling: a plan's facts in words, as rows and lines for a terminal."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]
Row = tuple[str, str]
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_TIMES = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


def size(count: float | None) -> str:
    """Return bytes as `1.5 GiB`."""
    if count is None:
        return "unknown"
    unit, factor = next((it for it in _SIZES if count >= it[1]), _SIZES[-1])
    return f"{count / factor:,.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Return seconds as `1.5 h`."""
    if seconds is None:
        return "unknown"
    unit, factor = next((it for it in _TIMES if seconds >= 2 * it[1]), _TIMES[-1])
    return f"{seconds / factor:,.3g} {unit}"


def summary(plan: Facts) -> list[str]:
    """Return the lines that stand above the stages and below them."""
    usable = "" if plan["usable_bytes"] is None else f", {size(plan['usable_bytes'])} of it to use"
    whole = plan["seconds"]
    ends = (
        "how long training takes is not known"
        if whole is None
        else f"all stages, one after the other: about {duration(whole)}"
    )
    return [f"{plan['device']}, {size(plan['free_bytes'])} of memory free{usable}", ends]


def rows(stage: Facts) -> list[Row]:
    """Return what a stage's training takes."""
    told = [("parameters", _parameters(stage["parameters"])), ("held throughout", _held(stage))]
    told += [
        (f"a step of {it['batch']}", f"{size(it['bytes'])}, {duration(it['seconds'])} (measured)")
        for it in stage["measured"]
    ]
    told += [(_batch(stage["train"]), _step(stage["step"])), ("fits", _fits(stage["fits"]))]
    told += [("data", _data(stage["data"])), ("the run", _run(stage))]
    if stage["latents"]:
        told.append(("latents", _latents(stage["latents"])))
    disk = stage["disk"]
    told.append(
        ("on the disk", f"weights {size(disk['weights'])}, checkpoint {size(disk['checkpoint'])}")
    )
    return told


def offers(stage: Facts) -> list[str]:
    """Return what would make a stage fit, a line each: arguments, then what a step takes."""
    return [
        f"{' '.join(f'--set {it}' for it in offer['set'])}   about {_step(offer)}"
        for offer in stage["advice"]
    ]


def notes(stage: Facts) -> list[str]:
    """Return what else is to be said of a stage, a line each."""
    told = list(stage["notes"])
    if stage["step"]["stopped"]:
        told.append(f"measured no further: {stage['step']['stopped']}")
    if stage["data"]["fault"]:
        told.append(f"the data can't be counted: {stage['data']['fault']}")
    if stage["fits"] is False and not stage["advice"]:
        told.append(
            "nothing that training can be told makes it fit: it needs a smaller network, a larger "
            "machine or several devices"
        )
    return [f"{stage['name']}: {it}" for it in told]


def _parameters(counts: Facts) -> str:
    frozen = f", {counts['frozen'] / 1e6:,.3f} M frozen" if counts["frozen"] else ""
    return f"{counts['learned'] / 1e6:,.3f} M learned{frozen}"


def _held(stage: Facts) -> str:
    state = stage["state"]
    parts = ", ".join(f"{name} {size(count)}" for name, count in state.items())
    return f"{size(sum(state.values()))}: {parts}"


def _batch(train: Facts) -> str:
    parts = f" in {train['accumulate']} parts" if train["accumulate"] > 1 else ""
    return f"batch {train['batch']}{parts}"


def _step(step: Facts) -> str:
    if step["bytes"] is None:
        return "unknown"
    time = "" if step["seconds"] is None else f", {duration(step['seconds'])} a step"
    return f"{size(step['bytes'])}{time} ({'measured' if step['measured'] else 'estimated'})"


def _fits(fits: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[fits]


def _data(data: Facts) -> str:
    if data["clips"] is None:
        return "unknown"
    epochs = "" if data["epochs"] is None else f", each learned from {data['epochs']:,g} times"
    return f"{data['clips']:,} clips{epochs}"


def _run(stage: Facts) -> str:
    run = stage["run"]
    if run["seconds"] is None:
        least = stage["step"]["longer_than"]
        longer = least and f" in more than {duration(run['steps'] * least)}"
        return f"{run['steps']:,} steps{longer or ', how long is unknown'}"
    ends = {"minutes": ", ended by `minutes`", "steps": "", "unknown": " at most"}[run["ends"]]
    steps = "" if run["steps"] is None else f"{run['steps']:,} steps in "
    return f"{steps}{duration(run['seconds'])}{ends}"


def _latents(latents: Facts) -> str:
    if latents["crops"] is None:
        return "unknown"
    time = f", encoded in {duration(latents['seconds'])}" if latents["seconds"] else ""
    return f"{latents['crops']:,} crops, {size(latents['bytes'])} on the disk{time}"
