"""The platform as it stands in the cluster: who may do what, there and in its object store, and that it stays so."""

import json
import subprocess
import sys
from typing import Any

import pytest

from pipelines.cluster import provider
from pipelines.cluster.install import LABEL
from pipelines.cluster.secrets import REGION, STORE_ADDRESS
from pipelines.cluster.store_rights import BUCKETS, Role, access_key
from pipelines.environments import namespaces
from tests.e2e.given import ROOT, Cluster
from tests.e2e.reaching import Ways

# account, verb, what, where, whether it may
RIGHTS = (
    ("training:train", "create", "workflowtaskresults", "training", True),
    ("training:train", "create", "workflows", "training", False),
    ("training:train", "get", "secrets", "training", False),
    ("training:train", "create", "pods", "training", False),
    ("delivery:dispatch", "create", "workflows", "training", True),
    ("delivery:dispatch", "delete", "workflows", "training", False),
    ("delivery:dispatch", "patch", "rollouts", "iris-staging", False),
    ("delivery:apply", "patch", "rollouts", "iris-staging", True),
    ("delivery:apply", "patch", "secrets", "iris-staging", False),
    ("delivery:apply", "patch", "rolebindings", "iris-staging", False),
    ("delivery:apply", "patch", "deployments", "argo", False),
    ("delivery:github-webhook", "create", "workflows", "delivery", True),
    ("delivery:github-webhook", "create", "workflows", "training", False),
    ("delivery:github-webhook", "get", "secrets", "delivery", False),
    ("mainline:drift", "list", "pods", "mainline", False),
    ("iris-staging:serving", "get", "pods", "iris-staging", False),
    ("argo:argo-server", "get", "secrets", "forge", False),
    ("argo:argo-server", "create", "pods", "training", False),
    ("monitoring:prometheus", "list", "pods", "iris-staging", True),
    ("monitoring:prometheus", "list", "secrets", "iris-staging", False),
)
# in which namespace the keys lie, what is done with which bucket, whether the store lets it
STORE = (
    (Role.SERVING, "iris-staging", "put_object", "mainline-captures", True),
    (Role.SERVING, "iris-staging", "get_object", "mainline-captures", False),
    (Role.SERVING, "iris-staging", "put_object", "mainline-artifacts", False),
    (Role.JUDGING, "mainline", "put_object", "mainline-captures", False),
    (Role.TRAINING, "training", "put_object", "mainline-data", False),
    (Role.TRAINING, "training", "put_object", "mainline-checkpoints", True),
    (Role.DELIVERY, "delivery", "put_object", "mainline-checkpoints", False),
)
KEY = "_trial/rights"
ROOTED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "rooted"},
    "spec": {"containers": [{"name": "shell", "image": "busybox:1", "securityContext": {"runAsUser": 0}}]},
}
# what only the installer writes; a Deployment's status is its controller's, and its generation tells a change
KINDS = ("configmaps", "secrets", "networkpolicies", "roles", "rolebindings", "serviceaccounts", "services")
MADE = "app.kubernetes.io/part-of=mainline"


@pytest.mark.e2e
def test_every_account_may_do_its_own_work_and_no_more(cluster: Cluster) -> None:
    wrong = []
    for account, verb, what, where, may in RIGHTS:
        command = cluster.command("auth", "can-i", verb, what, "-n", where, f"--as=system:serviceaccount:{account}")
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if answer != ("yes" if may else "no"):
            wrong.append(f"{account} {verb} {what} in {where}: {answer}")
    assert wrong == []


@pytest.mark.e2e
def test_no_namespace_of_ours_takes_a_pod_that_may_be_root(cluster: Cluster) -> None:
    for namespace in ("argo", "training", "delivery", "mainline", "monitoring", *namespaces(ROOT)):
        command = cluster.command("-n", namespace, "create", "--dry-run=server", "-f", "-")
        done = subprocess.run(command, input=json.dumps(ROOTED), capture_output=True, text=True, check=False)
        assert 'violates PodSecurity "restricted' in done.stderr, namespace


@pytest.mark.e2e
def test_a_roles_keys_open_its_own_buckets_and_no_others(cluster: Cluster, ways: Ways) -> None:
    if cluster.secret("training", "mainline-object-store")["AWS_ACCESS_KEY_ID"] != access_key(Role.TRAINING):
        pytest.skip("the object store is not the development cluster's own")
    wrong = []
    for role, namespace, action, bucket, may in STORE:
        keys = cluster.secret(namespace, "mainline-object-store")
        client = _client(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], ways.to(keys["AWS_ENDPOINT_URL"]))
        body = {"Body": b"trial"} if action == "put_object" else {}
        if _allowed(getattr(client, action), Bucket=bucket, Key=KEY, **body) != may:
            wrong.append(f"{role}: {action} {bucket}")
    owner = cluster.secret("storage", "s3")
    client = _client(owner["ROOT_ACCESS_KEY"], owner["ROOT_SECRET_KEY"], ways.to(STORE_ADDRESS))
    for bucket in BUCKETS:
        client.delete_object(Bucket=bucket, Key=KEY)
    assert wrong == []


@pytest.mark.full
def test_a_second_installation_changes_nothing(cluster: Cluster) -> None:
    if provider.recorded(ROOT) is None:
        pytest.skip("this checkout did not install the platform: its images are not known")
    before = _versions(cluster)
    subprocess.run([sys.executable, "-m", "pipelines.cluster", "install"], cwd=ROOT, check=True)
    after = _versions(cluster)
    assert {name for name in before if after.get(name) != before[name]} == set()


def _versions(cluster: Cluster) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in KINDS:
        label = MADE if kind == "secrets" else LABEL
        listed: dict[str, Any] = json.loads(cluster.kubectl("get", kind, "-A", "-l", label, "-o", "json"))
        for item in listed["items"]:
            if item.get("type") == "kubernetes.io/service-account-token":
                continue  # the API server notes on it each day that it was used
            metadata = item["metadata"]
            found[f"{kind} {metadata['namespace']}/{metadata['name']}"] = metadata["resourceVersion"]
    for item in json.loads(cluster.kubectl("get", "deployments", "-A", "-l", LABEL, "-o", "json"))["items"]:
        metadata = item["metadata"]
        found[f"deployment {metadata['namespace']}/{metadata['name']}"] = str(metadata["generation"])
    return found


def _client(key: str, hidden: str, address: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=hidden,
        config=Config(s3={"addressing_style": "path"}, proxies={}, request_checksum_calculation="when_required"),
    )


def _allowed(call: Any, **arguments: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        call(**arguments)
    except ClientError as err:
        if err.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True
