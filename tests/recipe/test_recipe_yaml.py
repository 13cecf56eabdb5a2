"""Reading YAML: what scalars mean, and everything that a recipe file must not be."""

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mousai_kit.core.errors import RecipeError
from mousai_kit.recipe.nodes import Location, ProblemCollector
from mousai_kit.recipe.yaml import LARGEST, dump, parse, parse_mapping, scalar


def reading(data):
    faults = ProblemCollector()
    tree = parse_mapping(
        data.encode() if isinstance(data, str) else data, Location(0, source="r.yaml"), faults
    )
    if faults.found:
        raise faults.error()
    return tree


def error_of(data):
    with pytest.raises(RecipeError) as raised:
        reading(data)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e+3", -1500.0),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("n", "n"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("None", "None"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("inf", "inf"),
        ("1e999", math.inf),
        ("=", "="),
        ("1" + "0" * 40, 1e40),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_nan_is_a_number_that_validation_can_refuse():
    assert math.isnan(scalar(".nan"))


@pytest.mark.parametrize("text", ["'1'", '"1"', "|-\n  1", ">-\n  1"])
def test_a_quoted_or_block_scalar_is_text(text):
    assert reading(f"a: {text}\n").plain() == {"a": "1"}


def test_keys_are_text_as_written():
    assert reading("no: 1\n2: 3\nnull: 4\n").plain() == {"no": 1, "2": 3, "null": 4}


def test_an_anchor_free_unicode_file_with_a_byte_order_mark_is_read():
    assert reading(b"\xef\xbb\xbfa: \xf0\x9f\x8e\xb9\n").plain() == {"a": "\N{MUSICAL KEYBOARD}"}


def test_every_value_remembers_the_line_of_its_key_or_item():
    tree = reading("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n")
    lines = {
        place: tree.origin_of(place).line
        for place in [(), ("a",), ("a", "b"), ("a", "c"), ("a", "c", 1), ("a", "c", 1, "d")]
    }
    assert list(lines.values()) == [1, 1, 2, 3, 5, 5]


def test_what_is_not_written_has_the_origin_of_what_is_around_it():
    tree = reading("x: 1\na:\n  b: [1]\n")
    assert str(tree.origin_of(("a", "z", "y"))) == "r.yaml:2"
    assert str(tree.origin_of(("a", "b", 7))) == "r.yaml:3"
    assert str(tree.origin_of(("x", "y"))) == "r.yaml:1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "r.yaml: is empty; a recipe begins with `version: 1`"),
        ("# only a comment\n", "r.yaml: is empty; a recipe begins with `version: 1`"),
        ("---\n", "r.yaml: is empty; a recipe begins with `version: 1`"),
        ("\n- a\n", "r.yaml:2: must be a mapping, with lines such as `version: 1`"),
        ("hello", "r.yaml:1: must be a mapping, with lines such as `version: 1`"),
        (
            "a: 1\nb: [1\n",
            (
                "r.yaml:3: is not valid YAML: while parsing a flow sequence, "
                "expected ',' or ']', but got '<stream end>'"
            ),
        ),
        (
            "a:\n\tb: 1\n",
            (
                "r.yaml:2: is not valid YAML: while scanning for the next token, "
                r"found character '\t' that cannot start any token; indent with spaces"
            ),
        ),
        (
            'a: "\\UFFFFFFFF"\n',
            "r.yaml:1: is not valid YAML: Python int too large to convert to C int",
        ),
        (
            "a: 1\nb: &anchor [1]\n",
            "r.yaml:2: b: anchors and aliases (& and *) are not allowed; use `extends`",
        ),
        (
            "a: *b\n",
            "r.yaml:1: a: anchors and aliases (& and *) are not allowed; use `extends`",
        ),
        (
            "a: !!python/object/apply:os.system [x]\n",
            "r.yaml:1: a: tags such as !!python/object/apply:os.system are not allowed",
        ),
        ("a: {b: !mine 1}\n", "r.yaml:1: a.b: tags such as !mine are not allowed"),
        ("a: 1\n---\nb: 2\n", "r.yaml:2: begins a second document; a recipe is one"),
        ("a:\n  ? [b]\n  : 1\n", "r.yaml:2: a: a key must be a word"),
        ("? ''\n: 1\n", "r.yaml:1: a key must be a word"),
        ("? !!str x\n: 1\n", "r.yaml:1: a key must be a word"),
        ("\na: " + "[" * 50, "r.yaml:2: is nested deeper than 40 levels"),
        (b"a: 1\n\x89PNG\xff\xfe", "r.yaml:2: is not text in UTF-8; is it a recipe?"),
        (b"a: 1\nb: \x00\x01", r"r.yaml:2: is not text: it holds '\x00'"),
        ('a: "\\ud800"\n', r"r.yaml:1: a: holds '\ud800', which is not text"),
        ('a: ["\\0"]\n', r"r.yaml:1: a.0: holds '\x00', which is not text"),
        ("a: " + "x" * LARGEST, "r.yaml: is larger than 256 kB, too large for a recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(data, message):
    assert error_of(data) == message


def test_an_alias_bomb_is_one_clear_error():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{below}, *{below}]\n"
        for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    message = "r.yaml:1: a: anchors and aliases (& and *) are not allowed; use `extends`"
    assert error_of(bomb) == message


def test_every_repeated_key_is_refused_with_both_lines():
    assert error_of("a: 1\nb:\n  c: 1\n  c: 2\na: 3\na: 4\n").split("\n") == [
        "r.yaml:4: b.c: is already set at r.yaml:3",
        "r.yaml:5: a: is already set at r.yaml:1",
        "r.yaml:6: a: is already set at r.yaml:1",
    ]


def test_an_error_stays_on_one_line_whatever_the_key():
    assert error_of('"a\\nb\\e[2J": *x\n') == (
        r"r.yaml:1: a\nb\x1b[2J: anchors and aliases (& and *) are not allowed; use `extends`"
    )


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | words
    | st.sampled_from(["no", "1e-4", "~", "null", "0x1", "1_0", "2024-01-01", "=", "<<", ".inf"])
    | st.text("-+.0123456789eE:_ #\n'\"&*!{}[],|>%@`~", max_size=8)
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words.filter(bool), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(words.filter(bool), trees, min_size=1))
def test_what_is_dumped_is_read_as_the_same_values(values):
    assert reading(dump(values)).plain() == values


@settings(deadline=None)
@given(st.text() | st.text("ab:-[]{}&*!?|>'\"%#,~ \n\t0159.\\ux", max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(RecipeError):
        parse(text, Location(0, source="r.yaml"), ProblemCollector())


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    with suppress(RecipeError):
        assert isinstance(
            parse_mapping(data, Location(0, source="r.yaml"), ProblemCollector()).value, dict
        )
