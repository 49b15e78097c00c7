"""Both ends of TLS between the stack's parts: its own authority, and nobody else's."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Paths of the authority's certificate, and of the certificate and key that this end shows."""

    authority: str
    certificate: str
    key: str

    def client(self) -> ssl.SSLContext:
        """Return what verifies the server, by the address that it is reached at."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def server(self) -> ssl.SSLContext:
        """Return what lets anybody connect, and knows who showed a certificate of the authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context
