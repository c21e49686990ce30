"""Serves `argus.v1.TenantService`."""

from contextlib import suppress
from typing import Any, Final

import grpc

from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.base.ids import tenant_name
from argus.flows.tenant_lifecycle import CreateTenant, TenantLifecycle
from argus.plans.model import PLANS, Subscription, entitlements
from argus.plans.service import Plans
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import ADD_ON_NUMBERS, PLAN_NUMBERS, tenant_message, termination_state
from argus.tenants.model import MAX_DISPLAY_NAME, Tenant, TenantFields
from argus.tenants.service import Tenants
from argus.themes.model import Theme
from argus.themes.service import Themes
from argus.v1 import tenant_service_pb2 as pb
from argus.v1 import tenant_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_COMMENT: Final = 200
_OF_THEME: Final = frozenset({"title", "accent_light", "accent_dark", "logo"})
_CHANGEABLE: Final = frozenset({"display_name", "rsa_bits", "key_rotation_period"})


class TenantServicer(tenant_service_pb2_grpc.TenantServiceServicer):
    """Serves `argus.v1.TenantService`."""

    def __init__(
        self,
        tenants: Tenants,
        themes: Themes,
        plans: Plans,
        create_tenant: CreateTenant,
        lifecycle: TenantLifecycle,
    ) -> None:
        self._tenants = tenants
        self._themes = themes
        self._plans = plans
        self._create_tenant = create_tenant
        self._lifecycle = lifecycle

    async def CreateTenant(self, request: pb.CreateTenantRequest, context: Context) -> pb.CreateTenantResponse:
        """Creates a tenant with its keys."""
        tenant_id = validate.tenant_id(request.tenant_id, "tenant_id")
        fields = _fields(request.tenant)
        try:
            tenant = await self._create_tenant(
                tenant_id,
                display_name=fields.display_name,
                rsa_bits=fields.rsa_bits,
                key_rotation_period=fields.key_rotation_period,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            tenant = await self._tenants.get(tenant_id)
        return pb.CreateTenantResponse(tenant=await self._message(tenant))

    async def GetTenant(self, request: pb.GetTenantRequest, context: Context) -> pb.GetTenantResponse:
        """Reads a tenant."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        return pb.GetTenantResponse(tenant=await self._message(await self._tenants.get(tenant_id)))

    async def ListTenants(self, request: pb.ListTenantsRequest, context: Context) -> pb.ListTenantsResponse:
        """Lists tenants by id."""
        size = validate.page_size(request.page_size)
        tenants, following = await self._tenants.list(page_size=size, page_token=request.page_token)
        return pb.ListTenantsResponse(tenants=[await self._message(one) for one in tenants], next_page_token=following)

    async def UpdateTenant(self, request: pb.UpdateTenantRequest, context: Context) -> pb.UpdateTenantResponse:
        """Changes a tenant."""
        tenant_id = validate.tenant(request.tenant.name, "tenant.name", allow_system=True)
        paths = validate.mask(request.update_mask, _CHANGEABLE)
        try:
            tenant = await self._tenants.update(
                tenant_id,
                _fields(request.tenant),
                paths=paths,
                etag=request.tenant.etag,
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError:
            tenant = await self._tenants.get(tenant_id)
        return pb.UpdateTenantResponse(tenant=await self._message(tenant))

    async def GetTheme(self, request: pb.GetThemeRequest, context: Context) -> pb.GetThemeResponse:
        """Reads how a tenant's pages look."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        await self._tenants.get(tenant_id)
        return pb.GetThemeResponse(theme=_theme_message(tenant_id, await self._themes.get(tenant_id)))

    async def UpdateTheme(self, request: pb.UpdateThemeRequest, context: Context) -> pb.UpdateThemeResponse:
        """Changes how a tenant's pages look."""
        said = request.theme
        tenant_id = validate.tenant(said.name, "theme.name", allow_system=True)
        paths = validate.mask(request.update_mask, _OF_THEME)
        await self._tenants.get(tenant_id)
        changed = Theme(
            title=said.title,
            accent_light=said.accent_light,
            accent_dark=said.accent_dark,
            logo=said.logo,
            logo_type=said.logo_type,
        )
        origin = origin_of(request, tenant_id=tenant_id)
        try:
            theme = await self._themes.update(tenant_id, changed, paths=paths, origin=origin, within="theme.")
        except RequestAlreadyDoneError:
            theme = await self._themes.get(tenant_id)
        return pb.UpdateThemeResponse(theme=_theme_message(tenant_id, theme))

    async def SetPlan(self, request: pb.SetPlanRequest, context: Context) -> pb.SetPlanResponse:
        """Gives a tenant a plan."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        tenant, subscription = await self._tenants.get(tenant_id), _subscription(request)
        with suppress(RequestAlreadyDoneError):
            await self._plans.set(tenant_id, subscription, origin=origin_of(request, tenant_id=tenant_id))
        message = tenant_message(tenant, subscription, issuer=self._tenants.issuer(tenant_id))
        return pb.SetPlanResponse(tenant=message)

    async def GetEntitlements(self, request: pb.GetEntitlementsRequest, context: Context) -> pb.GetEntitlementsResponse:
        """Says what a tenant has bought."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        await self._tenants.get(tenant_id)
        subscription = await self._plans.of(tenant_id)
        return pb.GetEntitlementsResponse(
            plan=PLAN_NUMBERS[subscription.plan],
            add_ons=sorted(ADD_ON_NUMBERS[one] for one in subscription.add_ons),
            entitlements=[
                pb.Entitlement(
                    feature=name,
                    description=feature.text,
                    included=subscription.includes(name),
                    add_on=ADD_ON_NUMBERS[feature.add_on] if feature.add_on else pb.ADD_ON_UNSPECIFIED,
                )
                for name, feature in sorted(entitlements().features.items())
            ],
        )

    async def TerminateTenantSessions(
        self, request: pb.TerminateTenantSessionsRequest, context: Context
    ) -> pb.TerminateTenantSessionsResponse:
        """Ends all sessions of a tenant."""
        tenant_id = validate.tenant(request.name, "name", allow_system=True)
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        try:
            not_before, ends = await self._lifecycle.terminate_sessions(
                tenant_id, comment=comment, origin=origin_of(request, tenant_id=tenant_id)
            )
            state = ends.state
        except RequestAlreadyDoneError:
            state = await self._lifecycle.ends_state(tenant_id)
            not_before = (await self._tenants.get(tenant_id)).not_before
        return pb.TerminateTenantSessionsResponse(
            not_before_time=validate.to_timestamp(not_before), sessions_state=termination_state(state)
        )

    async def _message(self, tenant: Tenant) -> pb.Tenant:
        issuer = self._tenants.issuer(tenant.tenant_id)
        return tenant_message(tenant, await self._plans.of(tenant.tenant_id), issuer=issuer)


def _theme_message(tenant_id: str, theme: Theme) -> pb.Theme:
    return pb.Theme(
        name=tenant_name(tenant_id),
        title=theme.title,
        accent_light=theme.accent_light,
        accent_dark=theme.accent_dark,
        logo=theme.logo,
        logo_type=theme.logo_type,
    )


def _subscription(request: pb.SetPlanRequest) -> Subscription:
    plans = {number: plan for plan, number in PLAN_NUMBERS.items()}
    add_ons = {number: add_on for add_on, number in ADD_ON_NUMBERS.items()}
    if request.plan not in plans:
        raise InvalidFieldError("plan", f"must be one of {', '.join(PLANS)}")
    for place, number in enumerate(request.add_ons):
        if number not in add_ons:
            raise InvalidFieldError(f"add_ons[{place}]", f"must be one of {', '.join(add_ons.values())}")
    return Subscription(plan=plans[request.plan], add_ons=frozenset(add_ons[one] for one in request.add_ons))


def _fields(tenant: pb.Tenant) -> TenantFields:
    period = None
    if tenant.HasField("key_rotation_period"):
        period = validate.duration(tenant.key_rotation_period, "tenant.key_rotation_period")
    return TenantFields(
        display_name=validate.text(tenant.display_name, "tenant.display_name", MAX_DISPLAY_NAME),
        rsa_bits=tenant.rsa_bits,
        key_rotation_period=period,
    )
