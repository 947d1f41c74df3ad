"""Measures one metric as Argo Rollouts 1.10's providers do: an instant query to Prometheus, or a call to a web address.

Whatever the other side does comes back as a `Measured`, never as an exception: the step machine counts errors.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request

from pipelines.rehearsal.contract import Measured
from pipelines.rehearsal.metric import Metric, Prometheus, Web

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_MOST_BYTES = 4 * 2**20
_PATH = re.compile(r"\{\s*\$?((?:\.[A-Za-z_][\w-]*|\[\d+\]|\['[^']+'\])*)\s*\}")
_PART = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]")


def measure(metric: Metric) -> Measured:
    """Asks the metric's provider once."""
    try:
        if isinstance(metric.provider, Prometheus):
            return _prometheus(metric.provider)
        return _web(metric.provider)
    except urllib.error.HTTPError as err:
        with err:
            said = err.read(300).decode("utf-8", "replace").strip()
        return Measured(error=f"received non 2xx response code: {err.code} {said}".rstrip())
    except (OSError, ValueError) as err:
        reason = err.reason if isinstance(err, urllib.error.URLError) else err
        return Measured(error=f"{_address(metric)}: {reason}")


def json_at(document: object, path: str) -> object:
    """What lies at a JSONPath of fields and indices, such as `{$.verdict}`.

    Raises:
        LookupError: there is nothing there.
        ValueError: the path has more in it than that.
    """
    match = _PATH.fullmatch(path.strip())
    if match is None:
        raise ValueError(f"jsonPath: got {path!r}, the rehearsal reads fields and indices only, such as {{$.a.b[0]}}")
    for field, index, quoted in _PART.findall(match[1]):
        if index:
            if not isinstance(document, list) or int(index) >= len(document):
                raise LookupError(f"no item {index}")
            document = document[int(index)]
        else:
            name = field or quoted
            if not isinstance(document, dict) or name not in document:
                raise LookupError(f"{name} is not found")
            document = document[name]
    return document


def _prometheus(asked: Prometheus) -> Measured:
    form = urllib.parse.urlencode({"query": asked.query, "timeout": f"{asked.timeout_seconds:g}s"}).encode()
    request = urllib.request.Request(  # noqa: S310  (the address that the rehearsal gave)
        f"{asked.address.rstrip('/')}/api/v1/query", data=form, headers=dict(asked.headers)
    )
    with _OPENER.open(request, timeout=asked.timeout_seconds) as answer:
        document = json.loads(answer.read(_MOST_BYTES))
    data = document.get("data", {})
    if data.get("resultType") == "vector":
        return Measured(value=[float(sample["value"][1]) for sample in data["result"]])
    if data.get("resultType") == "scalar":
        return Measured(value=float(data["result"][1]))
    return Measured(error=f"Prometheus metric type not supported: {data.get('resultType')}")


def _web(asked: Web) -> Measured:
    data = asked.body.encode() if asked.body is not None else None
    request = urllib.request.Request(  # noqa: S310  (the address that the rehearsal gave)
        asked.url, data=data, headers=dict(asked.headers), method=asked.method
    )
    with _OPENER.open(request, timeout=asked.timeout_seconds) as answer:
        text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        return Measured(value=text, unread=True)
    detail, link = "", ""
    if isinstance(document, dict):
        detail = str(document.get("reason") or "")
        link = urllib.parse.urljoin(asked.url, str(document["report"])) if document.get("report") else ""
    try:
        return Measured(value=json_at(document, asked.json_path), detail=detail, link=link)
    except LookupError as err:
        return Measured(error=f"Could not find JSONPath in body: {err}", detail=detail, link=link)


def _address(metric: Metric) -> str:
    return metric.provider.address if isinstance(metric.provider, Prometheus) else metric.provider.url
