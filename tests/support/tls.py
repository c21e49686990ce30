"""A certificate authority of one's own, and TLS in front of a server that speaks none."""

import contextlib
import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

INTERNAL_NAME = "argus.internal"
"""Name in every certificate, beside the address."""

_CHUNK = 65_536


class TlsFront:
    """Takes TLS connections for 127.0.0.1 and hands what they say on to a unix socket."""

    def __init__(self, folder: Path, behind: str, *, like: "TlsFront | None" = None) -> None:
        """Listens at once.

        Args:
            folder: Where its key goes.
            behind: The unix socket.
            like: Has the certificates of this one; None: an authority of its own.
        """
        self._behind = behind
        self._certificates: tuple[bytes, bytes, bytes] = like._certificates if like else certificates()
        self.ca_pem, chain, key = self._certificates
        (folder / "server.pem").write_bytes(chain + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self._listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while self._listener.fileno() >= 0:
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._behind)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError), source, sink:
        while data := source.recv(_CHUNK):
            sink.sendall(data)


def certificates() -> tuple[bytes, bytes, bytes]:
    """PEM of an authority, of a certificate of 127.0.0.1 and `INTERNAL_NAME` by it, and of that one's key."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", "authority", authority_key.public_key(), authority_key, is_authority=True)
    server = _certificate("server", "authority", key.public_key(), authority_key, is_authority=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), server.public_bytes(pem), private


def _certificate(
    name: str,
    issuer: str,
    public_key: ec.EllipticCurvePublicKey,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    ).add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    if not is_authority:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = [address, x509.DNSName(INTERNAL_NAME)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def served_from(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate, and the file of whom to trust for it; both are written to a folder."""
    ca_pem, chain, key = certificates()
    (folder / "server.pem").write_bytes(chain + key)
    (folder / "ca.pem").write_bytes(ca_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "ca.pem"
