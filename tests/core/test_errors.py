"""Errors: one line each, whatever they hold."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mousai_kit.core.errors import (
    Argument,
    MousaiError,
    Problem,
    RecipeError,
    RequestError,
    RunError,
    count_of,
    describe_constraint,
    did_you_mean,
    escape_control_chars,
    format_path,
    format_value,
    join_quoted,
    suggest,
)


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("r.yaml:3", "seed", "is missing"), "r.yaml:3: seed: is missing"),
        (Problem("r.yaml", "", "is empty"), "r.yaml: is empty"),
        (Problem("", "", "no device"), "no device"),
    ],
)
def test_a_problem_is_told_as_origin_path_and_message(problem, line):
    assert str(problem) == line


def test_an_error_has_one_line_for_each_problem():
    error = RecipeError(Problem("a", "b", "c"), "plain")
    assert isinstance(error, MousaiError)
    assert str(error) == "a: b: c\nplain"
    assert error.problems == (Problem("a", "b", "c"), Problem("", "", "plain"))


def test_the_nearest_name_is_suggested_and_only_if_it_is_near():
    assert did_you_mean("stesp", ["steps", "eta"]) == "; did you mean 'steps'?"
    assert did_you_mean("xyz", ["steps", "eta"]) == ""
    assert did_you_mean("xyz", []) == ""


def test_where_no_name_is_near_all_are_told():
    assert suggest("stesp", ["steps", "eta"]) == "; did you mean 'steps'?"
    assert suggest("xyz", ["steps", "eta"]) == "; there are 'steps' and 'eta'"
    assert suggest("xyz", ["steps"]) == "; there is 'steps'"


@pytest.mark.parametrize(
    ("words", "text"),
    [(["a"], "'a'"), (["a", "b"], "'a' and 'b'"), (["a", "b", "c"], "'a', 'b' and 'c'")],
)
def test_words_are_listed_as_in_a_sentence(words, text):
    assert join_quoted(words) == text


def test_a_path_is_dotted():
    assert format_path(["stages", "a", 0]) == "stages.a.0"
    assert format_path([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1.0"),
        ("a", "'a'"),
        ({}, "a mapping"),
        ([1], "a list"),
        ("x" * 100, "'" + "x" * 55 + "...'"),
        ("it's" + "x" * 100, "\"it's" + "x" * 51 + '..."'),
    ],
)
def test_a_value_is_shown_as_a_recipe_would_write_it(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("mistake", "context", "text"),
    [
        ("int_type", {}, "must be a whole number"),
        ("greater_than", {"gt": 0.0}, "must be greater than 0"),
        ("less_than_equal", {"le": 0.5}, "must be at most 0.5"),
        ("string_too_short", {"min_length": 1}, "must not be empty"),
        ("string_too_short", {"min_length": 3}, "must have 3 characters or more"),
        ("something_else", {}, ""),
    ],
)
def test_a_rule_is_told_in_plain_words(mistake, context, text):
    assert describe_constraint(mistake, context) == text


@settings(deadline=None)
@given(st.text())
def test_one_line_can_always_be_printed(text):
    line = escape_control_chars(text)
    assert line.isprintable()
    line.encode()
    if text.isprintable():
        assert line == text


def test_an_error_about_a_path_names_it_and_one_about_an_argument_keeps_its_name():
    assert str(RunError.about(Path("run"), "is a file")) == "run: is a file"
    problem = RequestError.about(Argument("steps", 0), "is too few").problems[0]
    assert isinstance(problem.origin, Argument)
    assert str(problem) == "steps=0: is too few"


@pytest.mark.parametrize(("number", "text"), [(0, "0 tracks"), (1, "1 track"), (2, "2 tracks")])
def test_one_is_singular(number, text):
    assert count_of(number, "track") == text
