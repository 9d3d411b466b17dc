"""What the environment may say to the entry points."""

from __future__ import annotations

import pytest

from controlplane.settings import SettingsError, settings_from

BASE = {"TIDEGATE_DATABASE_URL": "postgresql://tidegate@localhost/tidegate"}


def test_the_cluster_is_looked_after_whole_unless_namespaces_are_named() -> None:
    assert settings_from(BASE).namespaces == ()
    found = settings_from({**BASE, "TIDEGATE_NAMESPACES": " models , chat,", "TIDEGATE_NAMESPACE": "tidegate"})
    assert (found.namespaces, found.namespace) == (("models", "chat"), "tidegate")


def test_the_rate_of_requests_can_be_set() -> None:
    assert (settings_from(BASE).kube_qps, settings_from(BASE).kube_burst) == (20.0, 30)
    found = settings_from({**BASE, "TIDEGATE_KUBE_QPS": "50", "TIDEGATE_KUBE_BURST": "100"})
    assert (found.kube_qps, found.kube_burst) == (50.0, 100)


@pytest.mark.parametrize("text", ["0", "-1", "many", "inf", "nan"])
def test_a_rate_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match=r"TIDEGATE_KUBE_QPS is '.*'; allowed: a positive number"):
        settings_from({**BASE, "TIDEGATE_KUBE_QPS": text})
