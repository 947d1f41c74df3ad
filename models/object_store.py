"""Object stores as this house opens them: for how long an answer is awaited, and what a refusal means in plain words.

`models.store` opens bundles through it, the judge its capture log. Credentials and endpoints come from the environment,
in the names that each store's own tools read (AWS_..., GOOGLE_...).
"""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from models.errors import MainlineError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_REFUSED = re.compile(r"<Code>([^<]+)</Code>\s*(?:<Message>([^<]*)</Message>)?")
_NO_KEYS = ("169.254.169.254", "169.254.170.2", "169.254.170.23")  # where clouds hand out credentials


class StoreError(MainlineError):
    """The store did not answer as it should; trying again may help."""


class ObjectMissing(StoreError, FileNotFoundError):  # noqa: N818
    """There is nothing at the URI."""


@dataclass(frozen=True)
class Patience:
    """For how long one object is asked for.

    Attributes:
        request_seconds: longest time that one request may take, its body included.
        retry_seconds: after this long a request that failed is not sent again. Both together bound the whole.
        connect_seconds: longest time until a connection stands.
    """

    request_seconds: float
    retry_seconds: float
    connect_seconds: float = 5.0


# A store that is started anew is back within half a minute, and nobody waits for an answer meanwhile.
PATIENT = Patience(request_seconds=30.0, retry_seconds=45.0)
# Somebody waits: the judge has 20 s for all that it reads.
BRIEF = Patience(request_seconds=4.0, retry_seconds=3.0, connect_seconds=2.0)


def open_store(uri: str, patience: Patience = PATIENT) -> ObjectStore:
    """The store at a URI, without asking it for anything yet.

    Raises:
        StoreError: the address or the environment is not as it must be.
    """
    retries: RetryConfig = {
        "max_retries": 1000,  # time ends it, not their number
        "retry_timeout": timedelta(seconds=patience.retry_seconds),
        "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=3), "base": 2},
    }
    client: ClientConfig = {
        "timeout": timedelta(seconds=patience.request_seconds),
        "connect_timeout": timedelta(seconds=patience.connect_seconds),
    }
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1") and uri.startswith("s3://"):
        client["allow_http"] = True  # options that are given replace those of the environment
    try:
        return from_url(uri, client_options=client, retry_config=retries)
    except (BaseError, ValueError) as err:
        raise StoreError(f"{uri}: cannot be opened ({brief(err)}); check the URI and the environment") from err


def why(err: BaseException, remedy: str) -> str:
    """`(what the store said); what to do`, in one line.

    Args:
        err: as obstore raised it.
        remedy: what to look at where the error itself does not tell.
    """
    text = str(err)
    refused = _REFUSED.search(text)
    if refused and (isinstance(err, PermissionDeniedError | UnauthenticatedError) or re.search(r"\b40[13]\b", text)):
        said = ": ".join(part.strip(" .") for part in refused.groups() if part)
        return f"(refused, {said}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do"
    if any(address in text for address in _NO_KEYS):
        return (
            f"({brief(err)}); AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, "
            "and this machine has no role of its own: set them, or give it one"
        )
    if "BadScheme" in text:
        return "(its address begins with http://, which is not allowed); use https, or set AWS_ALLOW_HTTP=true"
    return f"({brief(err)}); {remedy}"


def brief(err: BaseException) -> str:
    """The first line of a message that others wrote."""
    return str(err).split("\n", 1)[0][:300]
