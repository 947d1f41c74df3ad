from pathlib import Path

import pytest

from pipelines.cluster.kubectl import Kubectl, KubectlFailed
from tests.pipelines.cluster.kubectl_stub import answering


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert answering(tmp_path, {"get secret": ""}).get("secret", "s3", "storage") is None


def test_a_refusal_is_told_in_kubectls_words(tmp_path: Path) -> None:
    with pytest.raises(KubectlFailed, match=r"kubectl get nodes: .*nothing is known of"):
        answering(tmp_path, {}).run("get", "nodes")


def test_a_missing_kubectl_says_what_to_install() -> None:
    with pytest.raises(KubectlFailed, match="install kubectl"):
        Kubectl(None, "/nowhere/kubectl").run("get", "nodes")


def test_a_forwarded_port_is_the_one_that_kubectl_chose(tmp_path: Path) -> None:
    said = "Forwarding from 127.0.0.1:40123 -> 7070\nForwarding from [::1]:40123 -> 7070\n"
    with answering(tmp_path, {"port-forward": said}).forwarded("storage", "svc/s3", 7070) as address:
        assert address == "127.0.0.1:40123"


def test_a_port_that_cannot_be_forwarded_says_why(tmp_path: Path) -> None:
    kubectl = answering(tmp_path, {"port-forward": {"error": "error: services s3 not found"}})
    with pytest.raises(KubectlFailed, match="services s3 not found"), kubectl.forwarded("storage", "svc/s3", 7070):
        pass
