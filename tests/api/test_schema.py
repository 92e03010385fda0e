"""Whatever the OpenAPI document allows is answered as it says, and whatever it forbids is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from api.main import create_app
from api.ports import Store
from settings.models import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DOCUMENT = create_app(Settings(), cast(Store, None)).openapi()
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
BODIES = ["/event", "/events", "/pause"]
BOUNDED = settings(
    max_examples=25,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def schema(served: str) -> Any:
    """The OpenAPI document of a service on a real socket."""
    return schemathesis.openapi.from_url(f"{served}/openapi.json")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_route_answers_what_is_allowed_as_its_document_says(schema: Any, path: str, method: str) -> None:
    @BOUNDED
    @given(case=schema[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def try_it(case: Any) -> None:
        response = case.call_and_validate(checks=CHECKS)
        if path in BODIES and response.status_code == 422:
            # A schema has no way to say "a time from 1970 to 2199"; everything else that it allows is taken.
            assert {error["code"] for error in response.json()["errors"]} == {"out_of_range"}, response.text
            assert all(error["pointer"].endswith("_at") for error in response.json()["errors"]), response.text

    try_it()


@pytest.mark.parametrize("path", ["/event", "/feedback", "/pause"])
def test_every_body_that_is_not_allowed_is_refused(schema: Any, path: str) -> None:
    @BOUNDED
    @given(case=schema[path]["post"].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def try_it(case: Any) -> None:
        case.call_and_validate(checks=[*CHECKS, negative_data_rejection])

    try_it()
