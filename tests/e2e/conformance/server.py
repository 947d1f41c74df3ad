"""Scripted answers over HTTP: each path gives its answers in order, the last one again and again.

It stands in for Prometheus and for a judge, so it must run wherever the controller reaches it: standard library alone,
one file, put into a pod by a ConfigMap. `python server.py SCRIPT.json [PORT]`; each request is a line on stdout.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# What the client of Prometheus adds to the address that it is given.
QUERY = "/api/v1/query"
PORT = 8080


class Scripted(ThreadingHTTPServer):
    """The server; `script` has `[status, body]` pairs by path."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, script: dict[str, list[tuple[int, str]]], port: int, host: str = "0.0.0.0") -> None:  # noqa: S104
        super().__init__((host, port), Answering)
        self.script, self.asked = script, dict.fromkeys(script, 0)
        self.lock = threading.Lock()

    def answer(self, path: str) -> tuple[int, str]:
        """The next answer of a path."""
        with self.lock:
            if path not in self.script:
                return 404, "nothing is scripted here"
            answers, index = self.script[path], self.asked[path]
            self.asked[path] += 1
            print(json.dumps({"path": path, "at": time.time()}), flush=True)
        status, body = answers[min(index, len(answers) - 1)]
        return status, body


class Answering(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        """Answers; a probe asks for `/`."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0].removesuffix(QUERY)
        status, body = (200, "up") if path == "/" else self.server.answer(path)
        encoded = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def do_POST(self) -> None:
        """Answers: Prometheus' client posts its queries."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `answer` prints what is asked."""


if __name__ == "__main__":
    Scripted(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]) if len(sys.argv) > 2 else PORT).serve_forever()
