"""Writes the reference: `python -m mousai_kit.reference docs`."""

import sys
from pathlib import Path

from mousai_kit.errors import MousaiError
from mousai_kit.reference.book import pages


def main(arguments: list[str]) -> int:
    """Write every page whose text has changed into the folder that is named; return 0, or 2."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("say in which folder: python -m mousai_kit.reference docs", file=sys.stderr)
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
