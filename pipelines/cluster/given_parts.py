"""What a production cluster is given by somebody else: an object store, a git host, a database.

Asked for before anything is applied, so that nobody ends with half a platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.errors import ConfigError
from pipelines.cluster import secrets
from pipelines.cluster.phases import Object
from pipelines.cluster.secrets import Store
from pipelines.cluster.store_rights import Role

FORGE = ("URL", "TOKEN", "USERNAME", "REPOSITORY")
DATABASE = "MAINLINE_MLFLOW_DATABASE"
_STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


@dataclass(frozen=True)
class Given:
    """The addresses and credentials of what is there already.

    Attributes:
        stores: the object store with the keys of each role; one account for all of them here.
        forge: the Secrets that say where the git host is and with whose token.
        database: MLflow's, with its password: `postgresql://...`.
    """

    stores: Mapping[Role, Store]
    forge: Sequence[Object]
    database: str

    def secrets(self, serving: Sequence[str]) -> list[Object]:
        """All Secrets that pods read; `serving` are the namespaces that serve a model."""
        database = secrets.secret("mlflow-database", "mainline", {"uri": self.database})
        return [*secrets.store_secrets(self.stores, serving), *self.forge, database]


def given_parts(environment: Mapping[str, str]) -> Given:
    """What the environment says: AWS_* (AWS_ENDPOINT_URL where it is not AWS's), MAINLINE_FORGE_*, the database.

    Raises:
        ConfigError: every name that is missing, each on its own line.
    """
    wanted = (*_STORE, *(f"MAINLINE_FORGE_{name}" for name in FORGE), DATABASE)
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        raise ConfigError([f"environment: {name}: got nothing, needed by a production platform" for name in missing])
    key, hidden, region = (environment[name] for name in _STORE)
    store = Store(environment.get("AWS_ENDPOINT_URL", ""), region, key, hidden)
    url, token, username, repository = (environment[f"MAINLINE_FORGE_{name}"] for name in FORGE)
    source_token = environment.get("MAINLINE_FORGE_SOURCE_TOKEN", token)  # one that may only read, where there is one
    forge = secrets.forge_secrets(
        url=url, token=token, source_token=source_token, username=username, repository=repository
    )
    return Given(dict.fromkeys(Role, store), forge, environment[DATABASE])
