"""Looks at pages: what the console says, what axe finds, how it looks at each size and in each light."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request

SIZES: Final = {"phone": (390, 844), "desktop": (1280, 800)}
LIGHTS: Final = ("light", "dark")

# Violations of the standards and of best practices alike; of what axe can't decide a person must.
_RUN_AXE: Final = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
  .map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.html).join(' | ')}`)"""
_WIDER_THAN_SCREEN: Final = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass(kw_only=True)  # without slots: playwright keeps something of its own in whoever listens
class Eyes:
    """Watches every page of a context.

    Attributes:
        axe: Source of axe-core.
        folder: Where pictures go.
        album: Names of the pages that were looked at, by any test: who comes there by keys sees the same once more.
        seen: What should not have been seen.
        expected: Complaints of the console that are right, as they begin: a browser notes each answer of 400 and more.
    """

    axe: str = field(repr=False)
    folder: Path
    album: set[str]
    seen: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def watch(self, context: BrowserContext) -> None:
        """Notes whatever the console of its pages complains about, and each report of a violated policy."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.seen.append(f"error: {error.error}"))
        context.on("request", self._asked)

    async def look(self, page: Page, name: str) -> None:
        """Takes a picture at each size and in each light, and has axe look there, too."""
        if name in self.album:
            return
        self.album.add(name)
        size = page.viewport_size
        await page.evaluate(self.axe)
        for width_name, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            for light in LIGHTS:
                await page.emulate_media(color_scheme="dark" if light == "dark" else "light", reduced_motion="reduce")
                await self._check(page, f"{name}-{width_name}-{light}")
        if size is not None:
            await page.set_viewport_size(size)

    async def _check(self, page: Page, name: str) -> None:
        await page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        violations: list[Any] = await page.evaluate(_RUN_AXE)
        self.seen += [f"axe, {name}: {one}" for one in violations]
        if await page.evaluate(_WIDER_THAN_SCREEN):
            self.seen.append(f"{name} must be scrolled sideways")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(self.expected or ("\0",)):
            self.seen.append(f"console, {message.page.url if message.page else ''}: {message.text}")

    def _asked(self, request: Request) -> None:
        if request.url.endswith("/csp-reports"):
            self.seen.append(f"reported: {request.post_data}")
