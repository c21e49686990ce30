"""Holds a new password against those before it.

Of earlier passwords only hashes are kept, as slow as that of the present one, and no more of them than the policy asks
for: whoever reads the database learns little, and after a policy asks for fewer the next change forgets the rest.
"""

from argus.credentials.foreign.formats import read
from argus.credentials.hashing import HashingPool
from argus.credentials.model import PasswordRefusedError, forms
from argus.credentials.password_history import store
from argus.storage.postgres import Database, Transaction


class PasswordHistory:
    """The earlier passwords of all users."""

    def __init__(self, db: Database, pool: HashingPool) -> None:
        self._db = db
        self._pool = pool

    async def check(self, tenant_id: str, user_id: str, password: str, *, depth: int, field: str = "password") -> None:
        """Lets a new password pass that none of the user's last ones was.

        Args:
            tenant_id: Tenant.
            user_id: User.
            password: As typed.
            depth: How many it must differ from, the present one among them; 0: none.
            field: Path of the password in the request.

        Raises:
            PasswordRefusedError: It was one of them.
            OverloadedError: Too many hashes are waiting.
        """
        if depth == 0:
            return
        for secret_hash in await store.newest(self._db, tenant_id, user_id, limit=depth):
            if await self._pool.verify(read(secret_hash), forms(password)):
                message = f"must differ from the last {depth}"
                raise PasswordRefusedError("REUSED", message, field=field, limit=depth)

    async def replace(self, tx: Transaction, tenant_id: str, user_id: str, *, depth: int) -> None:
        """Keeps the password that is about to be replaced, within `tx`, and forgets what nobody asks for."""
        if depth > 1:
            await store.keep_present(tx, tenant_id, user_id)
        await store.trim(tx, tenant_id, user_id, kept=max(depth - 1, 0))
