"""Serves `argus.v1.UserService`."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import grpc

from argus.base import ids
from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.flows.group_lifecycle import GroupLifecycle
from argus.flows.import_users import MAX_BATCH, ImportUsers, UserImport
from argus.flows.user_lifecycle import UserLifecycle
from argus.groups.service import Groups
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import group_message, identifier_kind, identifier_message, termination_state, user_message
from argus.users.model import (
    MAX_DISPLAY_NAME,
    MAX_IDENTIFIER,
    IdentifierNotFoundError,
    NewIdentifier,
    NewUser,
    TakenOver,
    User,
)
from argus.users.service import Users
from argus.v1 import errors_pb2, user_service_pb2_grpc
from argus.v1 import user_service_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_COMMENT: Final = 200


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Serves `argus.v1.UserService`."""

    def __init__(
        self,
        users: Users,
        groups: Groups,
        group_lifecycle: GroupLifecycle,
        lifecycle: UserLifecycle,
        import_users: ImportUsers,
    ) -> None:
        self._import = import_users
        self._users = users
        self._groups = groups
        self._group_lifecycle = group_lifecycle
        self._lifecycle = lifecycle

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        """Creates a user with its identifiers."""
        tenant_id = validate.tenant(request.parent, "parent")
        display_name = validate.text(request.user.display_name, "user.display_name", MAX_DISPLAY_NAME)
        identifiers = [
            _identifier(one, f"user.identifiers[{index}]") for index, one in enumerate(request.user.identifiers)
        ]
        try:
            user = await self._lifecycle.create(
                tenant_id,
                display_name=display_name,
                locale=request.user.locale,
                identifiers=identifiers,
                password=request.password,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError as done:
            _, user_id = ids.parse_name("user", done.name) or ("", "")
            user = await self._users.get(tenant_id, user_id)
        return pb.CreateUserResponse(user=user_message(user))

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        """Reads a user."""
        return pb.GetUserResponse(user=await self._get(*validate.user(request.name, "name")))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        """Lists the users of a tenant, or the one with an identifier."""
        tenant_id = validate.tenant(request.parent, "parent")
        size = validate.page_size(request.page_size)
        if request.identifier:
            text = validate.text(request.identifier, "identifier", MAX_IDENTIFIER)
            found = await self._users.find_by_identifier(tenant_id, text)
            return pb.ListUsersResponse(users=[] if found is None else [user_message(found)])
        users, following = await self._users.list(tenant_id, page_size=size, page_token=request.page_token)
        return pb.ListUsersResponse(users=[user_message(one) for one in users], next_page_token=following)

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.UpdateUserResponse:
        """Changes display name and locale."""
        tenant_id, user_id = validate.user(request.user.name, "user.name")
        paths = validate.mask(request.update_mask, {"display_name", "locale"})
        display_name = validate.text(request.user.display_name, "user.display_name", MAX_DISPLAY_NAME)
        try:
            user: User = await self._users.update(
                tenant_id,
                user_id,
                display_name=display_name if "display_name" in paths else None,
                locale=request.user.locale if "locale" in paths else None,
                etag=request.user.etag,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            user = await self._users.get(tenant_id, user_id)
        return pb.UpdateUserResponse(user=user_message(user))

    async def DisableUser(self, request: pb.DisableUserRequest, context: Context) -> pb.DisableUserResponse:
        """Closes sign-in for a user and ends all its sessions."""
        tenant_id, user_id = validate.user(request.name, "name")
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        try:
            ends = await self._lifecycle.disable(tenant_id, user_id, comment=comment, origin=origin_of(request))
            state = ends.state
        except RequestAlreadyDoneError:
            state = await self._lifecycle.ends_state(tenant_id, user_id)
        user = await self._get(tenant_id, user_id)
        return pb.DisableUserResponse(user=user, sessions_state=termination_state(state))

    async def EnableUser(self, request: pb.EnableUserRequest, context: Context) -> pb.EnableUserResponse:
        """Lets a disabled user sign in again."""
        tenant_id, user_id = validate.user(request.name, "name")
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        with suppress(RequestAlreadyDoneError):  # then the user as it is now is the answer
            await self._lifecycle.enable(tenant_id, user_id, comment=comment, origin=origin_of(request))
        return pb.EnableUserResponse(user=await self._get(tenant_id, user_id))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        """Deletes a user; all its sessions end."""
        tenant_id, user_id = validate.user(request.name, "name")
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        try:
            ends = await self._lifecycle.delete(tenant_id, user_id, comment=comment, origin=origin_of(request))
            state = ends.state
        except RequestAlreadyDoneError:  # then it is gone, as was asked
            state = await self._lifecycle.ends_state(tenant_id, user_id)
        return pb.DeleteUserResponse(sessions_state=termination_state(state))

    async def ImportUsers(self, request: pb.ImportUsersRequest, context: Context) -> pb.ImportUsersResponse:
        """Takes users over from another system."""
        tenant_id = validate.tenant(request.parent, "parent")
        if not 1 <= len(request.users) <= MAX_BATCH:
            raise InvalidFieldError("users", f"must have 1 to {MAX_BATCH} items")
        imports = [_import(one, f"users[{index}].user") for index, one in enumerate(request.users)]
        outcomes = await self._import.run(tenant_id, imports, origin=origin_of(request))
        return pb.ImportUsersResponse(results=[_import_result(tenant_id, outcome) for outcome in outcomes])

    async def CreateIdentifier(
        self, request: pb.CreateIdentifierRequest, context: Context
    ) -> pb.CreateIdentifierResponse:
        """Adds an identifier to a user."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        wanted = _identifier(request.identifier, "identifier")
        try:
            identifier = await self._users.add_identifier(tenant_id, user_id, wanted, origin=origin_of(request))
        except RequestAlreadyDoneError as done:
            *_, identifier_id = ids.parse_name("identifier", done.name) or ("",)
            user = await self._users.get(tenant_id, user_id)
            found = next((one for one in user.identifiers if one.identifier_id == identifier_id), None)
            if found is None:
                raise IdentifierNotFoundError(identifier_id) from None
            identifier = found
        return pb.CreateIdentifierResponse(identifier=identifier_message(tenant_id, user_id, identifier))

    async def DeleteIdentifier(
        self, request: pb.DeleteIdentifierRequest, context: Context
    ) -> pb.DeleteIdentifierResponse:
        """Takes an identifier from a user."""
        tenant_id, user_id, identifier_id = validate.identifier(request.name, "name")
        with suppress(RequestAlreadyDoneError):  # then it is gone, as was asked
            await self._users.remove_identifier(tenant_id, user_id, identifier_id, origin=origin_of(request))
        return pb.DeleteIdentifierResponse()

    async def CreateGroup(self, request: pb.CreateGroupRequest, context: Context) -> pb.CreateGroupResponse:
        """Creates a group."""
        tenant_id = validate.tenant(request.parent, "parent")
        group_id = validate.slug(request.group_id, "group_id")
        try:
            group = await self._groups.create(
                tenant_id, group_id, display_name=request.group.display_name, origin=origin_of(request)
            )
        except RequestAlreadyDoneError:
            group = await self._groups.get(tenant_id, group_id)
        return pb.CreateGroupResponse(group=group_message(group))

    async def GetGroup(self, request: pb.GetGroupRequest, context: Context) -> pb.GetGroupResponse:
        """Reads a group."""
        tenant_id, group_id = validate.group(request.name, "name")
        return pb.GetGroupResponse(group=group_message(await self._groups.get(tenant_id, group_id)))

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Context) -> pb.ListGroupsResponse:
        """Lists the groups of a tenant by id."""
        tenant_id = validate.tenant(request.parent, "parent")
        size = validate.page_size(request.page_size)
        groups, following = await self._groups.list(tenant_id, page_size=size, page_token=request.page_token)
        return pb.ListGroupsResponse(groups=[group_message(one) for one in groups], next_page_token=following)

    async def DeleteGroup(self, request: pb.DeleteGroupRequest, context: Context) -> pb.DeleteGroupResponse:
        """Deletes a group; its members stay."""
        tenant_id, group_id = validate.group(request.name, "name")
        with suppress(RequestAlreadyDoneError):  # then it is gone, as was asked
            await self._group_lifecycle.delete(tenant_id, group_id, origin=origin_of(request))
        return pb.DeleteGroupResponse()

    async def AddGroupMember(self, request: pb.AddGroupMemberRequest, context: Context) -> pb.AddGroupMemberResponse:
        """Puts a user into a group."""
        tenant_id, group_id = validate.group(request.group, "group")
        _, user_id = validate.user(request.user, "user")
        try:
            group = await self._groups.add_member(tenant_id, group_id, user_id, origin=origin_of(request))
        except RequestAlreadyDoneError:
            group = await self._groups.get(tenant_id, group_id)
        return pb.AddGroupMemberResponse(group=group_message(group))

    async def RemoveGroupMember(
        self, request: pb.RemoveGroupMemberRequest, context: Context
    ) -> pb.RemoveGroupMemberResponse:
        """Takes a user out of a group."""
        tenant_id, group_id = validate.group(request.group, "group")
        _, user_id = validate.user(request.user, "user")
        try:
            group = await self._groups.remove_member(tenant_id, group_id, user_id, origin=origin_of(request))
        except RequestAlreadyDoneError:
            group = await self._groups.get(tenant_id, group_id)
        return pb.RemoveGroupMemberResponse(group=group_message(group))

    async def _get(self, tenant_id: str, user_id: str) -> pb.User:
        return user_message(await self._users.get(tenant_id, user_id))


def _identifier(message: pb.Identifier, path: str) -> NewIdentifier:
    return NewIdentifier(kind=identifier_kind(message.kind, f"{path}.kind"), value=message.value)


def _import(message: pb.UserImport, path: str) -> UserImport:
    identifiers = [
        replace(
            _identifier(one, f"{path}.identifiers[{index}]"),
            verify_time=validate.timestamp(one.verify_time, f"{path}.identifiers[{index}].verify_time")
            if one.HasField("verify_time")
            else None,
        )
        for index, one in enumerate(message.user.identifiers)
    ]
    user = NewUser(
        display_name=message.user.display_name,
        identifiers=identifiers,
        locale=message.user.locale,
        disabled=message.user.state == pb.USER_STATE_DISABLED,
    )
    return UserImport(user=user, password_hash=message.password_hash, groups=list(message.user.groups))


def _import_result(tenant_id: str, outcome: TakenOver) -> pb.UserImportResult:
    if outcome.error is not None:
        return pb.UserImportResult(
            outcome=pb.IMPORT_OUTCOME_REFUSED,
            code=int(outcome.error.code),
            reason=errors_pb2.ErrorReason.ValueType(outcome.error.reason),
            message=outcome.error.message,
            metadata=outcome.error.metadata,
        )
    return pb.UserImportResult(
        outcome=pb.IMPORT_OUTCOME_CREATED if outcome.is_new else pb.IMPORT_OUTCOME_PRESENT,
        user=ids.user_name(tenant_id, outcome.user_id) if outcome.user_id else "",
    )
