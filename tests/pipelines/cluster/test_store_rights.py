import json

import pytest

from pipelines.cluster.store_rights import BUCKETS, Role, access_key, made_accounts, policy, secret_key


def allowed(bucket: str, role: Role) -> set[str]:
    statements = json.loads(policy(bucket))["Statement"]
    return {
        action for each in statements if each["Principal"]["AWS"] == [access_key(role)] for action in each["Action"]
    }


def test_serving_can_change_no_bundle_and_read_no_captured_row() -> None:
    assert not {"s3:PutObject", "s3:DeleteObject"} & allowed("mainline-artifacts", Role.SERVING)
    assert "s3:PutObject" in allowed("mainline-captures", Role.SERVING)
    assert not {"s3:GetObject", "s3:DeleteObject", "s3:ListBucket"} & allowed("mainline-captures", Role.SERVING)


def test_training_cannot_change_the_data_that_it_trains_on() -> None:
    assert "s3:GetObject" in allowed("mainline-data", Role.TRAINING)
    assert not {"s3:PutObject", "s3:DeleteObject"} & allowed("mainline-data", Role.TRAINING)


def test_rows_and_predictions_of_batches_are_nobody_elses() -> None:
    assert {role for role in Role if allowed("mainline-batch", role)} == {Role.TRAINING, Role.PERSON}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_the_judge_changes_nothing(bucket: str) -> None:
    assert not {"s3:PutObject", "s3:DeleteObject"} & allowed(bucket, Role.JUDGING)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_policy_names_one_bucket_and_somebody(bucket: str) -> None:
    resources = {each for statement in json.loads(policy(bucket))["Statement"] for each in statement["Resource"]}
    assert resources == {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}


def test_every_role_has_an_account_with_a_key_of_its_own() -> None:
    data = made_accounts()
    assert len({secret_key(data, role) for role in Role}) == len(Role)
