"""Writes the reference: `python docs/generate docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from generate.book import pages
from mousai_kit.core.errors import MousaiError


def main(arguments: list[str]) -> int:
    """Write every page whose text has changed into the folder that is named; return 0, or 2."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("say in which folder: python docs/generate docs", file=sys.stderr)
        return 2
    try:
        found = pages(Path(arguments[0]))
    except MousaiError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in found.items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
