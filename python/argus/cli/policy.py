"""`argus policy`: check policies before they count, try them, put them in force, and take them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argus.base.policy import RULES
from argus.cli.management import PAGE_SIZE, TenantOption, every, manage, origin, say, show, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, ExitCode, JsonOption, show_json
from argus.cli.policy_files import facts_of, read_document, scope_of
from argus.cli.policy_rows import field_rows, from_of, policy_row, report_row, session_rows
from argus.policies.conditions import Facts
from argus.policies.lint import warnings
from argus.policies.model import Scope, document_faults
from argus.policies.resolve import Resolved
from argus.policies.revisions_model import Mode, Revision, ScopePolicy
from argus.policies.schema import json_schema
from argus.policies.simulation_model import Report

if TYPE_CHECKING:
    from argus.flows.policy_trials import Subject, Trial
    from argus.policies.service import Explained
    from argus.server.app import Argus

app = typer.Typer(help="Check, try, set and take back policies.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("field", "value", "from")
_SESSION_COLUMNS = ("user", "client", "began", "what", "why", "ended", "would_end")

FileArgument = Annotated[Path, typer.Argument(help="Document, YAML or JSON; - is standard input.")]
FileOption = Annotated[Path | None, typer.Option("--file", help="Document that is to count for --scope.")]
ScopeOption = Annotated[str, typer.Option(help="tenant, client:ID, group:ID or user:ID.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads the history.")]
ClientOption = Annotated[str, typer.Option("--client", help="Client id.")]
UserOption = Annotated[str, typer.Option("--user", help="User id.")]
FactOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fact", help="What is known: acr=2, amr=pwd, device_class=phone, country=DE, time=2026-03-01T03:00."
    ),
]
GroupOption = Annotated[list[str] | None, typer.Option("--group", help="Group id, where no user is named.")]


@app.command()
def schema() -> None:
    """Writes the JSON Schema (2020-12) of a document, for editors."""
    show_json(json_schema())


@app.command()
def lint(file: FileArgument, as_json: JsonOption = False) -> None:
    """Says everything that keeps a document from being set, and what may not be meant; needs no server."""
    document = read_document(file)
    faults = list(document_faults(document))
    odd = [] if faults else list(warnings(document))
    rows = [{"kind": "error", **asdict(one)} for one in faults] + [{"kind": "warning", **asdict(one)} for one in odd]
    if rows or as_json:
        show(rows, ("kind", "path", "reason", "hint"), as_json=as_json)
    if faults:
        raise typer.Exit(ExitCode.REFUSED)
    if not as_json:
        say(f"{file} can be set.")


@app.command()
def apply(
    file: FileArgument,
    tenant: TenantOption,
    scope: ScopeOption = "tenant",
    reason: ReasonOption = "",
    report_only: Annotated[bool, typer.Option("--report-only", help="Try it beside the one in force.")] = False,
    inactive: Annotated[bool, typer.Option("--inactive", help="Keep it, and put it in force later.")] = False,
    etag: Annotated[str, typer.Option(help="Only if the policy has this etag.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Makes a revision of a scope's policy, and puts it in force."""
    document = read_document(file)
    mode: Mode = "report_only" if report_only else "inactive" if inactive else "enforced"

    async def work(argus: Argus) -> tuple[ScopePolicy, Revision]:
        await argus.tenants.get(tenant)
        return await argus.policies.scopes.set(
            tenant,
            scope_of(scope, tenant),
            document,
            mode=mode,
            reason=reason,
            etag=etag,
            origin=origin(tenant, "policy apply"),
        )

    policy, revision = manage(config, work)
    show_one({**policy_row(policy), "made": revision.number}, as_json=as_json)


@app.command()
def revisions(
    tenant: TenantOption, scope: ScopeOption = "tenant", as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Lists the revisions of a scope's policy, the newest first."""

    async def work(argus: Argus) -> tuple[ScopePolicy, list[Revision]]:
        wanted = scope_of(scope, tenant)
        found = await every(
            lambda token: argus.policies.scopes.revisions(tenant, wanted, page_size=PAGE_SIZE, page_token=token)
        )
        return await argus.policies.scopes.get(tenant, wanted), found

    policy, found = manage(config, work)
    state = {policy.report_only: "report-only", policy.active: "in force"}
    rows = [
        {
            "revision": one.number,
            "state": state.get(one.number, ""),
            "author": one.author,
            "create_time": one.create_time,
            "reason": one.reason,
            "document": dict(one.document),
        }
        for one in found
    ]
    show(rows, ("revision", "state", "author", "create_time", "reason"), as_json=as_json)


@app.command()
def activate(
    revision: Annotated[int, typer.Argument(help="Number of the revision; 0 with --report-only: none is tried.")],
    tenant: TenantOption,
    scope: ScopeOption = "tenant",
    reason: ReasonOption = "",
    report_only: Annotated[bool, typer.Option("--report-only", help="Try it beside the one in force.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Puts a revision in force."""

    async def work(argus: Argus) -> ScopePolicy:
        return await argus.policies.scopes.activate(
            tenant,
            scope_of(scope, tenant),
            revision,
            mode="report_only" if report_only else "enforced",
            reason=reason,
            origin=origin(tenant, "policy activate"),
        )

    show_one(policy_row(manage(config, work)), as_json=as_json)


@app.command()
def rollback(
    tenant: TenantOption,
    scope: ScopeOption = "tenant",
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Puts in force again what was before, exactly as it was."""

    async def work(argus: Argus) -> ScopePolicy:
        return await argus.policies.scopes.roll_back(
            tenant, scope_of(scope, tenant), reason=reason, origin=origin(tenant, "policy rollback")
        )

    show_one(policy_row(manage(config, work)), as_json=as_json)


@app.command()
def explain(
    tenant: TenantOption,
    client: ClientOption = "",
    user: UserOption = "",
    group: GroupOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Says what is in force for somebody, and where each value comes from."""

    async def work(argus: Argus) -> Explained:
        await argus.tenants.get(tenant)
        return await argus.policy_trials.effective(tenant, _subject(client, user, group))

    show(field_rows(manage(config, work).fields), _COLUMNS, as_json=as_json)


@app.command()
def diff(
    tenant: TenantOption,
    file: FileOption = None,
    scope: ScopeOption = "tenant",
    client: ClientOption = "",
    user: UserOption = "",
    group: GroupOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Says what a document would change for somebody; without one, what is other than the default, and by what."""
    document = None if file is None else read_document(file)

    async def work(argus: Argus) -> tuple[Mapping[str, Resolved], Mapping[str, Resolved]]:
        await argus.tenants.get(tenant)
        subject = _subject(*_named(scope, tenant, client, user, group))
        present = await argus.policy_trials.effective(tenant, subject)
        if document is None:
            return argus.policies.explain([], Facts()).fields, present.fields
        candidate = (scope_of(scope, tenant), document)
        return present.fields, (await argus.policy_trials.effective(tenant, subject, candidate=candidate)).fields

    before, after = manage(config, work)
    rows = [
        {
            "field": key,
            "before": RULES[key].show(before[key].value),
            "after": RULES[key].show(one.value),
            "from": from_of(one),
        }
        for key, one in after.items()
        if one.value != before[key].value
    ]
    show(rows, ("field", "before", "after", "from"), as_json=as_json)


@app.command("test")
def try_out(
    tenant: TenantOption,
    fact: FactOption = None,
    file: FileOption = None,
    scope: ScopeOption = "tenant",
    client: ClientOption = "",
    user: UserOption = "",
    group: GroupOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Says what would be decided of a sign-in, and why; what is not given is unknown."""
    document = None if file is None else read_document(file)
    facts = facts_of(fact or ())

    async def work(argus: Argus) -> Trial:
        await argus.tenants.get(tenant)
        candidate = None if document is None else (scope_of(scope, tenant), document)
        subject = _subject(*_named(scope, tenant, client, user, group))
        return await argus.policy_trials.test(tenant, subject, facts, candidate=candidate)

    trial = manage(config, work)
    if as_json:
        show_json({**trial.decision.to_json(), "explanation": trial.explanation})
        return
    for line in trial.explanation:
        typer.echo(line)


@app.command()
def simulate(
    file: FileArgument,
    tenant: TenantOption,
    scope: ScopeOption = "tenant",
    since: Annotated[datetime | None, typer.Option(help="From here on; UTC. Default: seven days ago.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this; UTC. Default: now.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Says what a document would have made of recorded sign-ins, refreshes and sessions, and whose; nothing is done."""
    document = read_document(file)

    async def work(argus: Argus) -> Report:
        await argus.tenants.get(tenant)
        simulations = argus.policy_simulations
        begun = await simulations.start(
            tenant,
            scope_of(scope, tenant),
            document,
            begin=None if since is None else since.replace(tzinfo=UTC),
            end=None if until is None else until.replace(tzinfo=UTC),
            origin=origin(tenant, "policy simulate"),
        )
        report = begun
        while report.simulation.finish_time is None:
            # A server may have it in hand, batch by batch.
            await simulations.run_due()
            report = await simulations.get(tenant, begun.simulation.simulation_id)
            users = f"{report.simulation.examined_users} of {report.simulation.total_users} users"
            say(f"{report.simulation.examined} of {report.simulation.total} sign-ins, {users}")
        return report

    report = manage(config, work)
    if as_json:
        show_json(report_row(report) | {"session_findings": session_rows(report)})
        return
    show_one(report_row(report), as_json=False)
    if report.sessions:
        show(session_rows(report), _SESSION_COLUMNS, as_json=False)


def _subject(client: str, user: str, group: Sequence[str] | None) -> Subject:
    from argus.flows.policy_trials import Subject

    return Subject(client_id=client, user_id=user, groups=tuple(group or ()))


def _named(
    scope: str, tenant: str, client: str, user: str, group: Sequence[str] | None
) -> tuple[str, str, Sequence[str] | None]:
    """Whoever the scope names is meant, too, where nobody else is named."""
    named: Scope = scope_of(scope, tenant)
    match named.kind:
        case "client":
            return client or named.id, user, group
        case "user":
            return client, user or named.id, group
        case "group":
            return client, user, group if group or user else [named.id]
    return client, user, group
