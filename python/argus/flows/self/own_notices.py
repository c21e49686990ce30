"""Which notices a user gets, as it says itself."""

from collections.abc import Mapping, Sequence

from argus.base.origin import Origin
from argus.flows.self.fresh_proof import FreshProof
from argus.flows.self.oneself import Oneself
from argus.notifications.preferences.model import Preference
from argus.notifications.preferences.service import Preferences


class OwnNotices:
    """Shows and changes them."""

    def __init__(self, preferences: Preferences, fresh_proof: FreshProof) -> None:
        self._preferences = preferences
        self._fresh_proof = fresh_proof

    async def all(self, oneself: Oneself) -> Sequence[Preference]:
        """Every notice, by name."""
        return await self._preferences.of(oneself.tenant_id, oneself.user_id)

    async def choose(self, oneself: Oneself, said: Mapping[str, bool], *, origin: Origin) -> Sequence[Preference]:
        """Changes which notices the user gets by mail; the rest stays as it was.

        Whoever switches one off proves itself first: a stolen session must not keep its owner from being told.

        Raises:
            FreshProofRequiredError: One is switched off, and the user has not just proved itself as well as it can.
            InvalidFieldError: There is no such notice.
            NoticeRequiredError: One can't be switched off.
            RequestAlreadyDoneError: The request was carried out before.
        """
        if not any(one.mail and not one.required and not said.get(one.notice, True) for one in await self.all(oneself)):
            return await self._update(oneself, said, origin)
        async with self._fresh_proof.used(oneself):
            return await self._update(oneself, said, origin)

    async def _update(self, oneself: Oneself, said: Mapping[str, bool], origin: Origin) -> Sequence[Preference]:
        return await self._preferences.update(oneself.tenant_id, oneself.user_id, said, origin=oneself.origin(origin))
