"""Who may ask: hosts, origins, tokens."""

import pytest
from starlette.datastructures import Headers

from emo3d_lab.serving.gate import Access

PAGE = "https://example.org"
CASES = [  # access, path, headers, status (None: let through)
    (Access(), "/express", {"host": "127.0.0.1:8300"}, None),
    (Access(), "/express", {"host": "localhost"}, None),
    (Access("127.0.0.2"), "/express", {"host": "127.0.0.2:8300"}, None),
    (Access("127.0.0.2"), "/express", {"host": "evil.example"}, 421),
    (Access("::ffff:127.0.0.1"), "/express", {"host": "evil.example"}, 421),
    (Access("::1"), "/express", {"host": "[::1]:8300"}, None),
    (Access(), "/express", {"host": "evil.example:8300"}, 421),
    (Access(), "/express", {"host": "127.0.0.1.evil.example"}, 421),
    (Access(), "/express", {}, 421),
    (Access("0.0.0.0"), "/express", {"host": "faces.example"}, None),
    (Access(), "/express", {"host": "localhost:1", "origin": PAGE}, 403),
    (Access(), "/express", {"host": "localhost:1", "origin": "null"}, 403),
    (Access(), "/express", {"host": "localhost:1", "origin": "http://localhost:2"}, 403),
    (Access(), "/express", {"host": "localhost:1", "origin": "http://localhost:1"}, None),
    (Access("0.0.0.0"), "/express", {"host": "evil.example", "origin": "http://evil.example"}, 403),
    (Access(origins=(PAGE,)), "/express", {"host": "localhost:1", "origin": PAGE}, None),
    (Access(token="secret"), "/express", {"host": "localhost"}, 401),
    (Access(token="secret"), "/express", {"host": "localhost", "authorization": "Bearer wrong"}, 401),
    (Access(token="secret"), "/express", {"host": "localhost", "authorization": "Bearer secret"}, None),
    (Access(token="secret"), "/metrics", {"host": "localhost"}, 401),
    (Access(token="secret"), "/health", {"host": "localhost"}, None),
]


@pytest.mark.parametrize(("access", "path", "headers", "status"), CASES)
def test_lets_through_and_refuses(access, path, headers, status):
    answer = access.refuse(path, Headers(headers))
    assert (answer and answer.status_code) == status
