"""oidc-provider as a peer."""

import base64
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from bench.peers.installing import node_modules, program
from bench.peers.web import Web
from tests.support.servers import free_ports
from tests.support.valkey import Valkey

_SOURCE: Final = Path(__file__).parent
_REDIRECT_URI: Final = "https://client.example.com/back"


class OidcProvider:
    """A server of its own. A `Peer`."""

    def __init__(self, web: Web, valkey: Valkey, *, url: str, version: str) -> None:
        self.web = web
        self.name = f"oidc-provider {version}"
        self.stores: Mapping[str, int] = {"redis": valkey.pid}
        self._url = url

    async def sign_ins(self, count: int) -> Sequence[Mapping[str, str]]:
        """Authorization codes, made as an interaction with a user makes them; a session begins with their exchange."""
        codes = (await self.web.http.get(f"{self._url}/codes", params={"count": count})).raise_for_status().json()
        form = {"grant_type": "authorization_code", "redirect_uri": _REDIRECT_URI}
        return [form | {"code": code} for code in codes]


@asynccontextmanager
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    """To be entered from the main thread, with which it ends.

    Raises:
        AbsentError: It can't be had here.
    """
    node, modules = program("node"), node_modules(_SOURCE)
    packages = json.loads((_SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argus-")))
        valkey = Valkey(folder / "valkey")
        valkey.start()
        stack.callback(valkey.stop)
        # As Argus's own store: what is written survives the server's end.
        valkey.client.config_set("appendonly", "yes")
        valkey.client.config_set("appendfsync", "everysec")
        (port,), secret = free_ports(1), secrets.token_urlsafe(24)
        url = f"http://127.0.0.1:{port}"
        redis = f"redis://127.0.0.1:{valkey.port}"
        command: list[str | Path] = [
            "/usr/bin/env",
            "NODE_ENV=production",
            node,
            modules / "server.mjs",
            str(port),
            redis,
            secret,
            _key(),
        ]
        web = Web("oidc-provider", folder, command, secret=secret, ready=f"{url}/.well-known/openid-configuration")
        web.token_url, web.introspection_url = f"{url}/token", f"{url}/token/introspection"
        await stack.enter_async_context(web)
        yield OidcProvider(web, valkey, url=url, version=packages["oidc-provider"])


def _key() -> str:
    """A new RSA-2048 key as a private JWK (RFC 7518, section 6.3)."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    numbers = {"n": private.public_numbers.n, "e": private.public_numbers.e, "d": private.d, "p": private.p}
    numbers |= {"q": private.q, "dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
    encoded = {name: _base64url(number) for name, number in numbers.items()}
    return json.dumps({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", **encoded})


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
