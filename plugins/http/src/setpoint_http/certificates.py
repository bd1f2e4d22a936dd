"""The certificate that a server shows: as it lies in its files, and told apart from the one of tomorrow."""

import os
import ssl
from typing import NamedTuple

from setpoint import Refused


class Certificate(NamedTuple):
    """A certificate and its key.

    cert, key: their files; the same one if both are in it.
    stamp: what another certificate in these files changes.
    """

    cert: str
    key: str
    stamp: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, cert: str, key: str) -> "Certificate":
        """Return the certificate that lies in these files now.

        Raises:
            OSError: there is none.

        """
        found = map(os.stat, (cert, key))
        return cls(cert, key, tuple((status.st_mtime_ns, status.st_ino) for status in found))

    def __str__(self) -> str:
        return f"{self.cert} of {max(self.stamp)[0] // 1_000_000_000}"

    def context(self) -> ssl.SSLContext:
        """Return what TLS needs to show it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load(context)
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Have `context` show it from now on.

        Raises:
            Refused: it is no certificate, or the key is another's.

        """
        try:
            context.load_cert_chain(self.cert, self.key)
        except ssl.SSLError as error:
            why = (error.reason or str(error)).lower().replace("_", " ")
            raise Refused(
                f"{self.cert} and {self.key} are no certificate with its key, {why}",
                "give cert a PEM with the certificate and those above it, and key its key",
            ) from None
