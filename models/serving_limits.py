"""What a model declares about being served; `spec` reads it from model.yaml, `manifest` carries it to the server."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from models.declaration import Declared

Task = Literal["classification", "regression"]
Count = Annotated[int, Strict(), Field(ge=1)]


class Serving(Declared, defer_build=True):
    """Limits of one request, and how many rows the graph takes at once where more are asked.

    Without `chunk_rows` in the declaration it is measured when the model is exported; without it in a bundle, the graph
    takes all rows. It is left out where there is none, so that older code reads the bundle too.
    """

    max_rows: Count = 1024
    max_body_bytes: Count = 1_048_576
    chunk_rows: Count | None = Field(default=None, exclude_if=lambda rows: rows is None)
