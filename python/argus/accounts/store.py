"""Links, codes and requests in PostgreSQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from argus.accounts.model import AccountRequest, Link
from argus.base.origin import Origin
from argus.storage.addresses import ADDRESSES_OF_USER
from argus.storage.postgres import Database, Transaction

_LINK: Final = (
    "tenant_id, link_id, purpose, COALESCE(user_id, '') AS user_id, address, create_time, expire_time, use_time, "
    "subject"
)


async def insert_link(tx: Transaction, link: Link) -> None:
    """Adds a link."""
    await tx.execute(
        """INSERT INTO account_links (tenant_id, link_id, purpose, user_id, address, create_time, expire_time, subject)
           VALUES (%s, %s, %s, NULLIF(%s, ''), %s, %s, %s, %s)""",
        (
            link.tenant_id,
            link.link_id,
            link.purpose,
            link.user_id,
            link.address,
            link.create_time,
            link.expire_time,
            link.subject,
        ),
    )


async def find_link(db: Database, tenant_id: str, link_id: str) -> Link | None:
    """The link, used or not."""
    row = await db.fetch_one(
        f"SELECT {_LINK} FROM account_links WHERE tenant_id = %s AND link_id = %s", (tenant_id, link_id)
    )
    return Link(**row) if row else None


async def spend_link(tx: Transaction, link: Link, *, user_id: str, at: datetime) -> bool:
    """Uses a link, which is this user's from then on if it was nobody's; True for the one transaction that does."""
    written = await tx.execute(
        """UPDATE account_links SET use_time = %s, user_id = COALESCE(user_id, NULLIF(%s, ''))
            WHERE tenant_id = %s AND link_id = %s AND purpose = %s AND use_time IS NULL AND expire_time > %s""",
        (at, user_id, link.tenant_id, link.link_id, link.purpose, at),
    )
    return written == 1


async def close_links(
    tx: Transaction, tenant_id: str, user_id: str, purposes: Collection[str], *, at: datetime
) -> None:
    """Makes all of a user's links of these purposes useless."""
    await tx.execute(
        """UPDATE account_links SET use_time = %s
            WHERE tenant_id = %s AND user_id = %s AND purpose = ANY(%s) AND use_time IS NULL""",
        (at, tenant_id, user_id, list(purposes)),
    )


async def delete_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes a user's links, those of nobody that went to its addresses, and what was asked for in its name."""
    await tx.execute(
        f"""DELETE FROM account_links WHERE tenant_id = %s
               AND (user_id = %s OR user_id IS NULL AND lower(address) IN {ADDRESSES_OF_USER})""",
        (tenant_id, user_id, tenant_id, user_id),
    )
    await tx.execute("DELETE FROM account_requests WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))


async def insert_code(
    tx: Transaction, tenant_id: str, code_id: str, *, most: int, at: datetime, expire_time: datetime
) -> bool:
    """Adds a code; one that is there stays as it is, with the tries that it has had. False: it takes no further one."""
    row = await tx.fetch_one(
        """INSERT INTO email_codes AS code (tenant_id, code_id, create_time, expire_time) VALUES (%s, %s, %s, %s)
           ON CONFLICT (tenant_id, code_id) DO UPDATE SET tries = code.tries
           RETURNING tries < %s AND use_time IS NULL AND expire_time > %s AS is_open""",
        (tenant_id, code_id, at, expire_time, most, at),
    )
    return row is not None and bool(row["is_open"])


async def try_code(db: Database, tenant_id: str, code_id: str, *, most: int, at: datetime) -> bool:
    """Counts a try at a code; False: it takes none (any more)."""
    async with db.transaction() as tx:
        written = await tx.execute(
            """UPDATE email_codes SET tries = tries + 1
                WHERE tenant_id = %s AND code_id = %s AND tries < %s AND use_time IS NULL AND expire_time > %s""",
            (tenant_id, code_id, most, at),
        )
    return written == 1


async def spend_code(db: Database, tenant_id: str, code_id: str, *, at: datetime) -> bool:
    """Uses a code; True for the one call that does."""
    async with db.transaction() as tx:
        written = await tx.execute(
            "UPDATE email_codes SET use_time = %s WHERE tenant_id = %s AND code_id = %s AND use_time IS NULL",
            (at, tenant_id, code_id),
        )
    return written == 1


async def insert_request(tx: Transaction, origin: Origin, request: AccountRequest) -> None:
    """Adds something that was asked for."""
    await tx.execute(
        """INSERT INTO account_requests (tenant_id, account_request_id, kind, identifier, user_id, locale, code_id,
               actor, request_id, ip_address, create_time, attempt_time)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            request.tenant_id,
            request.account_request_id,
            request.kind,
            request.identifier,
            request.user_id,
            request.locale,
            request.code_id,
            origin.actor,
            origin.request_id,
            origin.ip_address,
            request.create_time,
            request.create_time,
        ),
    )


async def next_request(tx: Transaction, *, now: datetime) -> AccountRequest | None:
    """The longest due request, locked; those that others have locked are left to them."""
    row = await tx.fetch_one(
        """SELECT tenant_id, account_request_id, kind, identifier, user_id, locale, code_id, actor, request_id,
                  host(ip_address) AS ip_address, create_time
             FROM account_requests WHERE attempt_time <= %s
            ORDER BY attempt_time LIMIT 1 FOR UPDATE SKIP LOCKED""",
        (now,),
    )
    return AccountRequest(**row) if row else None


async def remove_request(tx: Transaction, request: AccountRequest) -> None:
    """Forgets a request that was carried out."""
    await tx.execute("DELETE FROM account_requests WHERE tenant_id = %s AND account_request_id = %s", _key(request))


async def postpone_request(db: Database, request: AccountRequest, *, until: datetime) -> None:
    """Leaves a request for later."""
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE account_requests SET attempt_time = %s WHERE tenant_id = %s AND account_request_id = %s",
            (until, *_key(request)),
        )


async def forget_expired(tx: Transaction, *, links_before: datetime, codes_before: datetime) -> int:
    """Deletes links and codes that ended before these times; says how many."""
    links = await tx.execute("DELETE FROM account_links WHERE expire_time < %s", (links_before,))
    return links + await tx.execute("DELETE FROM email_codes WHERE expire_time < %s", (codes_before,))


def _key(request: AccountRequest) -> tuple[Any, ...]:
    return (request.tenant_id, request.account_request_id)
