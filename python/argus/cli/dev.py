"""`argus dev`: everything on this machine, from one command."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argus.cli.output import ConfigOption, JsonOption, load_settings, show_json

if TYPE_CHECKING:
    from argus.server.dev import DevServer

_TEXT = """\

Argus serves. Ctrl-C stops it; its data is in {data_dir}.

  gRPC    {grpc}
  HTTP    {http}
  admin   {admin}   (/readyz, /metrics)
  mails   {mails}
  pages   {pages}/sign-in   ({administrator}; its password: cat {password})

  tenant {tenant}, client {client}; secrets in {data_dir}/secrets

Try it: paste any of these into another shell.

# The keys that the tenant's tokens are verified by.
curl -fsS {http}/t/{tenant}/.well-known/jwks.json

# A client token (https://github.com/fullstorydev/grpcurl).
grpcurl -plaintext -d @ {grpc} argus.v1.TokenService/IssueClientToken <<JSON
{{"parent": "tenants/{tenant}", "client_id": "{client}", "client_secret": "$(cat {client_secret})"}}
JSON

# The command line, on the same stores.
env ARGUS_CONFIG={config} {argus} users list --tenant {tenant}

# Sign in, verify, list, end, and see the token refused.
{python} - <<'PY'
from pathlib import Path
import grpc
from argus.v1 import authentication_service_pb2 as a, authentication_service_pb2_grpc as authentication
from argus.v1 import session_service_pb2 as s, session_service_pb2_grpc as sessions
from argus.v1 import token_service_pb2 as t, token_service_pb2_grpc as tokens, types_pb2

tenant = "tenants/{tenant}"
channel = grpc.insecure_channel("{grpc}")
issue, login, session = (
    tokens.TokenServiceStub(channel),
    authentication.AuthenticationServiceStub(channel),
    sessions.SessionServiceStub(channel),
)
secret = Path({client_secret!r}).read_text()
client = issue.IssueClientToken(
    t.IssueClientTokenRequest(parent=tenant, client_id="{client}", client_secret=secret)
)
caller = [("authorization", "Bearer " + client.tokens.access_token)]
started = login.StartLogin(a.StartLoginRequest(parent=tenant, identifier="{administrator}"), metadata=caller)
done = login.SubmitFactor(
    a.SubmitFactorRequest(
        parent=tenant,
        login_token=started.login_token,
        password=Path({password!r}).read_text(),
    ),
    metadata=caller,
)
verify = t.VerifyAccessTokenRequest(
    access_token=done.tokens.access_token, consistency=types_pb2.CONSISTENCY_STRONG
)
verified = issue.VerifyAccessToken(verify, metadata=caller)
print("verified", verified.session, verified.acr, list(verified.amr))
user = done.session.name.partition("/sessions/")[0]
for one in session.ListSessions(s.ListSessionsRequest(parent=user), metadata=caller).sessions:
    print("session", one.name)
session.TerminateSession(s.TerminateSessionRequest(name=done.session.name), metadata=caller)
try:
    issue.VerifyAccessToken(verify, metadata=caller)
except grpc.RpcError as error:
    print("refused", error.code().name, error.details())
PY
"""


def dev(
    grpc_listen: Annotated[str | None, typer.Option(help="Address of the gRPC server.")] = None,
    http_listen: Annotated[str | None, typer.Option(help="Address of the HTTP edge.")] = None,
    admin_listen: Annotated[str | None, typer.Option(help="Address of health checks and metrics.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of stores and secrets; default: .argus.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Start Argus with stores of its own on this machine, and print lines to try it with.

    The first start makes stores, keys, a tenant, a first administrator and a service client; later ones go on.
    """
    # Here, so that `argus --help` does without it.
    from argus.server.dev import run_dev

    settings = load_settings(
        config, grpc_listen=grpc_listen, http_listen=http_listen, admin_listen=admin_listen, data_dir=data_dir
    )
    run_dev(settings, announce=_announce_json if as_json else _announce)


def _announce_json(server: DevServer) -> None:
    show_json(asdict(server))


def _announce(server: DevServer) -> None:
    facts = {name: str(value) for name, value in asdict(server).items()}
    program = str(Path(sys.executable).with_name("argus"))
    sys.stdout.write(_TEXT.format(**facts, python=shlex.quote(sys.executable), argus=shlex.quote(program)))
    sys.stdout.flush()
