"""Makes answers out of templates: the language, the theme, the policy on scripts that no page can leave out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from argus.base.clock import Now
from argus.base.ids import new_id
from argus.devices.traits import ASKED_HINTS
from argus.plans.model import Subscription
from argus.tenants.model import Tenant
from argus.themes.model import Theme
from argus.web.browser.cookies import Cookies
from argus.web.browser.visits import Visit
from argus.web.pages.assets import Assets
from argus.web.pages.locale import LANGUAGES, Locale, load_locales, negotiate
from argus.web.pages.reports import PATH

_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; report-uri {reports}"
)

ONWARD: Final = "next"
"""Parameter of an address that says where to go on."""
_OF_ACCOUNT: Final = re.compile(r"/account(?:/[A-Za-z0-9_-]{1,64}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom a page is for: where, in which language, under which theme.

    Attributes:
        visit: The request, as flows want to know it.
        bought: What the tenant has bought: pages show nothing else.
        form: Fields of the form that was sent; none where a page is asked for.
    """

    tenant: Tenant
    theme: Theme
    locale: Locale
    request: Request = field(repr=False)
    visit: Visit = field(repr=False)
    bought: Subscription = field(default_factory=Subscription)
    form: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> str:
        """What the path of every page of the tenant begins with."""
        return f"/t/{self.tenant.tenant_id}"

    @property
    def onward(self) -> str:
        """Page of the account that the reader wants to go on to after what comes first; "" if none was said.

        It comes with the address: whatever else it says, it leads nowhere but to pages of the account.
        """
        wanted = self.request.query_params.get(ONWARD, "")
        return wanted if _OF_ACCOUNT.fullmatch(wanted) else ""

    @property
    def title(self) -> str:
        """What the tenant is called."""
        return self.theme.title or self.tenant.display_name or self.tenant.tenant_id


class Renderer:
    """Templates, and what all of them need."""

    def __init__(self, assets: Assets, *, now: Now) -> None:
        self._assets = assets
        self._now = now
        self._locales = load_locales()
        self._templates = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def locale(self, request: Request, kept: str) -> Locale:
        """The language for whoever asks.

        Args:
            request: The request.
            kept: What its sender has chosen before; empty: nothing.
        """
        chosen = request.query_params.get("lang") or kept
        return self._locales[negotiate(chosen, request.headers.get("accept-language", ""))]

    def page(self, reader: Reader, template: str, status: int = 200, /, **values: Any) -> Response:
        """A page.

        Args:
            reader: Whom it is for.
            template: Name of the template, without its ending.
            status: HTTP status.
            values: What the template shows.
        """
        nonce = new_id()
        body = self._templates.get_template(f"{template}.html").render(self._shared(reader, nonce) | values)
        headers = {
            "content-security-policy": _POLICY.format(nonce=nonce, reports=PATH),
            "content-language": reader.locale.tag,
            # Not "no-referrer": browsers would send forms with `Origin: null`.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            # User agents tell no versions any more; browsers tell them where they are asked.
            "accept-ch": ", ".join(ASKED_HINTS),
            "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
            "vary": "accept-language, cookie",
        }
        return Response(body, status, headers, media_type="text/html")

    def _shared(self, reader: Reader, nonce: str) -> dict[str, Any]:
        locale, now = reader.locale, self._now()

        def ago(time: datetime) -> str:
            return locale.ago(time, now)

        return {
            "t": locale.text,
            "counted": locale.count,
            "known": locale.known,
            "sold": reader.bought.includes,
            "moment": locale.moment,
            "ago": ago,
            "lang": locale.tag,
            "languages": [(tag, name, _with_language(reader.request, tag)) for tag, name in LANGUAGES.items()],
            "root": reader.root,
            "onward": with_onward("", reader.onward),
            "title": reader.title,
            "theme": reader.theme,
            "theme_path": _theme_path(reader),
            "logo_path": f"{reader.root}/logo?{urlencode({'v': reader.theme.logo_digest})}",
            "style_path": self._assets.path("pages.css"),
            "icon_path": self._assets.path("icon.svg"),
            "script_path": self._assets.path("pages.js"),
            "nonce": nonce,
        }


def stranger(request: Request, locale: Locale) -> Reader:
    """Whoever looks at a page of no tenant: all that is known is the language."""
    nowhere = Tenant(
        tenant_id="",
        display_name="Argus",
        is_system=False,
        disabled=True,
        not_before=None,
        rsa_bits=0,
        key_rotation_period=None,
        create_time=datetime.fromtimestamp(0, UTC),
        revision=0,
    )
    visit = Visit(
        tenant_id="",
        request_id=request.state.request_id,
        ip_address=None,
        user_agent="",
        cookies={},
        jar=Cookies(""),
        proof=None,
        digest=b"",
    )
    return Reader(tenant=nowhere, theme=Theme(), locale=locale, request=request, visit=visit)


def theme_css(theme: Theme) -> str:
    """The colours of a theme; both were checked when it was written."""
    colours: Mapping[str, str] = {"--accent-light": theme.accent_light, "--accent-dark": theme.accent_dark}
    return ":root {" + "".join(f"{name}:{colour};" for name, colour in colours.items() if colour) + "}\n"


def _theme_path(reader: Reader) -> str:
    theme = reader.theme
    if not (theme.accent_light or theme.accent_dark):
        return ""
    version = f"{theme.accent_light}{theme.accent_dark}".replace("#", "")  # changes with the colours
    return f"{reader.root}/theme.css?{urlencode({'v': version})}"


def with_onward(path: str, wanted: str) -> str:
    """The path, saying where to go on afterwards."""
    return f"{path}?{urlencode({ONWARD: wanted})}" if wanted else path


def _with_language(request: Request, tag: str) -> str:
    """The same page in another language; what answers a form is no page that could be asked for again."""
    if request.method != "GET":
        return ""
    kept = [(name, value) for name, value in parse_qsl(request.url.query) if name != "lang"]
    # Two slashes at the beginning would lead to another host.
    return f"/{request.url.path.lstrip('/')}?{urlencode([*kept, ('lang', tag)])}"
