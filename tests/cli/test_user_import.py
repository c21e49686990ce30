"""`argus users import`, as an administrator runs it."""

import json
import stat
from pathlib import Path

import pytest

from argus.server.api import Api
from tests.support.shell import Shell
from tests.support.stack import Stack

SCRYPT = "$scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA"
KEYCLOAK = {
    "secretData": '{"salt": "OB+dtnSEXZK8U5cgxU/GYQ==", "value": "y5LKPOplRmok7CZp/aqVDVg8zGI="}',
    "credentialData": '{"hashIterations": 1212, "algorithm": "pbkdf2"}',
}


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant of the test's own."""
    return await stack.new_tenant()


@pytest.fixture
def shell(stack: Stack, api: Api, tmp_path: Path) -> Shell:
    """A shell with the settings of the stack and that tenant."""
    return Shell(stack, api, tmp_path)


def write(folder: Path, name: str, *lines: object) -> str:
    """A file of these lines: texts as they are, all else as JSON."""
    path = folder / name
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return str(path)


async def identifiers(shell: Shell) -> list[list[str]]:
    """Those of all users, in the order of the addresses."""
    return sorted(one["identifiers"] for one in await shell.json("users", "list"))


async def test_json_lines_come_in_and_what_did_not_can_be_mended(shell: Shell, tmp_path: Path) -> None:
    """Line by line; the refused ones stand in a file that only its owner reads, and come in once they are mended."""
    bad = {"email": "bea@example.com", "password_hash": "md5:9a0364b9e99bb480dd25e1f0284c8555"}
    file = write(
        tmp_path,
        "users.jsonl",
        {"email": ["ada@example.com", "ada@example.org"], "display_name": "Ada", "password_hash": SCRYPT},
        bad,
        "",
        "{broken",
        {"username": "cy", "password_hash": KEYCLOAK, "disabled": True, "email_verified": True},
        {"email": "dee@example.com", "mail": "typo"},
    )
    kept = tmp_path / "refused.jsonl"
    said = await shell.run("users", "import", file, "--failures", str(kept), code=4)
    assert said.strip() == "2 created, 0 already there, 3 refused"
    assert await identifiers(shell) == [["ada@example.com", "ada@example.org"], ["cy"]]
    assert kept.read_text("utf-8").splitlines() == [
        json.dumps(bad),
        "{broken",
        json.dumps({"email": "dee@example.com", "mail": "typo"}),
    ]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    mended = write(tmp_path, "mended.jsonl", bad | {"password_hash": SCRYPT}, {"email": "dee@example.com"})
    assert await shell.run("users", "import", mended) == "2 created, 0 already there, 0 refused\n"
    again = await shell.json("users", "import", mended)
    assert again == {"validate_only": False, "created": 0, "present": 2, "refused": 0, "failures": []}


async def test_what_no_store_could_keep_keeps_nobody_else_out(shell: Shell, tmp_path: Path) -> None:
    """Halves of surrogate pairs and NUL in any text."""
    odd = "\ud800", "a\0b"
    lines = [
        {"username": f"user-{index}", **line}
        for index, line in enumerate(
            {name: value}
            for text in odd
            for name, value in (("display_name", text), ("email", text), ("groups", [text]), ("password_hash", text))
        )
    ]
    path = tmp_path / "users.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, {"username": "ada"}]), "ascii")
    assert (await shell.run("users", "import", str(path), code=4)).startswith("1 created, 0 already there, 8 refused")


async def test_csv_comes_in(shell: Shell, tmp_path: Path) -> None:
    """Several values stand in one cell; a record may take several lines, which the failures keep as they stand."""
    await shell.run("users", "list")
    file = write(
        tmp_path,
        "users.csv",
        "email,username,display_name,disabled,password_hash",
        f'ada@example.com;ada@example.org,ada,"Ada, Countess",no,"{SCRYPT}"',
        'bea@example.com,bea,"Bea\r\nof Bea",false,',
        "cy@example.com,cy,Cy,perhaps,",
        "dee@example.com",
    )
    kept = tmp_path / "refused.csv"
    told = json.loads(await shell.run("users", "import", file, "--failures", str(kept), "--json", code=4))
    assert (told["created"], told["refused"]) == (1, 3)
    assert [(one["line"], one["reason"]) for one in told["failures"]] == [
        (4, "FIELD_INVALID"),  # a name has no line breaks
        (5, "LINE_INVALID"),
        (6, "LINE_INVALID"),
    ]
    assert await identifiers(shell) == [["ada@example.com", "ada@example.org", "ada"]]
    assert kept.read_bytes().decode().splitlines() == [
        "email,username,display_name,disabled,password_hash",
        'bea@example.com,bea,"Bea',
        'of Bea",false,',
        "cy@example.com,cy,Cy,perhaps,",
        "dee@example.com",
    ]


async def test_it_can_be_tried_first_and_goes_on_from_a_line(shell: Shell, tmp_path: Path) -> None:
    """`--validate-only` keeps nothing; `--from-line` leaves out what came before."""
    file = write(tmp_path, "users.jsonl", *({"username": f"user-{number}"} for number in range(450)))
    said = await shell.run("users", "import", file, "--validate-only")
    assert said == "450 would be created, 0 already there, 0 refused\n"
    assert await shell.run("users", "import", file, "--from-line", "446") == "5 created, 0 already there, 0 refused\n"
    assert await shell.run("users", "import", file) == "445 created, 5 already there, 0 refused\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("users.txt", "", []),
        ("users.txt", "", ["--format", "xml"]),
        ("users.csv", "mail,password\n", []),
        ("users.csv", "", []),
        ("users.jsonl", "", ["--failures", "/"]),
    ],
)
async def test_wrong_use_says_so_before_anything_is_done(
    shell: Shell, tmp_path: Path, name: str, content: str, words: list[str]
) -> None:
    """As wrong use of any command."""
    (tmp_path / name).write_text(content)
    await shell.run("users", "import", str(tmp_path / name), *words, code=2)
    assert await shell.json("users", "list") == []


async def test_hashes_are_told_to_nobody(shell: Shell, tmp_path: Path) -> None:
    """Neither in what is said nor in what is listed."""
    file = write(tmp_path, "users.jsonl", {"username": "ada", "password_hash": f"{SCRYPT[:-8]}!-canary"})
    said = await shell.run("users", "import", file, "--json", code=4)
    assert "canary" not in said
