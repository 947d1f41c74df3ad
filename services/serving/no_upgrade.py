"""A protocol that is asked to become another one stays what it is. `gathering` is built on it, `hot` asks it.

Java's client, for one, offers HTTP/2 in its first plain request: `Upgrade: h2c`, with whatever body that request has.
A server may pass that over (RFC 9110, 7.8). The parser instead stops behind the head, for another protocol to read on:
the request would have no body, and its body would be the next request. So it is read anew without the offer.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class NoUpgradeProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As uvicorn's."""
        super().__init__(*arguments, **named)
        self.offered: bytes | None = None  # the request's line, where it offers another protocol and is to be read anew

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        except httptools.HttpParserUpgrade as stopped:
            self._read_anew(memoryview(data), stopped)

    def passes_over(self) -> bool:
        """Whether the request, whose head is complete, is to be read anew: nobody is to hear of it until then."""
        parser = self.parser
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":  # its upgrade is in the method
            self.offered = b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())
        return self.offered is not None

    def renew_parser(self) -> None:
        """The next byte is a request's first, whatever the parser was at."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's

    def _read_anew(self, data: memoryview, stopped: Exception | None) -> None:
        """Reads on where the parser has stopped; again and again, where a segment holds many such requests."""
        while stopped is not None and self.offered is not None:
            line, self.offered = self.offered, None
            kept = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            data, stopped = data[stopped.args[0] :], None
            self.renew_parser()
            try:
                self.parser.feed_data(b"\r\n".join([line, *kept, b"", b""]))
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.send_400_response("")
            except httptools.HttpParserUpgrade as again:
                stopped = again
