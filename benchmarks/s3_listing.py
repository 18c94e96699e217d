"""A bucket of a million objects that exists as a listing only: `python -m benchmarks.s3_listing OBJECTS CHANGED`.

It answers ListObjectsV2 as S3 does, 1,000 keys a page, so that the real client lists it over HTTP. Prints its port.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000
HEAD = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


def key(number: int) -> str:
    """Name of an object: some thousands a day, in dated folders."""
    return f"meters/2024/{number // 50_000 + 1:02d}/site-{number % 500:03d}/readings_{number:08d}.csv.gz"


def etag(number: int, changed: int) -> str:
    """Version of an object: those below `changed` have another than their states know."""
    return f"{number:031x}{'b' if number < changed else 'a'}"


def page(first: int, objects: int, changed: int) -> bytes:
    """One page of the listing."""
    last = min(first + PAGE, objects)
    more = last < objects
    contents = "".join(
        f"<Contents><Key>{key(number)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{etag(number, changed)}&quot;</ETag><Size>1000</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(first, last)
    )
    token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
    answer = (
        f"{HEAD}<Name>bench</Name><Prefix>meters/</Prefix><KeyCount>{last - first}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{contents}{token}</ListBucketResult>"
    )
    return answer.encode()


def main() -> None:
    """Serve until killed."""
    objects, changed = int(sys.argv[1]), int(sys.argv[2])

    class Listing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            body = page(int(asked.get("continuation-token", ["0"])[0]), objects, changed)
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
