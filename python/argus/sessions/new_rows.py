"""How sessions that begin are written, many in one statement."""

from typing import Any, Final

from argus.sessions.model import Session

# Lists travel as text: PostgreSQL would unfold a list of lists to its innermost parts.
INSERT: Final = """
    INSERT INTO sessions (tenant_id, session_id, user_id, client_id, device_id, state, create_time, last_active_time,
           idle_deadline, absolute_deadline, policy_revision, family, refresh_id_key, generation_bound,
           generation_bound_time, generation_bound_rotated, binding, acr, amr, auth_time, scope, resources, device_type,
           device_os, device_browser, display_name, category, ip_address, user_agent, country, city, radius_km, asn,
           asn_name, network_class, seen_ip_address, device_os_version, device_browser_version, device_app, trust, risk)
    SELECT tenant_id, session_id, user_id, client_id, device_id, state, create_time, last_active_time,
           idle_deadline, absolute_deadline, policy_revision, family, refresh_id_key, generation_bound,
           generation_bound_time, generation_bound_rotated, binding, acr, string_to_array(amr, ' '), auth_time, scope,
           string_to_array(resources, ' '), device_type, device_os, device_browser, display_name, category,
           ip_address::inet, user_agent, country, city, radius_km, asn, asn_name, network_class, seen_ip_address::inet,
           device_os_version, device_browser_version, device_app, trust, risk
      FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                  %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::integer[], %s::bigint[], %s::smallint[],
                  %s::bigint[], %s::timestamptz[], %s::boolean[], %s::bytea[], %s::smallint[], %s::text[],
                  %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                  %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[],
                  %s::text[], %s::text[], %s::text[], %s::text[], %s::double precision[], %s::double precision[])
           AS w (tenant_id, session_id, user_id, client_id, device_id, state, create_time, last_active_time,
                 idle_deadline, absolute_deadline, policy_revision, family, refresh_id_key, generation_bound,
                 generation_bound_time, generation_bound_rotated, binding, acr, amr, auth_time, scope, resources,
                 device_type, device_os, device_browser, display_name, category, ip_address, user_agent, country, city,
                 radius_km, asn, asn_name, network_class, seen_ip_address, device_os_version, device_browser_version,
                 device_app, trust, risk)"""
"""Adds all rows of `new_row`, as columns."""


def new_row(session: Session) -> tuple[Any, ...]:
    """The row of a session, in the order of `INSERT`."""
    return (
        session.tenant_id,
        session.session_id,
        session.user_id,
        session.client_id,
        session.device_id,
        str(session.state),
        session.create_time,
        session.last_active_time,
        session.idle_deadline,
        session.absolute_deadline,
        session.policy_revision,
        session.family,
        session.refresh_id_key,
        session.generation_bound,
        session.generation_bound_time,
        session.generation_bound_rotated,
        session.binding,
        session.acr,
        " ".join(session.amr),
        session.auth_time,
        session.scope,
        " ".join(session.resources),
        session.device_type,
        session.device_os,
        session.device_browser,
        session.display_name,
        session.category,
        session.ip_address,
        session.user_agent,
        session.country,
        session.city,
        session.radius_km,
        session.asn,
        session.asn_name,
        session.network_class,
        session.seen_ip_address,
        session.device_os_version,
        session.device_browser_version,
        session.device_app,
        session.trust,
        session.risk,
    )
