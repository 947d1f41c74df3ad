"""The judge's own requests, known by how their ids begin: answered as any other, and nobody's traffic.

They are no samples of a candidate: a preview would otherwise pass its gates on what the judge itself sent. Whoever else
sends such ids hides from the gates and the capture log what itself was answered, and nothing of anybody else.
"""

PREFIX = "replay-"


def is_replayed(request_id: str) -> bool:
    """Whether the request is one of the judge's."""
    return request_id.startswith(PREFIX)
