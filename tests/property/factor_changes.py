"""The half of the machine that changes a user's factors, by all who may."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from argus.policies.model import Scope
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import self_service_pb2 as self_service
from argus.v1 import user_service_pb2 as users
from tests.property.factor_player import FactorPlayer
from tests.support.account_links import Post
from tests.support.factor_model import Key, Model, Way, level
from tests.support.factor_scene import new_scene
from tests.support.features import origin
from tests.support.passkeys import enrol_passkey, set_rules
from tests.support.people import context

PASSWORDS = ("seven quiet otters under a bridge", "eight quiet otters under a bridge")
MOST_KEYS = 3
LIFE = timedelta(hours=3)


class FactorChanges(FactorPlayer):
    """Changes by administrators, by mail and by the user itself."""

    def begin(self, model: Model) -> None:
        """A tenant with a user."""
        self.scene = self.do(new_scene(self.stack))
        self.post = Post(stack=self.stack, api=self.scene.api, mails=self.mails)
        self.model = model
        if model.attests:
            rules = {
                "attestation": credentials.PASSKEY_ATTESTATION_DIRECT,
                "attestation_roots": [self.maker.root],
            }
            self.do(set_rules(self.scene.api, **rules))
        self.require(1)

    # ---- changes

    @precondition(lambda self: self.model.app is None)
    @rule()
    def enrol_app(self) -> None:
        self.next_step()
        self.model.app, self.model.is_app_lost = self.do(self.scene.app()), False

    @precondition(lambda self: len(self.model.keys) < MOST_KEYS)
    @rule(verifies=st.booleans(), is_syncable=st.booleans())
    def enrol_key(self, verifies: bool, is_syncable: bool) -> None:
        one = self.authenticator(verifies=verifies, is_syncable=is_syncable)
        use = credentials.PASSKEY_USE_SIGN_IN if verifies else credentials.PASSKEY_USE_SECOND_FACTOR
        made = self.do(enrol_passkey(self.scene.api, self.scene.person.name, one, use=use))
        self.model.keys.append(Key(name=made.name, authenticator=one))

    @rule()
    def begin_and_forget(self) -> None:
        """What is not confirmed changes nothing."""
        if self.model.app is None:
            request = credentials.StartTotpEnrolmentRequest(parent=self.scene.person.name)
            self.do(self.scene.api.credentials.StartTotpEnrolment(request))

    @rule(what=st.sampled_from(["app", "keys", "codes", "password"]))
    def lose(self, what: str) -> None:
        """In a river, say: the server knows nothing of it."""
        self.model.is_app_lost |= what == "app"
        self.model.is_forgotten |= what == "password"
        if what == "codes":
            self.model.codes = []
        for key in self.model.keys if what == "keys" else ():
            key.is_lost = True

    @rule()
    def replace_codes(self) -> None:
        self.model.codes = self.do(self.scene.codes())
        self.model.codes_left = len(self.model.codes)

    @rule(number=st.integers(0, 1))
    def reset_password(self, number: int) -> None:
        request = credentials.SetPasswordRequest(parent=self.scene.person.name, password=PASSWORDS[number])
        self.do(self.scene.api.credentials.SetPassword(request))
        self._knows(PASSWORDS[number])

    @precondition(lambda self: not self.model.is_disabled)
    @rule(by_mail=st.booleans())
    def recover(self, by_mail: bool) -> None:
        """A RESET IS NO SIGN-IN: it sets the password, ends all sessions, and leaves the second factor."""
        before, ids = self.counted(), (self.scene.api.tenant_id, self.scene.person.user_id)
        helping = self.stack.argus.accounts.help
        since = len(self.mails.of(self.scene.person.identifier))
        if by_mail:
            self.do(helping.send_link(*ids, origin=self.administrator()))
            token = self.do(self.mailed(since, "recovery")).token
        else:
            url, _ = self.do(helping.hand_link(*ids, origin=self.administrator()))
            token = url.partition("#")[2]
        self.do(self.post.complete("recovery", token, PASSWORDS[0]))
        assert self.counted() | {"password": 1} == before | {"password": 1}, "A RESET KEEPS THE SECOND FACTOR"
        assert not self.do(self.scene.person.list()), "A RESET IS NO SIGN-IN"
        self._knows(PASSWORDS[0])
        self._all_end()

    @rule()
    def disable_or_enable(self) -> None:
        name = self.scene.person.name
        if self.model.is_disabled:
            self.do(self.scene.api.users.EnableUser(users.EnableUserRequest(name=name)))
        else:
            self.do(self.scene.api.users.DisableUser(users.DisableUserRequest(name=name)))
            self._all_end()
        self.model.is_disabled = not self.model.is_disabled
        self.do(self.stack.advance(timedelta(seconds=2)))

    @rule(required=st.sampled_from([1, 1, 2, 2, 3]))
    def require(self, required: int) -> None:
        tenant_id = self.scene.api.tenant_id
        seconds = int(LIFE.total_seconds())
        document = {"required_acr": required, "idle_seconds": seconds, "absolute_seconds": seconds}
        scope = Scope(kind="tenant", id=tenant_id)
        argus = self.stack.argus
        self.do(argus.policies.set_document(tenant_id, scope, document, origin=origin(tenant_id)))
        self.do(argus.snapshot.refresh())
        self.model.required = required

    @rule()
    def reset_factors(self) -> None:
        """An administrator takes all but the password."""
        ids = (self.scene.api.tenant_id, self.scene.person.user_id)
        self.do(self.stack.argus.factor_reset.reset(*ids, origin=self.administrator()))
        assert set(self.counted()) <= {"password"}
        self.model.app, self.model.keys, self.model.codes, self.model.codes_left = None, [], [], 0
        self._all_end()
        self.do(self.stack.advance(timedelta(seconds=2)))

    @precondition(lambda self: self.model.app or self.model.keys)
    @rule(which=st.integers(0, 9))
    def remove(self, which: int) -> None:
        """An administrator takes one second factor."""
        names = self.names()
        name = list(names)[which % len(names)]
        self.do(self.scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=name)))
        self._removed(names[name])

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 9), session=st.integers(0, 9))
    def remove_own(self, which: int, session: int) -> None:
        """The user takes one itself: after a fresh proof, and never so that it could not live without."""
        model, held = self.model, self.sessions[list(self.sessions)[session % len(self.sessions)]]
        names = self.names() | {
            one.name: "password"
            for kind, one in self.do(self.scene.credentials()).items()
            if kind == credentials.CREDENTIAL_KIND_PASSWORD
        }
        if not names:
            return
        name = list(names)[which % len(names)]
        request = self_service.DeleteOwnCredentialRequest(
            access_token=held.access_token, client_context=context(), name=name, keep_other_sessions=True
        )
        reachable, needed = level(model.enrolled - {"code"})[0], model.required
        if self.refused(self.scene.api.self_service.DeleteOwnCredential(request)) is not None:
            return
        assert held.acr >= reachable, "A CHANGE NEEDS A FRESH PROOF of the highest level"
        self._removed(names[name])
        left = model.enrolled - {"code"}
        assert reachable < needed or level(left)[0] >= needed, "THE LAST FACTOR THAT IS REQUIRED STAYS"

    @rule()
    def expire(self) -> None:
        """Everything that has an end has ended."""
        self.do(self.stack.advance(LIFE + timedelta(minutes=1)))
        self._all_end()

    def take(self, way: Way) -> None:
        """Takes a way back as far as it is not a sign-in."""
        match way:
            case "enable":
                self.disable_or_enable()
            case "lower the level":
                self.require(1)
            case "recovery mail":
                self.recover(by_mail=True)
            case "link in the hand":
                self.recover(by_mail=False)
            case "reset of factors":
                self.reset_factors()
            case _:
                pass

    def _knows(self, password: str) -> None:
        self.model.password, self.model.is_forgotten = password, False

    def _all_end(self) -> None:
        self.dead += [held.refresh_token for held in self.sessions.values()]
        self.sessions.clear()

    def _removed(self, what: str) -> None:
        model = self.model
        if what == "password":
            model.password = ""
        elif what == "app":
            model.app = None
        else:
            model.keys = [key for key in model.keys if key.name != what]
