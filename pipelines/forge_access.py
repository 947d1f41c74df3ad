"""Who Mainline is to the forge, read from the environment: for git, which pushes, and for the API, which opens.

MAINLINE_FORGE_TOKEN and MAINLINE_FORGE_USERNAME; MAINLINE_FORGE_API is the address of the forge's API. Without them git
uses what the person's own configuration has, and proposals stay branches.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from models.errors import ConfigError

_PREFIX = "MAINLINE_FORGE_"


@dataclass(frozen=True)
class Access:
    """An account of a forge.

    Attributes:
        api: address of the API, such as http://gitea.forge.svc:3000/api/v1.
    """

    api: str
    username: str
    token: str = field(repr=False)


def access(environ: Mapping[str, str] = os.environ) -> Access | None:
    """The account to speak to the API with; None where the environment names none.

    Raises:
        ConfigError: it names half of one.
    """
    found = {name: environ.get(f"{_PREFIX}{name}", "") for name in ("API", "USERNAME", "TOKEN")}
    if not found["API"]:
        return None
    if missing := [
        f"environment: {_PREFIX}{name}: got nothing, the forge wants it" for name in found if not found[name]
    ]:
        raise ConfigError(missing)
    return Access(found["API"].rstrip("/"), found["USERNAME"], found["TOKEN"])


def git_environment(remote: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What makes git send the account's token to a remote's own host, and to no other; empty where there is none.

    In the environment, since arguments are everybody's to read and files stay.
    """
    address = urlsplit(remote)
    token = environ.get(f"{_PREFIX}TOKEN", "")
    if not token or address.scheme not in ("http", "https"):
        return {}
    user = environ.get(f"{_PREFIX}USERNAME") or "mainline"
    header = base64.b64encode(f"{user}:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{address.scheme}://{address.netloc.rpartition('@')[2]}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {header}",
    }
