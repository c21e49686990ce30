"""What people do by the links in their mails."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Final, cast

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import Api
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import user_service_pb2 as users
from tests.support.mails import MailServer, Received
from tests.support.stack import Stack

NEW_PASSWORD: Final = "nine brave herons above the harbour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A tenant's accounts, and the mails that they lead to."""

    stack: Stack
    api: Api
    mails: MailServer
    counted: dict[str, int] = field(default_factory=dict)

    async def recover(self, identifier: str, *, locale: str = "", ip: str = "") -> None:
        """Asks for a recovery link."""
        request = accounts.StartRecoveryRequest(parent=self.api.parent, identifier=identifier, locale=locale)
        request.client_context.ip_address = ip
        await self.api.accounts.StartRecovery(request)

    async def register(self, email: str, *, locale: str = "") -> None:
        """Asks for a registration link."""
        request = accounts.StartRegistrationRequest(parent=self.api.parent, email=email, locale=locale)
        await self.api.accounts.StartRegistration(request)

    async def verify(self, email: str) -> None:
        """Asks for a verification link."""
        await self.api.accounts.StartVerification(
            accounts.StartVerificationRequest(parent=self.api.parent, email=email)
        )

    async def invite(self, email: str, **fields: Any) -> users.User:
        """Invites somebody."""
        request = accounts.InviteUserRequest(parent=self.api.parent, email=email, **fields)
        return (await self.api.accounts.InviteUser(request)).user

    async def complete(self, purpose: str, token: str, password: str = NEW_PASSWORD, *, api: Api | None = None) -> Any:
        """Uses a link's token for something."""
        api = api or self.api
        stub, fields = api.accounts, cast("dict[str, Any]", {"parent": api.parent, "token": token})
        if purpose == "recovery":
            return await stub.CompleteRecovery(accounts.CompleteRecoveryRequest(**fields, password=password))
        if purpose == "registration":
            return await stub.CompleteRegistration(accounts.CompleteRegistrationRequest(**fields, password=password))
        if purpose == "verification":
            return await stub.CompleteVerification(accounts.CompleteVerificationRequest(**fields))
        return await stub.AcceptInvitation(accounts.AcceptInvitationRequest(**fields, password=password))

    async def look(self, token: str) -> accounts.GetAccountLinkResponse:
        """Looks at a link, as the page that it leads to does."""
        return await self.api.accounts.GetAccountLink(
            accounts.GetAccountLinkRequest(parent=self.api.parent, token=token)
        )

    async def carry_out(self) -> None:
        """Does now what the loops of the server would do within a second."""
        await self.stack.argus.accounts.answering.run_due()
        await self.stack.argus.accounts.posting.run_due()

    async def mail(self, address: str) -> Received:
        """The next mail to an address."""
        after = self.counted.get(address, 0)
        self.counted[address] = after + 1
        await self.carry_out()
        return await self.mails.next(address, after=after)

    async def link(self, purpose: str) -> Received:
        """A mail with a good link for a purpose, to an address that nobody else has."""
        address = new_address()
        if purpose == "registration":
            await self.register(address)
        elif purpose == "invitation":
            await self.invite(address)
        else:
            one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=address)
            await self.api.users.CreateUser(
                users.CreateUserRequest(parent=self.api.parent, user=users.User(identifiers=[one]))
            )
            await (self.recover(address) if purpose == "recovery" else self.verify(address))
        return await self.mail(address)

    async def set_policy(self, **document: Any) -> None:
        """Sets the tenant's policy."""
        origin = Origin(tenant_id=self.api.tenant_id, actor="system:test", request_id=new_id())
        scope = Scope(kind="tenant", id=self.api.tenant_id)
        await self.stack.argus.policies.set_document(self.api.tenant_id, scope, document, origin=origin)

    async def withheld(self, reason: str) -> None:
        """Waits until a request has led to no mail for this reason."""

        async def is_so() -> bool:
            row = await self.stack.argus.db.fetch_one(
                "SELECT 1 FROM audit_events WHERE tenant_id = %s AND type = 'account.mail_withheld' AND reason = %s",
                (self.api.tenant_id, reason),
            )
            return row is not None

        while not await is_so():
            await self.stack.argus.accounts.answering.run_due()


def new_address() -> str:
    """An address that nobody has."""
    return f"a{secrets.token_hex(8)}@example.com"
