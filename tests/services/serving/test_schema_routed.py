"""What the description of a routed server says of /predict: neither more nor less than the server takes."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.serving.beside import ByField
from tests.services.serving.conftest import ROW, Made
from tests.services.serving.together import BY_KIND, FLAT_ROW, Two, pinned, serve

ATTIC = FLAT_ROW | {"kind": "attic"}
DETACHED = ROW | {"kind": "detached"}


@pytest.fixture
def two(regression: Made, flat: Made) -> Two:
    return serve(pinned(regression, flat, route=BY_KIND))


def validator(document: dict[str, Any], place: dict[str, Any]) -> Draft202012Validator:
    schema = place["content"]["application/json"]["schema"]
    return Draft202012Validator(schema | {"components": document["components"]})


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (ROW, True),
        (DETACHED, True),
        (ATTIC, True),
        ({"instances": [ATTIC, ROW, DETACHED]}, True),
        ({"features": list(ROW.values())}, True),
        (FLAT_ROW, False),
        (ROW | {"kind": "attic"}, False),
        (FLAT_ROW | {"kind": "detached"}, False),
        (FLAT_ROW | {"kind": "other"}, False),
        ({"instances": [ATTIC, ROW | {"kind": None}]}, False),
    ],
)
def test_what_is_described_is_what_is_taken(two: Two, body: dict[str, Any], taken: bool) -> None:
    document = two.client.get("/openapi.json").json()
    operation = document["paths"]["/predict"]["post"]
    assert validator(document, operation["requestBody"]).is_valid(body) is taken
    answer = two.client.post("/predict", json=body)
    assert (answer.status_code == 200) is taken
    if taken:
        validator(document, operation["responses"]["200"]).validate(answer.json())


def test_its_examples_work_and_nothing_is_missing(two: Two) -> None:
    document = two.client.get("/openapi.json").json()
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    answers = {name: two.client.post("/predict", json=example["value"]) for name, example in examples.items()}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert [told["model"] for told in answers["rows of several models"].json()["routed"]] == ["house", "flat"]
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])
    assert "/models/<model>/feedback" in document["paths"]["/feedback"]["post"]["description"]


def test_a_field_that_the_model_knows_is_described_once(regression: Made, flat: Made) -> None:
    two = serve(pinned(regression, flat, route=ByField("zone", {"south": "house", "attic": "flat"})))
    schemas = two.client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["RoutedRow.house"]["properties"]["zone"]["enum"] == ["south"]
    assert schemas["RoutedRow.house"]["required"] == schemas["Row"]["required"]
    assert schemas["RoutedRow.flat"]["required"] == [*FLAT_ROW, "zone"]
    assert schemas["Row"]["properties"]["zone"]["enum"] == ["north", "south"]


def test_a_models_own_description_is_not_routed(two: Two) -> None:
    for model in ("house", "flat"):
        document = two.client.get(f"/models/{model}/openapi.json").json()
        assert not [name for name in document["components"]["schemas"] if name.startswith("Routed")]
        assert "kind" not in two.client.get(f"/models/{model}/docs").text


def test_a_model_that_does_not_stand_is_left_out(two: Two) -> None:
    two.flat.state.served = None
    assert "RoutedRow.flat" not in two.client.get("/openapi.json").json()["components"]["schemas"]


def test_the_page_says_which_model_answers_what(two: Two) -> None:
    text = two.client.get("/docs").text
    assert '<code>&quot;attic&quot;</code> (<a href="models/flat/docs">flat</a>)' in text
    assert "<code>kind</code>" in text
    assert "/models/&lt;model&gt;/feedback" in text
