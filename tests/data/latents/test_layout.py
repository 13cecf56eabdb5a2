"""The layout: every crop has one place, and what is added moves none."""

from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.data.latent_shards import GROUP, SHARD_BYTES, SHARD_CROPS, ShardLayout

LAYOUTS = st.builds(
    ShardLayout,
    clips=st.integers(1, 100),
    passes=st.integers(1, 5),
    per_shard=st.integers(1, 5).map(lambda groups: groups * GROUP),
)


@given(LAYOUTS)
def test_every_crop_stands_in_one_place_and_shards_hold_no_other(layout):
    found = {}
    for shard in range(layout.shards):
        places = [place for group in layout.groups_of(shard) for place in group]
        assert len(places) <= layout.per_shard
        found |= {(shard, position): place for position, place in enumerate(places)}
    everything = [(clip, epoch) for epoch in range(layout.passes) for clip in range(layout.clips)]
    assert list(found.values()) == everything
    assert {place: layout.find(place) for place in everything} == {
        place: position for position, place in found.items()
    }


@given(LAYOUTS)
def test_groups_are_counted_right(layout):
    groups = [list(layout.groups_of(shard)) for shard in range(layout.shards)]
    assert [len(it) for it in groups] == [layout.groups_in(it) for it in range(layout.shards)]
    assert sum(map(len, groups)) == layout.groups


@given(LAYOUTS, st.integers(1, 5))
def test_more_passes_are_more_shards_after_those_that_were_there(layout, more):
    longer = ShardLayout(layout.clips, layout.passes + more, layout.per_shard)
    for shard in range(layout.shards):
        assert list(longer.groups_of(shard)) == list(layout.groups_of(shard))


@given(st.integers(1, 10**6), st.integers(1, 2**30))
def test_a_shard_holds_whole_groups_and_no_more_than_it_may(clips, crop_bytes):
    layout = ShardLayout.of(clips, 1, crop_bytes=crop_bytes)
    assert layout.per_shard % GROUP == 0
    assert layout.per_shard == GROUP or layout.per_shard * crop_bytes <= SHARD_BYTES
    assert GROUP <= layout.per_shard <= SHARD_CROPS
