"""What this machine's network asks of a build that fetches packages: a CA file, another index, a proxy.

Only what the environment sets is passed on, as build secrets: a Dockerfile sources them where they are, and no layer,
no history and no label of an image keeps any of it.
"""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from models.errors import ConfigError

# Where the Dockerfiles expect the secret `ca`.
_CA = "/run/secrets/ca.crt"
_CA_NAMES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_AS_THEY_ARE = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
# pip's name for the same thing, where uv's is not set.
_FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}


def secrets(environment: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Build secrets by id, as files in `folder`; empty where this machine's network asks for nothing.

    Args:
        environment: a process's.
        folder: readable by this user alone; the caller removes it.

    Raises:
        ConfigError: the CA file that the environment names is not there.
    """
    found = {name: environment[name] for name in _AS_THEY_ARE if environment.get(name)}
    for pip, uv in _FROM_PIP.items():
        if environment.get(pip):
            found.setdefault(uv, environment[pip])
    files = {}
    name = next((name for name in _CA_NAMES if environment.get(name)), None)
    if name is not None:
        ca = Path(environment[name])
        if not ca.is_file():
            raise ConfigError([f"environment: {name}: got {ca}, must be a file of certificates: unset it, or mend it"])
        shutil.copyfile(ca, folder / "ca.crt")
        files["ca"] = folder / "ca.crt"
        found["SSL_CERT_FILE"] = _CA
    if found:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(found.items())]
        path = folder / "environment"
        path.touch(mode=0o600)
        path.write_text("".join(lines), encoding="utf-8")
        files["environment"] = path
    return files
