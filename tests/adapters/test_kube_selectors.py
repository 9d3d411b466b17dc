"""Label selectors as Kubernetes reads them, and the pods that they find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.adapters.kube_selectors import PodIndex, SelectorError, of_object, parse
from controlplane.simulation.kubernetes.store import selector as servers_own


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("app=chat", {"app": "chat"}, True),
        ("app==chat", {"app": "chat"}, True),
        ("app=chat", {"app": "other"}, False),
        ("app=chat,role=leader", {"app": "chat"}, False),
        ("app!=chat", {}, True),
        ("app in (chat, rag),!old", {"app": "rag"}, True),
        ("app in (chat,rag),!old", {"app": "rag", "old": "1"}, False),
        ("app notin (chat)", {}, True),
        ("app notin (chat)", {"app": "chat"}, False),
        ("leaderworkerset.sigs.k8s.io/worker-index=0", {"leaderworkerset.sigs.k8s.io/worker-index": "0"}, True),
        ("app", {"app": ""}, True),
        ("", {"app": "chat"}, False),
    ],
)
def test_a_selector_selects(text: str, labels: dict[str, str], selected: bool) -> None:
    assert parse(text).matches(labels) is selected


def test_an_object_says_the_same_as_its_string() -> None:
    written = of_object(
        {
            "matchLabels": {"app": "chat"},
            "matchExpressions": [
                {"key": "zone", "operator": "In", "values": ["a", "b"]},
                {"key": "tier", "operator": "NotIn", "values": ["test"]},
                {"key": "gpu", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert written == parse("app=chat,zone in (b,a),tier notin (test),gpu,!old")


@pytest.mark.parametrize("text", ["app=chat=x", "in (a)", "a b", "app in a"])
def test_what_is_no_selector_is_refused_by_its_words(text: str) -> None:
    with pytest.raises(SelectorError, match="allowed: k=v"):
        parse(text)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match="'Near'"):
        of_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["1", "2", "3"])
TERMS = st.one_of(
    st.builds("{}={}".format, KEYS, VALUES),
    st.builds("{}!={}".format, KEYS, VALUES),
    st.builds("{} in ({},{})".format, KEYS, VALUES, VALUES),
    st.builds("{} notin ({})".format, KEYS, VALUES),
    KEYS,
    st.builds("!{}".format, KEYS),
)


@given(st.lists(TERMS, min_size=1, max_size=3), st.lists(st.dictionaries(KEYS, VALUES), max_size=8))
def test_the_index_finds_what_the_server_would(terms: list[str], labels: list[dict[str, str]]) -> None:
    pods = [{"metadata": {"name": str(n), "namespace": "x", "labels": found}} for n, found in enumerate(labels)]
    text = ",".join(terms)
    match = servers_own(text, "")
    wanted = {pod["metadata"]["name"] for pod in pods if match(pod)}
    index = PodIndex(pods)
    assert {pod["metadata"]["name"] for pod in index.select("x", parse(text))} == wanted
    assert index.select("y", parse(text)) == []
    assert len(list(index)) == len(pods)
