"""A store that refuses, hangs or may not be spoken to is told in one line, in a stated time."""

import socket
import time
from collections.abc import Iterator

import obstore
import pytest
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError

from models.object_store import BRIEF, PATIENT, Patience, StoreError, open_store, why

REFUSED = """The operation lacked the necessary privileges: 403 Forbidden: <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SignatureDoesNotMatch</Code><Message>The signatures differ.</Message></Error>

Debug source: ..."""
NO_ROLE = "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1 ms\nDebug source: ..."


@pytest.mark.parametrize(
    ("err", "said"),
    [
        (PermissionDeniedError(REFUSED), "(refused, SignatureDoesNotMatch: The signatures differ); check AWS_ACC"),
        (GenericError(REFUSED), "(refused, SignatureDoesNotMatch: The signatures differ); check AWS_ACC"),
        (GenericError(NO_ROLE), "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
        (GenericError("builder error\nkind: Builder, source: BadScheme"), "use https, or set AWS_ALLOW_HTTP=true"),
        (OSError("disk full\nmore"), "(disk full); check the disk"),
    ],
    ids=["keys", "keys, listing", "no keys", "http", "other"],
)  # fmt: skip
def test_refusal_is_one_line_that_says_what_to_do(err: Exception, said: str) -> None:
    told = why(err, "check the disk")
    assert said in told
    assert "\n" not in told


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An S3 that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.usefixtures("silent")
def test_answer_is_awaited_for_as_long_as_is_said() -> None:
    patience = Patience(request_seconds=0.3, retry_seconds=0.5)
    store = open_store("s3://bucket/folder", patience)
    began = time.monotonic()
    with pytest.raises(BaseError):
        obstore.get(store, "x")
    assert 0.3 <= time.monotonic() - began < 3


@pytest.mark.usefixtures("silent")
def test_plain_http_is_spoken_only_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")
    with pytest.raises(BaseError) as refused:
        obstore.get(open_store("s3://bucket", BRIEF), "x")
    assert "AWS_ALLOW_HTTP=true" in why(refused.value, "")


def test_who_waits_for_the_judge_is_not_kept_as_long_as_a_pod_that_starts() -> None:
    assert BRIEF.request_seconds + BRIEF.retry_seconds < 10 < PATIENT.request_seconds + PATIENT.retry_seconds < 90


def test_address_that_is_none_is_told() -> None:
    with pytest.raises(StoreError, match=r"s4://x: cannot be opened \(.*\); check the URI and the environment"):
        open_store("s4://x")
