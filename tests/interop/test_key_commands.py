"""The commands of docs/guides/keys.md that keep the key-encryption key elsewhere."""

import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from argus.tokens.kek.command import KeyEncryptionUnavailableError, WrappingCommand

GUIDE: Final = Path(__file__).parents[2] / "docs/guides/keys.md"
SCRIPTS: Final = re.findall(r"```bash\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
MODULES: Final = [Path(f"/usr/{lib}/softhsm/libsofthsm2.so") for lib in ("lib", "lib64", "local/lib")]
PIN: Final = "271828"


def script_of(name: str, folder: Path) -> Path:
    """A script of the guide as a program."""
    (text,) = (text for text in SCRIPTS if name in text)
    file = folder / name
    file.write_text(text)
    file.chmod(0o700)
    return file


@pytest.mark.parametrize("text", SCRIPTS, ids=lambda text: re.findall(r"vault|aws|gcloud|pkcs11-tool", text)[0])
def test_the_scripts_of_the_guide_are_bash(text: str) -> None:
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert "set -euo pipefail" in text


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PKCS#11 token in a folder, with an RSA key; the environment that the script wants."""
    module = next((path for path in MODULES if path.exists()), None)
    for program in ("softhsm2-util", "pkcs11-tool", "openssl"):
        if shutil.which(program) is None or module is None:
            pytest.skip(f"{program} is not installed (Debian: apt install softhsm2 opensc openssl)")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    for name, value in (
        ("SOFTHSM2_CONF", tmp_path / "softhsm2.conf"),
        ("PKCS11_MODULE", module),
        ("PKCS11_PIN", PIN),
        ("PKCS11_PUBLIC_KEY", tmp_path / "public.pem"),
    ):
        monkeypatch.setenv(name, str(value))
    tool = ["pkcs11-tool", "--module", str(module), "--token-label", "argus"]
    of_key = ["--id", "01", "--label", "argus"]
    for command in (
        ["softhsm2-util", "--init-token", "--free", "--label", "argus", "--pin", PIN, "--so-pin", PIN],
        [*tool, "--login", "--pin", PIN, "--keypairgen", "--key-type", "rsa:3072", *of_key],
        [*tool, "--read-object", "--type", "pubkey", "--id", "01", "--output-file", "public.der"],
        ["openssl", "rsa", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


async def test_a_pkcs11_token_keeps_the_key(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapped by its public key, unwrapped by the private one, which never leaves it; a wrong PIN is said."""
    command = WrappingCommand(str(script_of("argus-pkcs11", token)), timeout=timedelta(seconds=30))
    key = os.urandom(32)
    wrapped = await command.wrap(key)
    assert len(wrapped) == 512
    assert await command.wrap(key) != wrapped
    assert await command.unwrap(wrapped) == key
    monkeypatch.setenv("PKCS11_PIN", "000000")
    with pytest.raises(KeyEncryptionUnavailableError) as refused:
        await command.unwrap(wrapped)
    assert "CKR_PIN_INCORRECT" in refused.value.detail
