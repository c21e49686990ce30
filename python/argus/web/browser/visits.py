"""What is known about a request of a browser: its tenant, its cookies, who seems to send it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from argus.base.errors import InvalidFieldError
from argus.base.ids import sha256
from argus.base.languages import MAX_ACCEPTED
from argus.base.origin import Origin
from argus.clients.model import ACCOUNT_CLIENT
from argus.devices.model import DeviceTraits
from argus.devices.traits import HINTS, MAX_USER_AGENT, Hints, traits_of
from argus.v1.types_pb2 import ClientContext, DpopProof, Proof
from argus.web.browser.addresses import Addresses
from argus.web.browser.cookies import DEVICE, LANGUAGE, Cookies, Kind
from argus.web.browser.nonces import Nonces

_LONGEST_PROOF: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of a browser, as flows want to know it.

    Attributes:
        ip_address: Where it comes from, if that is known.
        cookies: Those of Argus in this tenant.
        jar: Writes them.
        proof: Of the key that the session is bound to, or is to be (RFC 9449).
        digest: Tells it from other requests.
        languages: What its reader reads, as in an Accept-Language header.
        hints: The client hints that came with it.
    """

    tenant_id: str
    request_id: str
    ip_address: str | None
    user_agent: str
    cookies: Mapping[Kind, str] = field(repr=False)
    jar: Cookies
    proof: Proof | None = field(repr=False)
    digest: bytes
    languages: str = ""
    hints: Hints = field(default_factory=Hints)

    @property
    def origin(self) -> Origin:
        """On whose behalf it changes something: the user's, by Argus's own client."""
        return Origin(
            tenant_id=self.tenant_id,
            actor=f"client:{ACCOUNT_CLIENT}",
            request_id=self.request_id,
            ip_address=self.ip_address,
            user_agent=self.user_agent,
            languages=self.languages,
            request_sha256=self.digest,
        )

    def traits(self, fingerprint: Mapping[str, str] | None = None) -> DeviceTraits:
        """What its device says about itself.

        Args:
            fingerprint: What a page's script says about it.
        """
        return traits_of(self.user_agent, self.hints, fingerprint=fingerprint)

    @property
    def context(self) -> ClientContext:
        """What flows and engine go by; the device's secret becomes a print."""
        device = self.cookies.get(DEVICE, "")
        return ClientContext(
            ip_address=self.ip_address or "",
            user_agent=self.user_agent,
            accept_language=self.languages,
            installation_id=sha256(device).hex() if device else "",
        )


class Visits:
    """Makes visits out of requests."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        base_url: str,
        digest_key: bytes,
        nonces: Nonces | None = None,
        has_partitioned_cookies: bool = False,
    ) -> None:
        """Takes what it goes by.

        Args:
            addresses: Says where a request comes from.
            base_url: How clients address the HTTP edge; proofs are made for it.
            digest_key: Key of the digests of requests.
            nonces: What proofs must have; None: nothing.
            has_partitioned_cookies: Cookies are for applications that other sites embed.
        """
        self._nonces = nonces
        self._has_partitioned_cookies = has_partitioned_cookies
        self._addresses = addresses
        self._base_url = base_url
        self._digest_key = digest_key

    def of(self, request: Request, body: bytes = b"") -> Visit:
        """The visit that a request of a known tenant is.

        Raises:
            InvalidFieldError: It has several proofs, or one that is none.
            NonceRequiredError: Its proof lacks a nonce of now.
        """
        tenant_id = request.path_params["tenant_id"]
        proof = self._proof(request)
        jar = Cookies(tenant_id, is_partitioned=self._has_partitioned_cookies)
        cookies = jar.read(request)
        return Visit(
            tenant_id=tenant_id,
            request_id=request.state.request_id,
            ip_address=self._addresses.of(request),
            user_agent=_user_agent(request),
            cookies=cookies,
            jar=jar,
            proof=proof,
            digest=self._digest(request, body),
            languages=_languages(request, cookies.get(LANGUAGE, "")),
            hints=Hints(**{name: request.headers.get(header, "") for name, header in HINTS.items()}),
        )

    def _proof(self, request: Request) -> Proof | None:
        found = request.headers.getlist("dpop")
        if not found:
            return None
        # RFC 9449, section 4.3: not more than one.
        if len(found) != 1 or len(found[0]) > _LONGEST_PROOF:
            raise InvalidFieldError("DPoP", f"must be there once, with at most {_LONGEST_PROOF} bytes")
        if self._nonces is not None:
            self._nonces.check(request.path_params["tenant_id"], found[0])
        uri = self._base_url + request.url.path
        return Proof(dpop=DpopProof(jwt=found[0], http_method=request.method, http_uri=uri))

    def _digest(self, request: Request, body: bytes) -> bytes:
        digest = hmac.new(self._digest_key, request.method.encode(), hashlib.sha256)
        told = (request.url.path, request.headers.get("cookie", ""), request.headers.get("dpop", ""))
        for part in (*(one.encode() for one in told), body):
            digest.update(len(part).to_bytes(8) + part)
        return digest.digest()


def _languages(request: Request, chosen: str) -> str:
    """What the reader chose on a page, before what its browser says."""
    said = request.headers.get("accept-language", "").encode("ascii", "ignore").decode("ascii")
    return (chosen or said)[:MAX_ACCEPTED]


def _user_agent(request: Request) -> str:
    said = request.headers.get("user-agent", "")
    return said.encode("ascii", "ignore")[:MAX_USER_AGENT].decode("ascii")
