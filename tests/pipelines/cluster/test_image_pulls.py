from pathlib import Path
from typing import Any

from pipelines.cluster.image_pulls import pulling, start_pulls
from tests.pipelines.cluster.kubectl_stub import answering

TRAINER, SERVING = (f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("trainer", "serving"))


def node(*images: str) -> dict[str, Any]:
    return {"status": {"images": [{"names": [image, "other:tag"]} for image in images]}}


def test_nodes_that_have_them_are_left_alone(tmp_path: Path) -> None:
    kubectl = answering(tmp_path, {"nodes": [node(TRAINER, SERVING), node(SERVING, TRAINER)]})
    assert not start_pulls(kubectl, [TRAINER, SERVING])


def test_one_node_without_one_is_enough_to_pull(tmp_path: Path) -> None:
    kubectl = answering(
        tmp_path, {"nodes": [node(TRAINER, SERVING), node(SERVING)], "apply": "daemonset/image-pulls\n"}
    )
    assert start_pulls(kubectl, [TRAINER, SERVING])


def test_every_image_is_a_container_that_ends_at_once_and_holds_no_right() -> None:
    spec: Any = pulling([SERVING, TRAINER])["spec"]
    pod = spec["template"]["spec"]
    assert [each["image"] for each in pod["initContainers"]] == [SERVING, TRAINER]
    assert not pod["automountServiceAccountToken"]
    assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in pod["initContainers"])
