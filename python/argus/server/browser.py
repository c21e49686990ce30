"""What browsers ask for, made of the parts of a process."""

from dataclasses import replace
from datetime import datetime

from argus.base import clock as clocks
from argus.server.app import Argus
from argus.server.pages import make_pages
from argus.web.app import BrowserEdge
from argus.web.browser.actions import Actions
from argus.web.browser.addresses import Addresses
from argus.web.browser.csrf import SameOrigin, origin_of_url
from argus.web.browser.nonces import Nonces
from argus.web.browser.script import script_routes
from argus.web.browser.sessions import SessionEndpoints
from argus.web.browser.visits import Visits
from argus.web.issuers import Issuers
from argus.web.related_origins import RelatedOrigins


def browser_edge(argus: Argus, issuers: Issuers) -> BrowserEdge:
    """The endpoints of sessions in browsers, the pages, and whose passkeys they take."""
    settings = argus.settings

    def now() -> datetime:
        return clocks.now(argus.clock)

    actions = Actions(
        argus.browser_sessions,
        argus.logins,
        argus.sign_in,
        argus.step_up,
        argus.submit_factor,
        argus.policies,
    )
    addresses = Addresses(is_behind_door=settings.front_door == "on", proxies=settings.proxy_networks)
    nonces = Nonces(argus.digest_key, now=now) if settings.dpop_nonces else None
    visits = Visits(
        addresses,
        base_url=settings.base_url,
        digest_key=argus.digest_key,
        nonces=nonces,
        has_partitioned_cookies=settings.partitioned_cookies,
    )
    same_origin = SameOrigin([origin_of_url(settings.base_url)], applications=settings.origins_by_tenant)
    endpoints = SessionEndpoints(
        actions,
        visits,
        same_origin,
        key_sets=argus.engine.jwks,
        deadline=settings.request_deadline,
        now=now,
        nonces=nonces,
    )
    related = RelatedOrigins(
        argus.kinds.passkey_rules,
        lambda tenant_id: issuers.key_set(tenant_id) is not None,
        max_age=settings.key_set_max_age,
    )
    pages = make_pages(argus, actions, visits, same_origin)
    return replace(pages, routes=[*related.routes(), *endpoints.routes(), *script_routes(), *pages.routes])
