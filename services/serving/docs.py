"""The page `/docs`: this model's features and an example to send, without a script or a style from anywhere else."""

import json
from html import escape

from models.bundle import Bundle
from models.feature import Feature
from services.problems import TABLE, Kind
from services.serving.beside import ByField
from services.serving.explain import MAX_ROWS, SECONDS
from services.serving.schema import bound, example
from services.serving.schema_routed import FEEDBACK
from services.serving.v2 import described

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d0d7de;
vertical-align:top;overflow-wrap:anywhere}textarea,pre{width:100%;box-sizing:border-box;font:14px/1.4 monospace;
background:#f6f8fa;border:1px solid #d0d7de;padding:.6rem;overflow-x:auto}button{font:inherit;padding:.3rem 1rem}
.scroll{overflow-x:auto}
"""
_SCRIPT = """
document.getElementById("send").addEventListener("click", async () => {
  const answer = await fetch("predict", {method: "POST", headers: {"Content-Type": "application/json"},
    body: document.getElementById("body").value});
  document.getElementById("answer").textContent = answer.status + "\\n" + JSON.stringify(await answer.json(), null, 2);
});
"""
# Where the values are in their ranges it is the model's fault, not the caller's.
_OR = {Kind.NO_FINITE_ANSWER: ", or 500"}


def page(bundle: Bundle, *, version: str, at: str = "", by: ByField | None = None) -> str:
    """The page as HTML.

    Args:
        at: path below which the model has its routes, where that is not the server's root.
        by: which rows to /predict other models answer, if any.
    """
    manifest = bundle.manifest
    name = f"{manifest.model}, version {version}"
    row = json.dumps(example(bundle), indent=2)
    tensors = json.dumps(described.example(bundle))
    features = "".join(_feature(feature) for feature in bundle.features)
    problems = "".join(
        f'<tr id="{kind}"><td>{kind}</td><td>{status}{_OR.get(kind, "")}</td><td>{escape(title)}</td></tr>'
        for kind, (status, title) in TABLE.items()
    )
    classes = manifest.classes
    of = " (of a class with <code>?class=...</code>)" if classes else ""
    truth = escape(json.dumps(classes[0])) if classes else "1.5"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
<h1>{escape(name)}</h1>
<p>A {manifest.task}. Bundle <code style="overflow-wrap:anywhere">{bundle.digest}</code>.
See <a href="metadata">metadata</a>, <a href="metrics">metrics</a>, <a href="openapi.json">OpenAPI</a>.</p>
<h2>Predict</h2>
<p><code>POST {at}/predict</code> takes one row as below, many as <code>{{"instances": [row, ...]}}</code>, or
positional values in the order of the table as <code>{{"features": [value, ...]}}</code>: at most
{manifest.serving.max_rows} rows and {manifest.serving.max_body_bytes} bytes.</p>
{"" if by is None else _route(by, manifest.model)}
<textarea id="body" rows="12" aria-label="body of the request">{escape(row)}</textarea>
<p><button id="send">Send</button></p><pre id="answer" aria-live="polite">The answer appears here.</pre>
<h2>Explain</h2>
<p><code>POST {at}/explain</code> takes the same bodies, of at most {min(MAX_ROWS, manifest.serving.max_rows)} rows, and
tells what each feature contributed to the answer{of}: Shapley values against rows of the training data, which add up to
the answer minus the mean answer to those rows. It takes up to {SECONDS:g} s.</p>
<h2>Feedback</h2>
<p><code>POST {at}/feedback</code> takes what became true of a row, as
<code>{{"request_id": "...", "truth": {truth}}}</code> with <code>"row"</code> where the request had several, or many as
<code>{{"feedback": [truth, ...]}}</code>. Each is said to be <code>known</code> or <code>unknown</code> to the pod that
was asked, which is not always the one that answered, <code>repeated</code>, or <code>corrected</code>: the last word on
a row counts.{"" if by is None else f" {escape(FEEDBACK)}"}</p>
<h2>Open Inference Protocol</h2>
<p>Clients of the protocol's version 2 (REST; JSON and binary tensors) find the model at
<a href="v2/models/{manifest.model}"><code>/v2/models/{manifest.model}</code></a>.
<code>POST /v2/models/{manifest.model}/infer</code> takes</p>
<pre>{escape(tensors)}</pre>
<h2>Features</h2><div class="scroll"><table><thead><tr><th>name</th><th>type</th><th>unit</th><th>values</th>
<th>missing</th></tr></thead><tbody>{features}</tbody></table></div>
<h2>Problems</h2><p>A refusal is an RFC 9457 document: its <code>type</code> is one of these, its <code>errors</code>
name feature, value, rule and remedy.</p>
<div class="scroll"><table><tbody>{problems}</tbody></table></div>
<script>{_SCRIPT}</script></body></html>"""


def _route(by: ByField, main: str) -> str:
    """Which model answers which rows, each with its page."""
    values = ", ".join(
        f'<code>{escape(json.dumps(value))}</code> (<a href="models/{model}/docs">{model}</a>)'
        for value, model in by.models.items()
    )
    return f"""<p>Rows may name a model by <code>{escape(by.field)}</code>: {values}; {main} answers those without it.
Where several models answer a request, <code>routed</code> says of each prediction whose it is.</p>"""


def _feature(feature: Feature) -> str:
    if feature.dtype == "category":
        values = f"{', '.join(feature.categories)}; unknown: {feature.unknown.replace('_', ' ')}"
    elif feature.min is None and feature.max is None:
        values = "any"
    else:
        values = f"{bound(feature.min)} to {bound(feature.max)}; beyond: {feature.out_of_range}"
    cells = (feature.name, feature.dtype, feature.unit or "", values, feature.missing)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
