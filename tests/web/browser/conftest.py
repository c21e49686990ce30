"""Browsers of a tenant of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from argus.server.private_stack import stack_over
from tests.support.browsers import Browser
from tests.support.people import Person, new_person
from tests.support.stack import Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argus.server.api import Api
    from argus.storage.embedded import StoreUrls


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Connections without a jar of their own."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


@pytest.fixture
async def browser(stack: Stack, api: Api, http: httpx.AsyncClient) -> Browser:
    return Browser(stack, api.tenant_id, http=http)


@pytest.fixture
async def signed_in(browser: Browser, person: Person) -> Browser:
    """A browser whose user has signed in."""
    assert (await browser.sign_in(person.identifier)).status_code == 200
    return browser


@pytest.fixture(scope="package")
async def careful(stack: Stack, stores: StoreUrls) -> AsyncIterator[Stack]:
    """A server beside the other one, with every setting of browsers changed."""
    settings = stack.argus.settings
    async with stack_over(
        stores,
        clock=stack.private.clock,
        key_encryption_key=settings.key_encryption_key,
        dpop_nonces=True,
        keep_cookies=True,
        http_proxies="127.0.0.0/8, 10.0.0.0/8",
        base_url="https://id.example.com",
    ) as private:
        other = Stack(private)
        yield other
        await other.close()
