"""A company's sign-in on loopback: OpenID Connect as far as one person needs it, with a private key of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT = "handover"


@dataclass
class Company:
    """What it says of who signs in next; `claims` may be changed by the test, `nonce` comes from the dashboard."""

    address: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def token(self) -> str:
        now = int(time.time())
        said = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": self.nonce, "sub": "u-1"}
        return jwt.encode({**said, **self.claims}, self.key, algorithm="ES256", headers={"kid": "k"})

    def answers(self) -> dict[str, Any]:
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.address,
                **{name: self.address + path for name, path in places.items()},
            },
            "/keys": {"keys": [{**public, "kid": "k", "alg": "ES256", "use": "sig"}]},
            "/token": {"access_token": "of-no-use", "token_type": "Bearer", "id_token": self.token()},
        }


@contextmanager
def running() -> Iterator[Company]:
    """The company answers until the block ends."""
    company = Company()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(company.answers()[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class wants the name

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the tests' standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    company.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield company
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
