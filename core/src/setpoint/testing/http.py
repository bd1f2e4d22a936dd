"""Fixtures with a real HTTP server on loopback: see `setpoint.testing.serving` for what it can do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from setpoint.testing.serving import Server


@pytest.fixture
def http_server() -> "Iterator[Server]":
    """Give this test a server with nothing to serve yet; ended afterwards."""
    from setpoint.testing.serving import Server

    server = Server()
    yield server
    server.close()


@pytest.fixture
def https_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """Give this test a server behind TLS, with an authority of its own; needs the distribution `trustme`.

    To have it demand a certificate of its clients, set its `context.verify_mode`.
    """
    import ssl

    import trustme

    from setpoint.testing.serving import Server

    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    client = authority.issue_cert("client@example.org")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    server = Server(context, ca=str(folder / "ca.pem"), client_cert=str(folder / "client.pem"))
    yield server
    server.close()
