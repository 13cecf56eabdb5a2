"""docs/contracts.md says what the suites hold and what they catch."""

import re

import page


def test_its_lists_are_what_the_code_says():
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.written(text), "python tests/testing/page.py"


def test_what_a_suite_may_be_told_stands_in_it():
    rows = re.findall(r"^\| (`.+?`) \|", page.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    missing = [
        name
        for suite in page.suites()
        for base in suite.__mro__[:-1]
        for name in vars(base).get("__annotations__", {})
        if name not in {*names, "interface"}
    ]
    assert missing == []


def test_every_kind_has_ten_planted_bugs_at_least():
    assert [kind for kind, bugs in page.planted().items() if len(bugs) < 10] == []
