"""Listeners with certificates; and none that others reach without one."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from argus.server.private_stack import private_settings, stack_over
from argus.storage.embedded import StoreUrls
from tests.support.stack import Stack


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_both_listeners_take_a_certificate(
    stores: StoreUrls, stack: Stack, certificate: tuple[Path, Path]
) -> None:
    """GRPC and HTTP serve with it, and nothing without."""
    chain, key = certificate
    settings = {
        "key_encryption_key": stack.private.settings.key_encryption_key,
        "grpc_tls_certificate": chain,
        "grpc_tls_key": key,
        "http_tls_certificate": chain,
        "http_tls_key": key,
    }
    request = health_pb2.HealthCheckRequest(service="")
    async with stack_over(stores, clock=stack.private.clock, **settings) as other:
        address = other.server.grpc_address
        trusted = grpc.ssl_channel_credentials(root_certificates=chain.read_bytes())
        async with grpc.aio.secure_channel(address, trusted) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(request)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health_pb2_grpc.HealthStub(channel).Check(request)
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert other.server.http_url.startswith("https://")
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=chain)) as client:
            assert (await client.get(f"{other.server.http_url}/readyz")).status_code == 200
            assert (await client.get(f"{other.server.admin_url}/healthz")).status_code == 200


@pytest.mark.parametrize("listener", ["grpc_listen", "http_listen", "admin_listen"])
def test_a_listener_that_others_reach_needs_one(stores: StoreUrls, listener: str) -> None:
    """Refused before anything listens, with what to set."""
    with pytest.raises(ValidationError, match="TLS_CERTIFICATE"):
        private_settings(stores, **{listener: "0.0.0.0:0"})
