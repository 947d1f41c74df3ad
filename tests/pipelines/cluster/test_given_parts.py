import pytest

from models.errors import ConfigError
from pipelines.cluster.given_parts import given_parts
from pipelines.cluster.secrets import decoded

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "AWS_REGION": "eu-west-1",
    "MAINLINE_FORGE_URL": "https://forge.example.org/api/v1",
    "MAINLINE_FORGE_TOKEN": "token",
    "MAINLINE_FORGE_USERNAME": "robot",
    "MAINLINE_FORGE_REPOSITORY": "https://forge.example.org/team/models.git",
    "MAINLINE_MLFLOW_DATABASE": "postgresql://mlflow:hush@db.example.org/mlflow",
}


def test_every_missing_name_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        given_parts({})
    assert [line.split(": ")[1] for line in caught.value.problems] == list(ENVIRONMENT)


def test_what_is_given_reaches_the_secrets_that_pods_read() -> None:
    found = {
        (str(each["metadata"]["namespace"]), str(each["metadata"]["name"])): decoded(each)  # type: ignore[index]
        for each in given_parts(ENVIRONMENT).secrets(["iris-production"])
    }
    assert found["mainline", "mlflow-database"] == {"uri": ENVIRONMENT["MAINLINE_MLFLOW_DATABASE"]}
    assert found["iris-production", "mainline-object-store"]["AWS_REGION"] == "eu-west-1"
    assert found["delivery", "mainline-forge"]["repository"] == ENVIRONMENT["MAINLINE_FORGE_REPOSITORY"]
    assert "AWS_ENDPOINT_URL" not in found["training", "mainline-object-store"]
