"""The pods that bring images to nodes may run where `restricted` is enforced, and name every image once."""

from typing import Any

from pipelines.cluster.prepull import daemon_set


def test_every_image_is_run_once_and_the_first_waits() -> None:
    made: Any = daemon_set([("a@sha256:1", ["true"]), ("b@sha256:2", ["b", "version"])])
    pod = made["spec"]["template"]["spec"]
    assert [(each["image"], each["command"]) for each in pod["initContainers"]] == [
        ("a@sha256:1", ["true"]),
        ("b@sha256:2", ["b", "version"]),
    ]
    assert [each["image"] for each in pod["containers"]] == ["a@sha256:1"]


def test_pods_are_unprivileged() -> None:
    made: Any = daemon_set([("a@sha256:1", ["true"])])
    pod = made["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
