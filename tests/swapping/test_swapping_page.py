"""docs/swapping.md has a row for every part that comes along."""

import re
from pathlib import Path

from slots import first_party

PAGE = (Path(__file__).parents[2] / "docs" / "swapping.md").read_text(encoding="utf-8")


def test_every_part_stands_in_the_table_under_its_kind():
    found, kind = {}, ""
    for first, names in re.findall(r"^\| (`\w+`)? ?\| (`[^|]*`) \| ", PAGE, re.MULTILINE):
        kind = first.strip("`") or kind
        found.setdefault(kind, []).extend(re.findall(r"`([\w-]+)`", names))
    assert {kind: sorted(names) for kind, names in found.items()} == {
        kind: sorted(names) for kind, names in first_party().items()
    }
