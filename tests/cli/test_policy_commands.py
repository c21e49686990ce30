"""`argus policy`, as an administrator runs it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from argus.cli.policy_files import read_document
from argus.groups.model import GroupNotFoundError
from argus.policies.schema import json_schema
from argus.server.api import Api
from tests.support.people import new_person
from tests.support.shell import Shell
from tests.support.stack import Stack

POLICY = """
# As people write it.
presets: [pci-dss]
session_limit: 2
rules:
  - name: night
    when: hour < 6
    then: {idle_seconds: 300}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("denied_countries: [NO, FI]", {"denied_countries": ["NO", "FI"]}),
        (
            "{new_device_notice: true, self_registration: false}",
            {"new_device_notice": True, "self_registration": False},
        ),
        ("on_limit: deny\nsession_limit: 3", {"on_limit": "deny", "session_limit": 3}),
    ],
)
def test_a_document_says_what_stands_there(tmp_path: Path, text: str, said: object) -> None:
    """By YAML 1.1 Norway would be "false"."""
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    assert read_document(file) == said


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant of the test's own."""
    return await stack.new_tenant()


@pytest.fixture
def shell(stack: Stack, api: Api, tmp_path: Path) -> Shell:
    """A shell with the settings of the stack and that tenant."""
    return Shell(stack, api, tmp_path)


async def test_from_a_file_to_what_is_in_force_and_back(shell: Shell, api: Api, tmp_path: Path) -> None:
    """Lint, see what would change, try it, apply, see where values come from, roll back."""
    user = f"user:{(await new_person(api)).user_id}"
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    assert await shell.json("policy", "lint", str(file)) == []
    assert await shell.run("policy", "lint", str(file)) == ""
    changes = {one["field"]: one for one in await shell.json("policy", "diff", "--file", str(file))}
    assert (changes["idle_seconds"]["before"], changes["idle_seconds"]["after"]) == ("8h", "15m")
    assert changes["idle_seconds"]["from"] == "preset pci-dss (8.2.8)"
    assert changes["session_limit"]["after"] == "2"
    tried = await shell.json(
        "policy", "test", "--file", str(file), "--fact", "acr=1", "--fact", "time=2026-03-01T03:00"
    )
    assert (tried["outcome"], tried["required_acr"], tried["idle_seconds"]) == ("STEP_UP", 2, 300)
    assert any('rule "night" of tenant' in line and "is met" in line for line in tried["explanation"])
    applied = await shell.json("policy", "apply", str(file), "--reason", "audit in May")
    assert (applied["revision"], applied["reason"], applied["document"]["session_limit"]) == (1, "audit in May", 2)
    said = {one["field"]: one for one in await shell.json("policy", "explain")}
    assert said["session_limit"]["from"].endswith("revision 1")
    assert said["session_limit"]["sources"][0]["revision"] == 1
    against_default = {one["field"] for one in await shell.json("policy", "diff")}
    assert against_default >= {"presets", "idle_seconds", "session_limit", "required_acr"}
    await shell.json("policy", "apply", str(file), "--report-only", "--scope", user)
    listed = await shell.json("policy", "revisions", "--scope", user)
    assert [one["state"] for one in listed] == ["report-only"]
    with pytest.raises(GroupNotFoundError):
        await shell.run("policy", "apply", str(file), "--scope", "group:staf")
    assert (await shell.json("policy", "activate", "1", "--scope", user))["revision"] == 1
    assert (await shell.json("policy", "rollback"))["revision"] == 0
    assert await shell.json("policy", "diff") == []


async def test_a_policy_is_tried_on_what_was(shell: Shell, api: Api, stack: Stack, tmp_path: Path) -> None:
    """Whoever signed in by a password alone would have had to step up."""
    person = await new_person(api)
    for _ in range(2):
        await person.sign_in()
    await stack.advance(timedelta(seconds=1))
    file = tmp_path / "policy.yaml"
    file.write_text("required_acr: 2\n")
    found = await shell.json("policy", "simulate", str(file))
    assert (found["examined"], found["STEP_UP"], found["SAME"]) == (2, 2, 0)
    assert (found["affected_users"], found["users"]) == (1, [person.user_id])
    assert found["fields"] == ["required_acr=2"]


async def test_lint_says_everything_that_is_wrong(shell: Shell, tmp_path: Path) -> None:
    """Errors fail, with path, reason and hint; what may not be meant only warns."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"idle": 5, "sesion_limit": 3}))
    failed = await shell.run("policy", "lint", str(file), "--json", code=4)
    found = {one["path"]: one for one in json.loads(failed)}
    assert set(found) == {"policy.idle", "policy.sesion_limit"}
    assert found["policy.sesion_limit"]["hint"] == 'did you mean "session_limit"?'
    file.write_text(json.dumps({"presets": ["pci-dss"], "session_limit": 9}))
    (warning,) = await shell.json("policy", "lint", str(file))
    assert (warning["kind"], warning["path"]) == ("warning", "policy.session_limit")
    assert "pci-dss" in await shell.run("policy", "lint", str(file))
    for text in ("idle_seconds: 60\nidle_seconds: 90\n", "[]", "a: b: c"):
        file.write_text(text)
        await shell.run("policy", "lint", str(file), code=2)


async def test_the_schema_is_the_committed_one(shell: Shell) -> None:
    """For editors; docs/reference has it, too."""
    committed = json.loads((Path(__file__).parents[2] / "docs/reference/policy.schema.json").read_text())
    assert json.loads(await shell.run("policy", "schema")) == committed == json_schema()
