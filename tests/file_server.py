"""A local HTTP server that behaves as hosts of published files do: well, or in each of the known bad ways."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FileServer(ThreadingHTTPServer):
    """Serves `content` at /<behaviour>/<any name>; `requests` are the paths that were asked for.

    Behaviours: whole, unsized (no length given), moved (to whole), cut (in the middle), wrong (other bytes),
    slow (a few bytes a second), silent (no answer), gone (404).
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.requests: list[str] = []
        self.closing = threading.Event()

    def url(self, behaviour: str, name: str) -> str:
        """Return the URL under which the file comes with this behaviour."""
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        _, behaviour, name = self.path.split("/")
        self.server.requests.append(self.path)
        content = self.server.content
        if behaviour == "silent":
            self.server.closing.wait()
            return
        if behaviour == "gone":
            self.send_error(404)
            return
        if behaviour == "moved":
            self.send_response(302)
            self.send_header("Location", f"/whole/{name}")
            self.end_headers()
            return
        self.send_response(200)
        if behaviour != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if behaviour == "cut":
            self.wfile.write(content[: len(content) // 2])
        elif behaviour == "wrong":
            self.wfile.write(bytes(len(content)))
        elif behaviour == "slow":
            for byte in content:
                if self.server.closing.wait(0.05):
                    return
                self.wfile.write(bytes([byte]))
        else:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(content: bytes | Path) -> Iterator[FileServer]:
    """Serve `content` (or a file's) while the block runs."""
    with FileServer(content.read_bytes() if isinstance(content, Path) else content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
