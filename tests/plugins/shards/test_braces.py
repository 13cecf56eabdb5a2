"""Braces: one path for many shards."""

import braceexpand
import pytest

from mousai_kit_shards.braces import expand


@pytest.mark.parametrize(
    "pattern",
    [
        "music.tar",
        "{000..012}.tar",
        "{8..11}.tar",
        "{08..101}.tar",
        "{a,b}/music.tar",
        "{train,test}/{00..02}-{x,y}.tar",
        "{5..5}.tar",
    ],
)
def test_a_pattern_stands_for_what_webdataset_reads(pattern):
    assert expand(pattern) == list(braceexpand.braceexpand(pattern))


@pytest.mark.parametrize("pattern", ["{0..9.tar", "0..9}.tar", "{a,{b,c}}.tar"])
def test_braces_without_a_partner_or_within_braces_are_refused(pattern):
    with pytest.raises(ValueError, match=r"^braces must come in pairs, none within another$"):
        expand(pattern)


@pytest.mark.parametrize("ends", ["9..0", "0..1000000"])
def test_a_range_without_an_end_in_sight_is_refused(ends):
    told = rf"^the range {{{ends}}} must go up, by less than 1,000,000$"
    with pytest.raises(ValueError, match=told):
        expand(f"{{{ends}}}.tar")
