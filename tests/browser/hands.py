"""Two ways to use a page: by pointing, and by the keyboard alone."""

from typing import Final, Protocol

import pytest
from playwright.async_api import Locator, Page

BY_KEYS: Final = pytest.mark.parametrize("hands", ["keyboard"], indirect=True)
"""For tests that are about something else: whoever uses keys alone needs more of a page than who points."""

_MOST_TABS: Final = 80
# What Tab reaches, and only if it can be seen: a page without a ring has lost its keyboard users.
_IS_FOCUSED: Final = "element => element === document.activeElement"
_HAS_RING: Final = """element => {
  const style = getComputedStyle(element);
  return element.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


class Hands(Protocol):
    """A way to use a page."""

    async def press(self, page: Page, name: str, *, role: str = "button") -> None:
        """Presses what has this role and name."""

    async def write(self, page: Page, label: str, text: str) -> None:
        """Writes into the field of this label, in the place of what is there."""


class Pointer:
    """By pointing."""

    async def press(self, page: Page, name: str, *, role: str = "button") -> None:
        """Clicks."""
        await _one(page, role, name).click()

    async def write(self, page: Page, label: str, text: str) -> None:
        """Clicks into the field and types."""
        await page.get_by_label(label, exact=True).fill(text)


class Keyboard:
    """By keys alone: whatever they do not reach, or reach unseen, is a failure."""

    async def press(self, page: Page, name: str, *, role: str = "button") -> None:
        """Goes there and presses Enter."""
        await self._reach(page, _one(page, role, name), name)
        await page.keyboard.press("Enter")

    async def write(self, page: Page, label: str, text: str) -> None:
        """Goes there and types."""
        await self._reach(page, page.get_by_label(label, exact=True), label)
        await page.keyboard.press("Control+a")
        await page.keyboard.type(text)

    @staticmethod
    async def _reach(page: Page, wanted: Locator, name: str) -> None:
        await wanted.wait_for()
        for _ in range(_MOST_TABS):
            if await wanted.evaluate(_IS_FOCUSED):
                assert await wanted.evaluate(_HAS_RING), f"whoever tabs to {name} does not see it"
                return
            await page.keyboard.press("Tab")
        raise AssertionError(f"{name} can't be reached by Tab")


def _one(page: Page, role: str, name: str) -> Locator:
    return page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]  # one of its many names of roles
