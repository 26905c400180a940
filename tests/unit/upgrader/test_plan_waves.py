"""Which gateway goes in which wave, and why: names, labels, batches that keep kin apart."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader.plan_waves import PlanError, Target, Waves, cut_waves
from upgrader.strategy import checked_spec


def gateway(number: int, **about: Any) -> Target:
    columns: dict[str, Any] = {"release": "1.1.6", "sessions": number, "domain": "", **about}
    return Target(number, f"gw-{number}", **columns)


def waves(spec: dict[str, Any], targets: list[Target], others: list[Target] | None = None) -> Waves:
    return cut_waves(checked_spec(spec), targets, others or [])


def dealt(found: Waves) -> list[list[int]]:
    return [[target.id for target in wave.targets] for wave in found.dealt]


def batches(targets: list[Target], **batch: int) -> list[list[int]]:
    return dealt(waves({"kind": "rolling", "batch": batch}, targets))


def test_named_gateways_are_kept_for_their_wave() -> None:
    spec = {"waves": [{"count": 1}, {"names": ["gw-1", "gw-4"]}, {"rest": True}]}
    found = waves(spec, [gateway(n) for n in range(1, 6)])
    assert dealt(found) == [[2], [1, 4], [3, 5]]
    assert found.dealt[1].why.startswith("The strategy names them. Fewest users first (1 to 4 users a gateway)")


def test_labels_take_those_that_carry_all_of_them() -> None:
    spec = {"waves": [{"labels": {"site": "fra", "tier": "lab"}}, {"rest": True}]}
    targets = [gateway(1, labels={"site": "fra"}), gateway(2, labels={"site": "fra", "tier": "lab"}), gateway(3)]
    found = waves(spec, targets)
    assert dealt(found) == [[2], [1, 3]]
    assert found.dealt[0].why.startswith("They are site=fra and tier=lab.")


REFUSED = [
    ({"names": ["gw-1", "gw-9"]}, "Wave 1 of the strategy (first) names gw-9, and the pool has no such gateway."),
    ({"labels": {"site": "ams"}}, "Wave 1 of the strategy (first) takes gateways with site=ams, and none of the pool"),
]


@pytest.mark.parametrize(("rule", "says"), REFUSED, ids=["name", "label"])
def test_what_nothing_in_the_pool_has_is_refused_by_its_name(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError) as refused:
        waves({"waves": [{"title": "first", **rule}, {"rest": True}]}, [gateway(1, labels={"site": "fra"})])
    assert says in str(refused.value)


def test_a_named_gateway_that_needs_nothing_is_no_fault() -> None:
    found = waves({"waves": [{"names": ["gw-7"]}, {"rest": True}]}, [gateway(1)], [gateway(7)])
    assert dealt(found) == [[1]]
    assert found.left_out == ["Wave 1 of the strategy is left out: no gateway is left for it."]


def test_gateways_that_no_wave_takes_are_never_forgotten() -> None:
    assert dealt(waves({"waves": [{"names": ["gw-7"]}]}, [gateway(1), gateway(2)], [gateway(7)])) == [[1, 2]]


def test_a_batch_is_a_percent_rounded_up_or_a_number() -> None:
    fleet = [gateway(n) for n in range(11)]
    assert [len(batch) for batch in batches(fleet, percent=10)] == [2, 2, 2, 2, 2, 1]
    assert [len(batch) for batch in batches(fleet, count=5)] == [5, 5, 1]


def test_one_domain_goes_one_by_one() -> None:
    assert batches([gateway(n, domain="fra") for n in range(3)], count=3) == [[0], [1], [2]]


def test_a_smaller_batch_says_why() -> None:
    found = waves({"kind": "rolling", "batch": {"count": 2}}, [gateway(n, group="a") for n in (1, 2)])
    assert "fewer than 2, so that no two of one redundancy group or failure domain go together" in found.dealt[0].why


kin = st.sampled_from(["", "a", "b", "c", "d"])


@given(st.lists(st.tuples(kin, kin, st.integers(0, 9)), min_size=1, max_size=60), st.integers(1, 12))
def test_kin_are_never_in_one_batch(fleet: list[tuple[str, str, int]], size: int) -> None:
    targets = [gateway(n, domain=d, group=g, sessions=s) for n, (d, g, s) in enumerate(fleet)]
    found = waves({"kind": "rolling", "batch": {"count": size}}, targets)
    assert sorted(pk for batch in dealt(found) for pk in batch) == list(range(len(fleet)))
    for wave in found.dealt:
        assert len(wave.targets) <= size
        for one, other in combinations(wave.targets, 2):
            assert not one.domain or one.domain != other.domain
            assert not one.group or one.group != other.group


def test_no_gateway_is_compared_with_all_others() -> None:
    """10,000 of them: what is counted is comparisons of users, not seconds."""
    looked = 0

    class Users(int):
        def __lt__(self, other: object) -> bool:
            nonlocal looked
            looked += 1
            return int(self) < int(str(other))

        def __eq__(self, other: object) -> bool:
            return int(self) == int(str(other))

        __hash__ = int.__hash__

    draw = random.Random(4)  # noqa: S311 - the same fleet each time
    fleet = [
        gateway(n, domain=f"d{n % 40}", group=f"g{n // 2}", sessions=Users(draw.randrange(99))) for n in range(10_000)
    ]
    assert len(dealt(waves({"kind": "rolling", "batch": {"percent": 1}}, fleet))) <= 260
    assert looked < 40 * len(fleet)
