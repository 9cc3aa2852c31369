"""`explore`: the interactive page, served on this machine alone or written as one file."""

import webbrowser
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from simonides.base import SimonidesError, say

_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Explore:
    """Open a page on which one matrix is filled with facts: move d, N and the rest, and see what it recalls.

    Served on 127.0.0.1 alone, or written as one file that needs nothing else.

    Example: simonides explore --out explore.html
    """

    port: Annotated[int, arg(help="0 takes any that is free.")] = 0
    browser: Annotated[bool, arg(help="Open it in the browser.")] = True
    out: Annotated[Path | None, arg(metavar="FILE", help="Write the page there in place of serving it.")] = None


def execute(options: Explore) -> int:
    """Write the page, or serve it until Ctrl-C."""
    from simonides.base import check_output_page, write_text
    from simonides.papers.memories.explore import explore_page

    if options.out is not None:
        check_output_page(options.out)
    text = explore_page()
    if options.out is not None:
        write_text(options.out, text)
        say(f"page: {options.out.resolve()}")
        return 0
    with server(text, options.port) as running:
        address = f"http://{_HOST}:{running.server_port}/"
        say(f"{address} (Ctrl-C ends it)")
        if options.browser:
            webbrowser.open(address)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            say()
    return 0


def server(text: str, port: int) -> ThreadingHTTPServer:
    """Serves one page on the loopback address, to those who ask for it by that name.

    Raises:
        SimonidesError: when the port is no port, or taken.
    """
    if not 0 <= port <= 65535:
        raise SimonidesError(f"port = {port} is no port; give one from 1024 to 65535, or 0 for any.")
    content = text.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The page, to a request that names this machine: another site's name bound to 127.0.0.1 does not."""
            name, _, port = (self.headers.get("Host") or "").rpartition(":")
            if name not in (_HOST, "localhost") or port != str(running.server_port):
                self.send_error(403)
                return
            if self.path not in ("/", "/index.html"):
                self.send_error(404)
                return
            self.send_response(200)
            for header, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(content))),
                ("X-Content-Type-Options", "nosniff"),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    try:
        running = ThreadingHTTPServer((_HOST, port), Handler)
        return running
    except OSError as error:
        raise SimonidesError(f"port {port} cannot be had: {error.strerror}; give another, or 0 for any.") from None
