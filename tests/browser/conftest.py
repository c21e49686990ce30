"""A server that a browser reaches by a name, and the browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import Browser, async_playwright

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.server.private_stack import stack_over
from argus.storage.embedded import EmbeddedStores
from argus.themes.model import Theme
from tests.browser.eyes import Eyes
from tests.browser.hands import Hands, Keyboard, Pointer
from tests.browser.person import Person, new_person
from tests.support.account_links import Post
from tests.support.servers import free_ports
from tests.support.stack import Stack
from tests.support.toolchains import AbsentError, copied, get, program, workplace

if TYPE_CHECKING:
    from argus.storage.embedded import StoreUrls
    from tests.support.mails import MailServer

PICTURES: Final = Path(__file__).parents[2] / ".browser"
_SWITCH: Final = "ARGUS_BROWSER"
_HEADED: Final = "ARGUS_BROWSER_HEADED"
_SLOWLY_MS: Final = 300
DESKTOP: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""What the browser says it is: its own name would say that nobody looks at it."""


@pytest.fixture(scope="session", autouse=True)
def _asked_for() -> None:
    """The suite needs a Chromium and takes a minute: `make browser` runs it, `make test` leaves it out."""
    if _SWITCH not in os.environ:
        pytest.skip("these tests are run by `make browser`")


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    try:
        npm, folder = program("npm"), workplace("axe")
        source = folder / "node_modules" / "axe-core" / "axe.min.js"
        if not source.exists():
            copied("axe", folder)
            get(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    except AbsentError as absent:
        pytest.fail(f"axe-core can't be had: {absent}")
    return source.read_text()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium of the system."""
    path = shutil.which("chromium")
    assert path is not None, "there is no chromium in PATH: apt-get install chromium"
    async with async_playwright() as playwright:
        # CI runs as root, where Chromium's sandbox does not start; it meets no pages but ours.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP localhost 127.0.0.1"]
        is_headed = bool(os.environ.get(_HEADED))
        browser = await playwright.chromium.launch(
            executable_path=path, args=arguments, headless=not is_headed, slow_mo=_SLOWLY_MS if is_headed else 0
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def site(stores: StoreUrls, mails: MailServer) -> AsyncIterator[Stack]:
    """A server under a name: passkeys belong to names, not to addresses."""
    (port,) = free_ports(1)
    async with stack_over(
        stores,
        base_url=f"http://localhost:{port}",
        http_listen=f"127.0.0.1:{port}",
        mail_url=f"smtp+plain://127.0.0.1:{mails.port}",
        mail_from="accounts@argus.example",
        email_codes=True,
    ) as private:
        site = Stack(private)
        yield site
        await site.close()


@pytest.fixture
async def own_stores(tmp_path: Path) -> AsyncIterator[EmbeddedStores]:
    """Stores of one test, which may break them."""
    with EmbeddedStores(tmp_path) as stores:
        yield stores
        stores.delete()


@pytest.fixture
async def own_site(own_stores: EmbeddedStores) -> AsyncIterator[Stack]:
    """A server over them."""
    (port,) = free_ports(1)
    async with stack_over(
        own_stores.urls, base_url=f"http://localhost:{port}", http_listen=f"127.0.0.1:{port}"
    ) as private:
        site = Stack(private)
        yield site
        await site.close()


@pytest.fixture(params=["pointer", "keyboard"])
def hands(request: pytest.FixtureRequest) -> Hands:
    """Both ways to use a page."""
    return Pointer() if request.param == "pointer" else Keyboard()


@pytest.fixture(scope="session")
def album() -> set[str]:
    """Names of the pages that were looked at."""
    PICTURES.mkdir(exist_ok=True)
    return set()


@pytest.fixture
def eyes(axe: str, album: set[str]) -> Iterator[Eyes]:
    """What watches every page of a test; whatever it saw that should not be fails the test."""
    eyes = Eyes(axe=axe, folder=PICTURES, album=album)
    yield eyes
    assert not eyes.seen, "\n".join(eyes.seen)


@pytest.fixture
async def person(site: Stack, chromium: Browser, eyes: Eyes) -> AsyncIterator[Person]:
    """Somebody with an account, in a browser of their own."""
    async with _person(site, chromium, eyes) as one:
        yield one


@pytest.fixture
def post(site: Stack, person: Person, mails: MailServer) -> Post:
    """The mails of the person's tenant."""
    return Post(stack=site, api=person.user.api, mails=mails)


@asynccontextmanager
async def _person(site: Stack, chromium: Browser, eyes: Eyes) -> AsyncIterator[Person]:
    api = await site.new_tenant()
    origin = Origin(tenant_id=api.tenant_id, actor="system:browser", request_id=new_id())
    await site.argus.themes.update(api.tenant_id, Theme(title="Northwind"), paths=["title"], origin=origin)
    context = await chromium.new_context(locale="en-GB", user_agent=DESKTOP, viewport={"width": 1280, "height": 800})
    eyes.watch(context)
    yield await new_person(site, api, context)
    await context.close()
