"""The front door: what listens for strangers, in the place of the gRPC server and the HTTP edge."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self, TypeAlias

import structlog
from cryptography.x509 import load_pem_x509_certificate

from argus._core import Door, DoorCertificate, DoorCounts, DoorLimits, Engine
from argus.base.listen import split_address
from argus.base.settings import Settings
from argus.server.tls import Tls

log = structlog.get_logger(__name__)

_SIGHTS: Final = 2
_MIB: Final = 1 << 20


class BehindTheDoor:
    """Unix sockets that only this process's user can reach: a folder of mode 0700."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="argus-"))
        self.grpc = self._folder / "grpc"
        self.http = self._folder / "http"

    def remove(self) -> None:
        """Takes them away."""
        shutil.rmtree(self._folder, ignore_errors=True)


_Content: TypeAlias = tuple[bytes, bytes, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """Where a certificate is, and whose clients' certificates are asked for."""

    tls: Tls
    authorities: Path | None = None
    requires_client: bool = False

    def read(self) -> _Content:
        """Chain, key and authorities, as they are now."""
        authorities = self.authorities.read_bytes() if self.authorities else None
        return self.tls.certificate.read_bytes(), self.tls.key.read_bytes(), authorities

    def certificate(self, content: _Content) -> DoorCertificate:
        """What a door is given.

        Raises:
            ValueError: The chain has no certificate.
        """
        chain, key, authorities = content
        load_pem_x509_certificate(chain)
        return DoorCertificate(chain, key, client_authorities=authorities, requires_client=self.requires_client)


class _Entrance:
    """One door, and the certificate that it shows."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        address: str,
        behind: BehindTheDoor,
        files: _Files | None,
        *,
        has_grpc: bool = True,
    ) -> None:
        self._files = files
        self._shown = files.read() if files else None
        self._refused: tuple[tuple[_Content | None, str], int] | None = None
        self.door = Door(
            engine,
            _resolved(address),
            grpc_socket=behind.grpc,
            http_socket=behind.http,
            certificate=files.certificate(self._shown) if files and self._shown else None,
            limits=DoorLimits(
                grpc=has_grpc,
                connections=settings.door_connections,
                streams=settings.door_streams,
                waiting=settings.door_waiting_mib * _MIB,
                passed=settings.door_passed,
                aborts_per_second=settings.door_aborts,
            ),
        )

    @property
    def certificate_expires(self) -> float | None:
        """Unix time at which its certificate expires."""
        if self._shown is None:
            return None
        return load_pem_x509_certificate(self._shown[0]).not_valid_after_utc.timestamp()

    def reload(self) -> None:
        """Shows what is in the files now; what can't be used is left, and said once it is no half-written pair."""
        if self._files is None:
            return
        found, fault = None, ""
        try:
            found = self._files.read()
            if found != self._shown:
                self.door.use_certificate(self._files.certificate(found))
                self._shown = found
                log.info("door.certificate_changed", file=str(self._files.tls.certificate))
        except OSError as error:
            fault = f"{error.filename}: {error.strerror}"
        except ValueError as error:
            fault = str(error)
        self._note((found, fault) if fault else None)

    def _note(self, refused: tuple[_Content | None, str] | None) -> None:
        """Says it at the second sight of the same, and no more after it."""
        times = self._refused[1] + 1 if self._refused and self._refused[0] == refused else 1
        self._refused = refused and (refused, times)
        if refused and times == _SIGHTS:
            log.error("door.certificate_refused", fault=refused[1], hint="the one before is shown until this is mended")


class FrontDoor:
    """Listens at the addresses of gRPC and HTTP; each answers everything, and they may be one.

    Where callers must bring a certificate, the other address answers HTTP alone.
    """

    def __init__(self, engine: Engine, settings: Settings, behind: BehindTheDoor) -> None:
        """Listens and serves.

        Args:
            engine: Answers the hot calls.
            settings: Addresses, certificates and bounds.
            behind: Sockets of the servers that answer the rest.

        Raises:
            OSError: Somebody else listens there, or a file can't be read.
            ValueError: A certificate can't be used.
        """
        grpc_tls = Tls.of(settings.grpc_tls_certificate, settings.grpc_tls_key)
        http_tls = Tls.of(settings.http_tls_certificate, settings.http_tls_key)
        authorities = settings.grpc_client_authorities
        requires_client = settings.grpc_client_certificate == "required"
        for_grpc = _Files(tls=grpc_tls, authorities=authorities, requires_client=requires_client) if grpc_tls else None
        for_http = _Files(tls=http_tls) if http_tls else None
        grpc = _Entrance(engine, settings, settings.grpc_listen, behind, for_grpc)
        is_one = (settings.grpc_listen, grpc_tls) == (settings.http_listen, http_tls)
        self._entrances = [grpc]
        if not is_one:
            # It asks for no client certificate: gRPC by it would be a way around the one that is required.
            http = _Entrance(engine, settings, settings.http_listen, behind, for_http, has_grpc=not requires_client)
            self._entrances.append(http)
        self.grpc_port = grpc.door.port
        self.http_port = self._entrances[-1].door.port

    def counts(self) -> list[DoorCounts]:
        """What each door has counted."""
        return [one.door.counted() for one in self._entrances]

    def certificates_expire(self) -> float | None:
        """Unix time at which the first of its certificates expires; None: it shows none."""
        times = (one.certificate_expires for one in self._entrances)
        return min((time for time in times if time is not None), default=None)

    async def reload_certificates(self) -> None:
        """Takes up certificates whose files have changed; connections that there are go on."""
        for one in self._entrances:
            await asyncio.to_thread(one.reload)

    @classmethod
    async def open(cls, engine: Engine, settings: Settings, behind: BehindTheDoor) -> Self:
        """Opens it once what is behind it serves."""
        return await asyncio.to_thread(cls, engine, settings, behind)

    async def close(self, grace: timedelta) -> None:
        """Takes no further connections and lets calls under way finish, for `grace` at most."""
        closing = (asyncio.to_thread(one.door.close, grace.total_seconds()) for one in self._entrances)
        await asyncio.gather(*closing)


def _resolved(address: str) -> str:
    host, port = split_address(address)
    host = "127.0.0.1" if host == "localhost" else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
