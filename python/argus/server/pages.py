"""The pages that people see, made of the parts of a process."""

from argus.base import clock as clocks
from argus.server.app import Argus
from argus.web.app import BrowserEdge
from argus.web.browser.actions import Actions
from argus.web.browser.csrf import SameOrigin
from argus.web.browser.visits import Visits
from argus.web.pages.accounts import AccountPages, LinkFlows
from argus.web.pages.activity import ActivityPages
from argus.web.pages.assets import Assets
from argus.web.pages.choosing import ChoosingPages
from argus.web.pages.devices import DevicePages
from argus.web.pages.enrolment import EnrolmentPages
from argus.web.pages.faults import FaultPages
from argus.web.pages.look import LookPages
from argus.web.pages.members import Members
from argus.web.pages.notices import NoticePages
from argus.web.pages.render import Renderer
from argus.web.pages.reports import PolicyReports
from argus.web.pages.security import SecurityPages
from argus.web.pages.sign_in import SignInPages
from argus.web.pages.site import Site


def make_pages(argus: Argus, actions: Actions, visits: Visits, same_origin: SameOrigin) -> BrowserEdge:
    """The pages, and what they are made of.

    Args:
        argus: Every part.
        actions: What browsers do about their sessions.
        visits: Makes visits of requests.
        same_origin: Says which forms are ours.
    """
    assets = Assets()
    renderer = Renderer(assets, now=lambda: clocks.now(argus.clock))
    site = Site(renderer, argus.tenants, argus.themes, argus.plans, visits, same_origin)
    members = Members(site, actions, argus.browser_sessions)
    selves, settings = argus.self_service, argus.settings
    sign_in = SignInPages(
        site,
        members,
        actions,
        argus.logins,
        argus.accounts.asking,
        has_recovery=settings.has_mail,
        has_email_codes=settings.email_codes,
    )
    routes = [
        *assets.routes(),
        *PolicyReports(now=lambda: clocks.now(argus.clock)).routes(),
        *LookPages(site).routes(),
        *sign_in.routes(),
        *EnrolmentPages(site, actions, argus.logins).routes(),
        *ChoosingPages(site, actions, argus.logins).routes(),
        *members.routes(),
        *DevicePages(site, members, actions, selves, argus.networks).routes(),
        *SecurityPages(site, members, selves).routes(),
        *NoticePages(site, members, argus.self_service.notices).routes(),
        *ActivityPages(site, members, selves).routes(),
        *(AccountPages(site, _link_flows(argus)).routes() if settings.has_mail else ()),
    ]
    return BrowserEdge(routes=routes, faults=FaultPages(site).answer)


def _link_flows(argus: Argus) -> LinkFlows:
    flows = argus.accounts
    return LinkFlows(
        asking=flows.asking,
        recovery=flows.recovery,
        registration=flows.registration,
        verification=flows.verification,
        invitation=flows.invitation,
        not_me=flows.not_me,
    )
