import json
from collections.abc import Mapping

from pipelines.cluster import secrets
from pipelines.cluster.secrets import Store
from pipelines.cluster.store_rights import Role

STORES = {role: Store(secrets.STORE_ADDRESS, "us-east-1", f"key-{role}", "hush") for role in Role}
OWN = Store(secrets.STORE_ADDRESS, "us-east-1", "key", "hush")


def names(found: list[dict[str, object]]) -> set[tuple[str, str]]:
    return {(str(_metadata(each)["namespace"]), str(_metadata(each)["name"])) for each in found}


def _metadata(item: Mapping[str, object]) -> Mapping[str, object]:
    found = item["metadata"]
    assert isinstance(found, Mapping)
    return found


def test_every_pod_that_reads_objects_finds_the_store_in_its_own_namespace() -> None:
    found = names(secrets.store_secrets(STORES, ["iris-staging"]))
    wanted = {(place, "mainline-object-store") for place in ("mainline", "training", "delivery", "iris-staging")}
    assert found == wanted | {("training", "argo-artifacts"), ("delivery", "argo-artifacts")}


def test_every_namespace_has_its_own_roles_keys() -> None:
    found = {
        (str(_metadata(each)["namespace"]), str(_metadata(each)["name"])): secrets.decoded(each)
        for each in secrets.store_secrets(STORES, ["iris-staging"])
    }
    keys = {
        place: data["AWS_ACCESS_KEY_ID"] for (place, name), data in found.items() if name == "mainline-object-store"
    }
    assert keys == {
        "mainline": "key-judging",
        "training": "key-training",
        "delivery": "key-delivery",
        "iris-staging": "key-serving",
    }
    assert found["training", "argo-artifacts"]["accesskey"] == "key-training"


def test_a_store_without_tls_says_so_and_aws_needs_no_address() -> None:
    own = secrets.object_store(OWN)
    assert (own["AWS_ENDPOINT_URL"], own["AWS_ALLOW_HTTP"]) == (secrets.STORE_ADDRESS, "true")
    aws = secrets.object_store(Store("", "eu-west-1", "key", "hush"))
    assert not {"AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "MLFLOW_S3_ENDPOINT_URL"} & set(aws)


def test_what_was_made_once_is_kept() -> None:
    there: dict[tuple[str, str], dict[str, object]] = {}

    def read(name: str, namespace: str) -> Mapping[str, object] | None:
        return there.get((name, namespace))

    first, was_made = secrets.kept(read, "s3", "storage", secrets.made_store)
    assert was_made
    there["s3", "storage"] = secrets.secret("s3", "storage", first)
    assert secrets.kept(read, "s3", "storage", secrets.made_store) == (first, False)


def test_two_installations_share_no_secret() -> None:
    for make in (secrets.made_store, secrets.made_forge, secrets.made_accounts, secrets.made_webhook):
        assert set(make().values()).isdisjoint(make().values())


def test_the_webhooks_secret_is_in_argos_own_form_under_its_account() -> None:
    data = secrets.made_webhook()
    client = json.loads(data["github-webhook"])
    assert client == {"type": "github", "secret": secrets.webhook_secret(data)}


def test_who_fetches_a_commit_and_who_proposes_read_different_secrets() -> None:
    found = secrets.forge_secrets(
        url="http://f/api/v1", token="t", source_token="r", username="robot", repository="http://f/a/b.git"
    )
    assert names(found) == {
        ("training", "mainline-forge"),
        ("delivery", "mainline-forge"),
        ("training", "mainline-source"),
    }
    source = secrets.decoded(found[-1])
    assert source == {"username": "robot", "password": "r"}


def test_a_secret_reads_back_as_it_was_written() -> None:
    assert secrets.decoded(secrets.secret("a", "b", {"key": "wört"})) == {"key": "wört"}
