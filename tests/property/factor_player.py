"""What the machine plays with: calls of the server, and the steps that logins are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.server.api import Failure, failure_of
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.support.authenticator import App, app_of
from tests.support.factor_model import Key, Model, Pending
from tests.support.factor_scene import STEP, Scene, kinds
from tests.support.passkeys import authenticator_of, options_of
from tests.support.people import refresh
from tests.support.virtual_authenticator import Authenticator, Maker

if TYPE_CHECKING:
    import asyncio

    from tests.support.account_links import Post
    from tests.support.mails import MailServer, Received
    from tests.support.stack import Stack

T = TypeVar("T")

MOST_FAILURES = 8
MOST_MAILS = 2
# From this level on, keys that verify nobody are not asked for.
_VERIFIED = 3


@dataclass(slots=True, kw_only=True)
class Held:
    """A session in the model."""

    acr: int
    access_token: str
    refresh_token: str


class FactorPlayer(RuleBasedStateMachine):
    """A user with its logins."""

    stack: Stack
    mails: MailServer
    loop: asyncio.AbstractEventLoop
    scene: Scene
    post: Post
    model: Model

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, Held] = {}
        self.dead: list[str] = []
        self.pending: list[Pending] = []
        self.maker = Maker()
        self.made: App | Key | None = None

    # ---- what uses are made of

    def answers(self, step: Any, wanted: int, *, by_mail: bool) -> list[tuple[str, dict[str, str]]]:
        """What the user can answer to a login now: what each proves, and what is handed in."""
        model, offered, found = self.model, kinds(step.login), []
        if step.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED:
            made = Key(name="", authenticator=self.authenticator(verifies=True, is_syncable=False)).proof
            return [({"TOTP": "app"}.get(kind, made), {"kind": kind}) for kind in offered]
        if by_mail and "EMAIL_CODE" in offered and model.mails < MOST_MAILS and not model.is_disabled:
            return [("mail", {"email_code": self._mailed(step.login_token)})]
        if "PASSWORD" in offered and "password" in model.held:
            found.append(("password", {"password": model.password}))
        if "TOTP" in offered and "app" in model.held and model.app:
            self.next_step()
            found.append(("app", {"totp": model.app.code(self.scene.now)}))
        if "RECOVERY_CODE" in offered and model.codes:
            found.append(("code", {"recovery_code": model.codes[-1]}))
        in_hand = [key for key in model.keys if not key.is_lost and key.may_answer(step.login)]
        able = [key for key in in_hand if key.authenticator.verifies_user or wanted < _VERIFIED]
        if "WEBAUTHN" in offered:
            found += [(key.proof, {"webauthn_json": key.authenticator.get(options_of(step.login))}) for key in able]
        return found

    def hand_in(self, login_token: str, factor: dict[str, str]) -> authentication.SubmitFactorResponse | Failure:
        """Hands a right factor in, after enrolling it if that is asked for."""
        if "kind" in factor:
            begun = self._enrolling(login_token, factor.pop("kind"))
            if isinstance(begun, Failure):
                return begun
            factor |= begun
        outcome = self.outcome(self.scene.hand_in(login_token, **factor))
        if isinstance(outcome, Failure):
            self.made = None
        else:
            self.model.failures[next(iter(factor))] = 0
        return outcome

    def used(self, proof: str, factor: dict[str, str]) -> None:
        """USED IS USED: what counts once counts in no other login."""
        model = self.model
        self._enrolled()
        if proof == "code":
            model.codes.remove(factor["recovery_code"])
            model.codes_left -= 1
        if proof not in {"code", "app"} or "password" not in model.held:
            return
        begun = self.do(self.scene.start())
        step = self.outcome(self.scene.hand_in(begun.login_token, password=model.password))
        if isinstance(step, Failure) or step.login.state != authentication.LOGIN_STATE_FACTOR_REQUIRED:
            return
        if {"code": "RECOVERY_CODE", "app": "TOTP"}[proof] not in kinds(step.login):
            return
        self.wrong(step.login_token, factor, "USED IS USED")
        if proof == "app" and model.app:
            before = {"totp": model.app.code(self.scene.now, steps=-1)}
            self.wrong(step.login_token, before, "USED IS USED: a step before it")

    def answer_wrongly(self, step: Any) -> None:
        """Hands something in that is not right."""
        offered = kinds(step.login)
        if step.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED:
            return
        if "PASSWORD" in offered:
            self.wrong(step.login_token, {"password": f"{self.model.password}!"}, "WRONG IS REFUSED")
        elif "TOTP" in offered and self.model.app:
            self.wrong(step.login_token, {"totp": self.model.app.wrong_code(self.scene.now)}, "WRONG IS REFUSED")
        elif "RECOVERY_CODE" in offered:
            self.wrong(step.login_token, {"recovery_code": "222222222222"}, "WRONG IS REFUSED")

    def wrong(self, login_token: str, factor: dict[str, str], law: str) -> None:
        """So many in a row that the next would have to wait are not tried."""
        (kind,) = factor
        if self.model.failures[kind] >= MOST_FAILURES:
            return
        self.model.failures[kind] += 1
        failure = self.refused(self.scene.hand_in(login_token, **factor))
        assert failure is not None, law
        assert failure.reason in {"FACTOR_REFUSED", "FIELD_INVALID"}

    def leave(self, step: Any, proofs: list[str], wanted: int, session: str, late: Pending | None) -> None:
        """Leaves a login half done."""
        if proofs and late is None:
            self.pending.append(
                Pending(
                    step=step,
                    proofs=proofs,
                    wanted=wanted,
                    session=session,
                    begun=self.scene.now,
                    password=self.model.password,
                    keys=[key.name for key in self.model.keys],
                    app=self.model.app,
                )
            )

    def keep(self, step: Any, acr: int) -> None:
        """A session, or its new family."""
        tokens = step.tokens
        self.sessions[step.session.name] = Held(
            acr=acr, access_token=tokens.access_token, refresh_token=tokens.refresh_token
        )

    async def refreshed(self, name: str) -> None:
        """Refreshes a session of the model."""
        held = self.sessions[name]
        tokens = (await refresh(self.scene.api, held.refresh_token)).tokens
        held.access_token, held.refresh_token = tokens.access_token, tokens.refresh_token

    def refresh_call(self, token: str) -> Awaitable[Any]:
        """A refresh."""
        return refresh(self.scene.api, token)

    def _enrolled(self) -> None:
        """What a login has enrolled on its way is the user's from now on."""
        model = self.model
        if isinstance(self.made, App):
            model.app, model.is_app_lost = self.made, False
        elif self.made is not None:
            found = {key.name for key in model.keys}
            self.made.name = next(name for name, what in self.names().items() if what == name and name not in found)
            model.keys.append(self.made)
        self.made = None

    def _enrolling(self, login_token: str, kind: str) -> dict[str, str] | Failure:
        """Begins to enrol what a login asks for, and answers it."""
        request = authentication.StartEnrolmentRequest(
            parent=self.scene.api.parent,
            login_token=login_token,
            kind=authentication.FactorKind.Value(f"FACTOR_KIND_{kind}"),
        )
        begun = self.outcome(self.scene.api.authentication.StartEnrolment(request))
        if isinstance(begun, Failure):
            return begun
        if kind == "TOTP":
            self.made = app_of(begun.uri)
            return {"totp": self.made.code(self.scene.now)}
        one = self.authenticator(verifies=True, is_syncable=False)
        answer = one.create(begun.webauthn_options_json)
        self.made = Key(name="", authenticator=one)
        return {"webauthn_json": answer}

    def _mailed(self, login_token: str) -> str:
        """A one-time code out of the mail."""
        self.model.mails += 1
        since = len(self.mails.of(self.scene.person.identifier))
        request = accounts.SendEmailCodeRequest(parent=self.scene.api.parent, login_token=login_token)
        self.do(self.scene.api.accounts.SendEmailCode(request))
        return self.do(self.mailed(since, "email_code")).code

    async def mailed(self, since: int, what: str) -> Received:
        """The mail with a code or link that came after so many: notices come as well."""
        address, words = self.scene.person.identifier, {"email_code": "sign-in code", "recovery": "/account/recovery#"}

        def fitting() -> list[Received]:
            return [one for one in self.mails.of(address)[since:] if words[what] in f"{one.subject} {one.text}"]

        await self.post.carry_out()
        await self.mails.until(lambda: bool(fitting()))
        return fitting()[0]

    # ---- calls

    def authenticator(self, *, verifies: bool, is_syncable: bool) -> Authenticator:
        """A new one, whose maker vouches for it where the tenant wants to know."""
        maker = self.maker if self.model.attests else None
        traits = {"verifies_user": verifies, "is_syncable": is_syncable, "maker": maker}
        return self.do(authenticator_of(self.scene.api, **traits))

    def counted(self) -> Counter[str]:
        """How many of each kind the server has of the user."""
        listed = self.do(self._list())
        names = [credentials.CredentialKind.Name(one.kind).removeprefix("CREDENTIAL_KIND_").lower() for one in listed]
        return Counter(names)

    def names(self) -> dict[str, str]:
        """Names of the second factors, and what each is: an app, or the name itself of a passkey."""
        kinds_of = {credentials.CREDENTIAL_KIND_TOTP: "app", credentials.CREDENTIAL_KIND_WEBAUTHN: ""}
        return {one.name: kinds_of[one.kind] or one.name for one in self.do(self._list()) if one.kind in kinds_of}

    async def _list(self) -> list[credentials.Credential]:
        request = credentials.ListCredentialsRequest(parent=self.scene.person.name)
        found = (await self.scene.api.credentials.ListCredentials(request)).credentials
        # Not by their ids, which are others every time: a case must go the same way twice.
        return sorted(found, key=lambda one: one.create_time.ToNanoseconds())

    def administrator(self) -> Origin:
        """Who helps."""
        return Origin(tenant_id=self.scene.api.tenant_id, actor="cli:root", request_id=new_id(), method="argus users")

    def next_step(self) -> None:
        """A time step of which no code was used."""
        self.do(self.stack.advance(STEP + timedelta(seconds=1)))

    def refused(self, call: Awaitable[Any]) -> Failure | None:
        """What a call is refused with."""
        return self.do(failure_of(call))

    def outcome(self, call: Awaitable[T]) -> T | Failure:
        """What a call gives, or is refused with."""

        async def tried() -> T | Failure:
            found: list[T] = []

            async def kept() -> None:
                found.append(await call)

            return await failure_of(kept()) or found[0]

        return self.do(tried())

    def do(self, call: Awaitable[T]) -> T:
        """Waits for a call."""

        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())
