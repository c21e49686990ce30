"""What a tenant may say about passkeys, and what holds where it says nothing."""

import ipaddress
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from cryptography import x509

from argus.base.errors import InvalidFieldError
from argus.base.listen import is_loopback
from argus.credentials.webauthn.model import Attestation, RelyingParty

CounterPolicy = Literal["ignore", "step_up", "refuse"]
"""What a counter that did not grow leads to, beside the event: nothing, the demand for a further factor, a refusal."""

MAX_ORIGINS: Final = 20
MAX_ROOTS: Final = 500
MAX_AAGUIDS: Final = 500
MAX_RP_NAME: Final = 64
_DOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ANDROID: Final = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{27,64}")
_FIELD: Final = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRules:
    """A tenant's rules.

    Attributes:
        rp_id: Domain that passkeys are bound to; "": the host of the base URL.
        rp_name: What authenticators call the service; "": the domain.
        origins: Where answers may come from; none: the base URL's.
        allows_cross_origin: Answers may come out of a frame of another site.
        top_origins: Those sites.
        attestation_roots: DER of the certificates that attestations must lead to.
        aaguids: Makes of authenticators that are allowed; none: all.
        revision: 0: the tenant never said anything.
    """

    tenant_id: str
    rp_id: str = ""
    rp_name: str = ""
    origins: Sequence[str] = ()
    allows_cross_origin: bool = False
    top_origins: Sequence[str] = ()
    counter_policy: CounterPolicy = "step_up"
    attestation: Attestation = "none"
    attestation_roots: Sequence[bytes] = ()
    aaguids: Sequence[str] = ()
    revision: int = 0

    @property
    def relying_party(self) -> RelyingParty:
        """What ceremonies go by; asked of rules that `filled_in` gave."""
        return RelyingParty(
            rp_id=self.rp_id,
            origins=self.origins,
            allows_cross_origin=self.allows_cross_origin,
            top_origins=self.top_origins,
            attestation=self.attestation,
            roots=self.attestation_roots,
            aaguids=self.aaguids,
        )

    def filled_in(self, base_url: str) -> "PasskeyRules":
        """The rules with what the base URL says in the place of what the tenant does not."""
        base = urlsplit(base_url)
        host, origin = base.hostname or "", f"{base.scheme}://{base.netloc.lower()}"
        # Browsers take no address for a relying party; at this machine they take "localhost".
        if is_loopback(host) and host != "localhost":
            host, origin = "localhost", f"{base.scheme}://localhost" + (f":{base.port}" if base.port else "")
        rp_id = self.rp_id or host
        return replace(self, rp_id=rp_id, rp_name=self.rp_name or rp_id, origins=self.origins or (origin,))


def check_rules(rules: PasskeyRules) -> None:
    """Raises `InvalidFieldError`, naming the field, for rules that would be unsafe or could let nobody in."""
    if rules.rp_id and (not _DOMAIN.fullmatch(rules.rp_id) or _is_address(rules.rp_id)):
        raise _invalid("rp_id", 'must be a domain in lower case, such as "example.com"')
    if len(rules.rp_name) > MAX_RP_NAME:
        raise _invalid("rp_name", f"must have at most {MAX_RP_NAME} characters")
    _check_origins("origins", rules.origins, allow_apps=True)
    _check_origins("top_origins", rules.top_origins, allow_apps=False)
    if rules.top_origins and not rules.allows_cross_origin:
        raise _invalid("top_origins", "need allow_cross_origin")
    if rules.attestation == "direct" and not rules.attestation_roots:
        raise _invalid("attestation_roots", "are needed for DIRECT: without a root nothing can be trusted")
    if rules.attestation == "none" and (rules.attestation_roots or rules.aaguids):
        name = "attestation_roots" if rules.attestation_roots else "aaguids"
        raise _invalid(name, "need attestation DIRECT: without a proof of its make an authenticator may say anything")
    _check_count("attestation_roots", rules.attestation_roots, MAX_ROOTS)
    _check_count("aaguids", rules.aaguids, MAX_AAGUIDS)


def check_certificate(content: bytes, index: int) -> bytes:
    """A certificate, if it is one in DER.

    Raises:
        InvalidFieldError: It is not one.
    """
    try:
        x509.load_der_x509_certificate(content)
    except ValueError:
        raise _invalid(f"attestation_roots[{index}]", "must be a certificate in DER") from None
    return content


def read_aaguid(text: str, index: int) -> str:
    """An AAGUID as a UUID in lower case.

    Raises:
        InvalidFieldError: It is not one.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise _invalid(f"aaguids[{index}]", "must be a UUID") from None


def _check_origins(name: str, values: Sequence[str], *, allow_apps: bool) -> None:
    _check_count(name, values, MAX_ORIGINS)
    for index, value in enumerate(values):
        if allow_apps and _ANDROID.fullmatch(value):
            continue
        if not _is_origin(value):
            what = "an origin as browsers write it: https://, a host in lower case, no path, no default port"
            apps = "; or android:apk-key-hash:…" if allow_apps else ""
            raise _invalid(f"{name}[{index}]", f"must be {what}{apps}")


def _is_origin(value: str) -> bool:
    """It is what a browser serialises an origin to: nothing else could ever be equal to one."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    default_port = {"https": 443, "http": 80}.get(parts.scheme)
    # "Secure contexts" alone have WebAuthn: HTTPS, and this machine.
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return False
    if not _DOMAIN.fullmatch(host) or port == default_port:
        return False
    return value == f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _check_count(name: str, values: Sequence[object], most: int) -> None:
    if len(values) > most:
        raise _invalid(name, f"must have at most {most} items")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _invalid(name: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{_FIELD}.{name}", message)
