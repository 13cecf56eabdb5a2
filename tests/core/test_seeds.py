"""Seeds: the same everywhere, and different for different parts."""

from hypothesis import given
from hypothesis import strategies as st

from mousai_kit.core.seeds import derive_seed

PARTS = st.lists(st.one_of(st.integers(), st.text("abc ", max_size=3)), max_size=4)


def test_a_seed_is_the_same_on_every_platform_and_in_every_version():
    assert derive_seed(0, "training", 1) == 4864945435885192169
    assert derive_seed() == 8238016292129134938


@given(PARTS)
def test_seeds_fit_into_63_bits(parts):
    assert 0 <= derive_seed(*parts) < 2**63


@given(PARTS, PARTS)
def test_different_parts_give_different_seeds(first, second):
    if [*map(str, first)] != [*map(str, second)]:
        assert derive_seed(*first) != derive_seed(*second) or {len(first), len(second)} == {0, 1}


def test_the_order_and_the_borders_of_parts_count():
    seeds = [
        derive_seed("a", "b"),
        derive_seed("b", "a"),
        derive_seed("ab"),
        derive_seed("a", "b", ""),
        derive_seed(1, 11),
    ]
    assert len(set(seeds)) == 5
    assert derive_seed(1, 11) != derive_seed(11, 1)


def test_seeds_are_spread_evenly():
    high = sum(derive_seed(0, step) >= 2**62 for step in range(2000))
    assert 900 < high < 1100
