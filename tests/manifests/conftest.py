"""The built platform, once a session."""

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.tools import ROOT, kustomize
from pipelines.versions import ToolMissing
from tests.manifests.platform_build import built

Built = list[dict[str, Any]]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """The objects of a platform by its name."""
    try:
        kustomize(ROOT)
    except ToolMissing as err:
        pytest.skip(str(err))
    known: dict[str, Built] = {}

    def build(environment: str) -> Built:
        if environment not in known:
            known[environment] = built(tmp_path_factory.mktemp(environment), environment)
        return known[environment]

    return build
