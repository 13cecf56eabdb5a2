"""Judge of generated music: is it of the style asked for, is it new, is it what was encoded.

    python training_data/judge.py fit LIBRARY --out MODEL.npz
    python training_data/judge.py sort MODEL.npz CLIPS
    python training_data/judge.py novelty LIBRARY CLIPS
    python training_data/judge.py reconstruct RUN LIBRARY
    python training_data/judge.py melody RUN LIBRARY --clips CLIPS

JUDGE.md says what each command prints, and how far its word can be trusted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judging.crops import Cache
from judging.model import Judge, fit
from judging.sorting import sort

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import MousaiError
from mousai_kit.core.files import atomic_write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 where the user has to set something right."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except MousaiError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or 'disk'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was looked at so far is kept", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fitting = commands.add_parser("fit", help="learn the styles of a library's tracks")
    fitting.add_argument("library", type=Path)
    fitting.add_argument("--out", type=Path, required=True, help="file of the judge, .npz")
    fitting.add_argument("--crops", type=_count, default=8, help="crops of a track; default: 8")
    fitting.add_argument(
        "--choose",
        type=_count,
        default=10,
        help="styles that are told apart best to choose; default: 10",
    )
    fitting.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="STYLE",
        help="a style that is not to be chosen; may be given again",
    )
    fitting.add_argument("--cache", type=Path, help="folder of features; default: beside --out")
    fitting.set_defaults(command=_fit)
    sorting = commands.add_parser(
        "sort", help="sort clips by style, and compare with their prompts"
    )
    sorting.add_argument("model", type=Path)
    sorting.add_argument("folder", type=Path)
    sorting.add_argument("--out", type=Path, help="JSON; default: FOLDER/judged.json")
    sorting.set_defaults(command=_sort)
    newness = commands.add_parser("novelty", help="compare clips with the music that was learned")
    newness.add_argument("library", type=Path)
    newness.add_argument("folder", type=Path)
    newness.add_argument(
        "--cache", type=Path, help="folder of features, such as fit's; default: LIBRARY/.features"
    )
    newness.add_argument("--out", type=Path, help="JSON; default: FOLDER/novelty.json")
    newness.set_defaults(command=_novelty)
    through = commands.add_parser("reconstruct", help="held-out tracks through a run's latents")
    through.add_argument("run", help="run folder, or name of a trained system")
    through.add_argument("library", type=Path)
    through.add_argument("--clips", type=Path, help="folder to write what comes out to, for `sort`")
    through.add_argument(
        "--out",
        type=Path,
        help="JSON; default: reconstructed.json in RUN, or here",
    )
    through.set_defaults(command=_reconstruct)
    following = commands.add_parser("melody", help="whether clips follow the melody they are given")
    following.add_argument("run", help="run folder of a system that takes a melody")
    following.add_argument("library", type=Path)
    following.add_argument("--clips", type=Path, required=True, help="folder to write clips to")
    following.add_argument("--seconds", type=float, default=10.0, help="of a clip; default: 10")
    following.add_argument("--out", type=Path, help="JSON; default: CLIPS/melody.json")
    following.set_defaults(command=_melody)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("must be 2 or more")
    return number


def _fit(options: argparse.Namespace) -> None:
    judge = fit(
        options.library,
        cache=Cache(options.cache or options.out.with_suffix(".features")),
        most=options.crops,
        choose=options.choose,
        without=options.without,
        screen=Screen(),
    )
    judge.save(options.out)
    for name, count in judge.figures["left_out"].items():
        print(f"{name}: left out, has {count} tracks to learn from")
    _print_accuracy(judge, judge.styles)
    _print_accuracy(judge, judge.chosen)
    print("\nsets of styles, cross-validated, mean of the styles:")
    for found in judge.figures["sets"]:
        print(f"  {len(found['styles']):>2}  {found['balanced']:.0%}  {', '.join(found['styles'])}")
    for name, style, other in judge.figures["doubtful"]:
        print(f"doubtful: {name} is called {style}; other tracks say {other}")
    print(f"\n{options.out}")


def _print_accuracy(judge: Judge, names: Sequence[str]) -> None:
    """Print how well real crops are told among some styles."""
    styles = [judge.styles.index(name) for name in names]
    print(f"\n{len(names)} styles: {', '.join(names)}")
    for name, told in (("cross-validation", "validated"), ("held out", "held_out")):
        shares = judge.real[told].among(styles)
        crops, tracks = (f"{right} of {of}" for right, of in (shares.right, shares.right_tracks))
        mean = shares.balanced(range(len(names)))
        print(f"\n{name}: {crops} crops right, {tracks} tracks; mean of the styles {mean:.0%}\n")
        print(shares.confusion(names))


def _sort(options: argparse.Namespace) -> None:
    result = sort(Judge.load(options.model), options.folder, screen=Screen())
    for name in result["left_out"]:
        print(f"{name}: left out, its prompt names no style that the judge knows")
    print(result["asked"]["confusion"])
    for which in ("asked", "all"):
        told = result[which]
        (right, of), (low, high), real = told["right"], told["interval"], told["real"]
        print(
            f"\namong {len(told['styles'])} styles ({which}): {right} of {of} clips told right, "
            f"{right / of:.0%} ({low:.0%} to {high:.0%}, 95 %)\nby chance {told['chance']:.0%}; "
            f"real crops {real['validated']:.0%} (cross-validation), {real['held_out']:.0%} (held "
            "out)"
        )
    _write(options.out or options.folder / "judged.json", result)


def _novelty(options: argparse.Namespace) -> None:
    from judging.novelty import measure

    cache = Cache(options.cache or options.library / ".features")
    result = measure(options.library, options.folder, cache=cache, screen=Screen())
    for look in ("distance", "copy"):
        for name, value in result[look].items():
            print(f"{look}, {name}: {value:.3f}")
    for clip in sorted(result["clips"], key=lambda clip: -clip["copy"])[:5]:
        told = f"copy {clip['copy']:.2f} of {clip['copy_of']}"
        print(f"{clip['clip']}: distance {clip['distance']:.2f} from {clip['nearest']}; {told}")
    _write(options.out or options.folder / "novelty.json", result)


def _reconstruct(options: argparse.Namespace) -> None:
    from judging.reconstruction import reconstruct, table

    result = reconstruct(options.run, options.library, Screen(), clips=options.clips)
    print(table(result))
    print("\nin brackets: from the latents of a track of another style")
    folder = Path(options.run) if Path(options.run).is_dir() else Path()
    _write(options.out or folder / "reconstructed.json", result)


def _melody(options: argparse.Namespace) -> None:
    from judging.melody import judge_melodies, table

    import mousai_kit.api as mk

    cascade = mk.load(options.run, quiet=True)
    result = judge_melodies(
        cascade, options.library, options.clips, Screen(), seconds=options.seconds
    )
    print(table(result))
    _write(options.out or options.clips / "melody.json", result)


def _write(path: Path, result: dict[str, Any]) -> None:
    """Write a result as JSON, and say where."""
    with atomic_write(path) as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    print(path)


if __name__ == "__main__":
    sys.exit(main())
