import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.cluster.next_steps import PAGES, Page, next_steps
from pipelines.images.orders import IMAGES
from tests.manifests.platform_build import built
from tests.specimens.catalogue import Ending, cases


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, int]]:
    platform: list[dict[str, Any]] = built(tmp_path_factory.mktemp("development"), "development")
    return {
        (item["metadata"]["namespace"], item["metadata"]["name"], port["port"])
        for item in platform
        if item["kind"] == "Service"
        for port in item["spec"]["ports"]
    }


@pytest.mark.parametrize("page", [each for each in PAGES if each.namespace != "argo"], ids=lambda page: page.name)
def test_every_page_is_a_service_that_the_platform_has(page: Page, services: set[tuple[str, str, int]]) -> None:
    assert (page.namespace, page.service, page.port) in services


def test_a_kubeconfig_with_a_blank_in_its_path_can_be_copied() -> None:
    assert "export KUBECONFIG='/my folder/kubeconfig'" in next_steps(Path("/my folder/kubeconfig"))


def test_the_images_and_bad_models_that_it_names_exist() -> None:
    text = "\n".join(next_steps(Path("kubeconfig")))
    named = re.findall(r"IMAGES=(\S+)", text)
    assert named
    assert set(named) <= {image.name for image in IMAGES}
    bad = re.findall(r"CASE=(\S+)", text)
    assert bad
    assert set(bad) <= {str(case) for case in cases() if case.ending is Ending.ABORTED}
