"""What the API server says no with: for now, or for good. See `pipelines.kube`, which raises them."""

from typing import Any

from models.errors import MainlineError


class KubeFailed(MainlineError):  # noqa: N818  (what happened)
    """The API server did not answer, or not as it should; trying again may help. `status` is 0 where none came."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class KubeRefused(KubeFailed):
    """The API server says that it will never do this: the object is wrong, or the account may not."""

    exit_code = 2


def checked(what: str, status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer where it is a success; else the error that says what was asked, and whether to ask again."""
    if 200 <= status < 300:
        return answer
    # 408, 409 and 429 pass; everything else of 4xx is an answer for good
    kind = KubeRefused if 400 <= status < 500 and status not in (408, 409, 429) else KubeFailed
    said = str(answer.get("message", ""))
    # fields of another manager; and what the schema does not have, which server-side apply calls an error of its own
    if what.startswith("apply") and ((status == 409 and "onflict" in said) or "failed to create typed patch" in said):
        kind = KubeRefused
    raise kind(f"{what}: {status} {answer.get('reason', '')}: {said}", status)
