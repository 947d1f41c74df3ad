"""Measures one metric as Argo Rollouts 1.10's providers do: an instant query to Prometheus, or a call to a web address.

Whatever the other side does comes back as a `Measured`, never as an exception: the step machine counts errors.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import replace

from pipelines.rehearsal.answers import from_prometheus, from_web
from pipelines.rehearsal.contract import Measured
from pipelines.rehearsal.metric import Metric, Prometheus, Web

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_MOST_BYTES = 4 * 2**20
# A provider here is on the same machine: one that is silent for longer than this is as good as gone, and a rehearsal
# must end. A cluster waits for as long as the template says.
MOST_SECONDS = 15.0

Document = Mapping[str, object]


def measure(metric: Metric) -> tuple[Measured, Document]:
    """Asks the metric's provider once; beside what was measured, the whole answer where it was a JSON object."""
    try:
        if isinstance(metric.provider, Prometheus):
            return _prometheus(metric.provider), {}
        return _web(metric.provider)
    except (OSError, ValueError) as err:
        provider = metric.provider
        address = provider.address if isinstance(provider, Prometheus) else provider.url
        reason = err.reason if isinstance(err, urllib.error.URLError) else err
        return Measured(error=f"{address}: {reason or type(err).__name__}"), {}


def _prometheus(asked: Prometheus) -> Measured:
    seconds = min(asked.timeout_seconds, MOST_SECONDS)
    form = {"query": asked.query, "timeout": f"{seconds:g}s"}
    url = f"{asked.address.rstrip('/')}/api/v1/query"
    _, text = _called(url, urllib.parse.urlencode(form).encode(), dict(asked.headers), "POST", seconds)
    return from_prometheus(json.loads(text))


def _web(asked: Web) -> tuple[Measured, Document]:
    body = asked.body.encode() if asked.body is not None else None
    seconds = min(asked.timeout_seconds, MOST_SECONDS)
    status, text = _called(asked.url, body, dict(asked.headers), asked.method, seconds)
    measured = from_web(status, text, asked.json_path)
    if measured.link:
        measured = replace(measured, link=urllib.parse.urljoin(asked.url, measured.link))
    try:
        document = json.loads(text)
    except ValueError:
        document = {}
    return measured, document if isinstance(document, dict) else {}


def _called(url: str, body: bytes | None, headers: Mapping[str, str], method: str, seconds: float) -> tuple[int, bytes]:
    """Status and text of an answer, whatever the status."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310  (http, given by the rehearsal)
    try:
        with _OPENER.open(request, timeout=seconds) as answer:
            return answer.status, answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read(_MOST_BYTES)
