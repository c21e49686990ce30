"""`argus tenants`: the tenants, and what each has bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from argus.cli.management import PAGE_SIZE, TenantOption, every, manage, origin, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.plans.model import ADD_ONS, PLANS, AddOn, Subscription, entitlements

if TYPE_CHECKING:
    from argus.server.app import Argus
    from argus.tenants.model import Tenant

app = typer.Typer(help="List tenants, show and change their plans.", epilog=EXIT_CODES, no_args_is_help=True)
plan_app = typer.Typer(help="Show and change what a tenant has bought.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")

_COLUMNS = ("tenant", "display_name", "plan", "add_ons", "disabled")
_FEATURE_COLUMNS = ("feature", "included", "add_on", "description")


@app.command("list")
def list_tenants(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists all tenants with their plans."""

    async def work(argus: Argus) -> list[dict[str, Any]]:
        found = await every(lambda token: argus.tenants.list(page_size=PAGE_SIZE, page_token=token))
        return [_row(one, await argus.plans.of(one.tenant_id)) for one in found]

    show(manage(config, work), _COLUMNS, as_json=as_json)


@plan_app.command("show")
def show_plan(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Shows every feature, whether the tenant's plan has it, and which add-on would bring it."""

    async def work(argus: Argus) -> Subscription:
        await argus.tenants.get(tenant)
        return await argus.plans.of(tenant)

    bought = manage(config, work)
    rows = [
        {"feature": name, "included": bought.includes(name), "add_on": one.add_on, "description": one.text}
        for name, one in sorted(entitlements().features.items())
    ]
    show(rows, _FEATURE_COLUMNS, as_json=as_json)


@plan_app.command("set")
def set_plan(
    tenant: TenantOption,
    plan: Annotated[str, typer.Argument(help=f"{' or '.join(PLANS)}.")],
    add_on: Annotated[
        list[str] | None, typer.Option(help=f"{' or '.join(ADD_ONS)}, beside {PLANS[1]}; can be given often.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Gives a tenant a plan and its add-ons, in the place of those that it had. Nothing is deleted."""
    if plan not in PLANS:
        raise typer.BadParameter(f"there is no plan {plan}: say {' or '.join(PLANS)}")
    if unknown := set(add_on or ()) - set(ADD_ONS):
        raise typer.BadParameter(f"there is no add-on {', '.join(sorted(unknown))}: say {' or '.join(ADD_ONS)}")
    bought = Subscription(plan=plan, add_ons=frozenset(cast("list[AddOn]", add_on or [])))

    async def work(argus: Argus) -> dict[str, Any]:
        found = await argus.tenants.get(tenant)
        return _row(found, await argus.plans.set(tenant, bought, origin=origin(tenant, "tenants plan set")))

    show_one(manage(config, work), as_json=as_json)


def _row(tenant: Tenant, bought: Subscription) -> dict[str, Any]:
    return {
        "tenant": tenant.tenant_id,
        "display_name": tenant.display_name,
        "plan": bought.plan,
        "add_ons": sorted(bought.add_ons),
        "disabled": tenant.disabled,
    }
