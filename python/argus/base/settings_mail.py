"""Settings of mail: by which server it goes, or into which folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from argus.base.durations import Duration, parse_duration
from argus.base.listen import is_loopback
from argus.base.settings_policy import STRICT

_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server that takes mails from Argus.

    Attributes:
        is_tls: The connection begins with TLS.
        is_starttls: It changes to TLS before anything is said; a server that does not offer it gets nothing.
        username: Empty: Argus does not sign in.
    """

    host: str
    port: int
    is_tls: bool
    is_starttls: bool
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The server of an address.

        Raises:
            ValueError: It is none; never says the address itself.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("say smtp://[user:password@]host[:587] (STARTTLS) or smtps://[user:password@]host[:465]")
        if parts.scheme == "smtp+plain" and (not is_loopback(parts.hostname) or parts.username):
            raise ValueError("smtp+plain:// is for a server on this machine, without a password")
        if (parts.username is None) != (parts.password is None):
            raise ValueError("user and password go together")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            is_starttls=parts.scheme == "smtp",
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )


class MailSettings(BaseModel):
    """What docs/guides/mail.md is about."""

    model_config = STRICT

    mail_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server: smtp://[user:password@]host[:587] (STARTTLS, required), smtps://…[:465] (TLS), or "
        "smtp+plain://host[:25] on this machine; empty: no mail. docs/guides/mail.md",
    )
    mail_ca_file: Path | None = Field(
        None, description="Certificates to trust for the mail server in place of the system's, PEM."
    )
    mail_folder: Path | None = Field(
        None,
        description="Folder in which mails are kept as files, for development; argus dev takes <data_dir>/mails where "
        "no mail_url is set.",
    )
    mail_from: str = Field("", description="Address that mails come from; the name before it is the tenant's.")
    mail_locale: Literal["en", "de"] = Field("en", description="Language of mails to people of whom none is known.")
    email_codes: bool = Field(
        default=False,
        description="Whether logins offer a one-time code by mail in the place of the password; needs mail. It reaches "
        "level 1 (NIST SP 800-63B-4 takes no mail for a second factor).",
    )
    mail_timeout: Duration = Field(
        parse_duration("30s"), description="Longest time that handing one mail to the server may take."
    )

    @property
    def has_mail(self) -> bool:
        """Mails get out."""
        return bool(self.mail_url.get_secret_value()) or self.mail_folder is not None

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server, if there is one."""
        text = self.mail_url.get_secret_value()
        return MailServer.parse(text) if text else None

    @field_validator("mail_url")
    @classmethod
    def _is_mail_url(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            MailServer.parse(text)
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_address(cls, value: str) -> str:
        local, at, domain = value.rpartition("@")
        if value and (not at or not local or not domain or any(character in value for character in ' <>,;\r\n"')):
            raise ValueError('say a bare address such as "accounts@example.com"')
        return value

    @model_validator(mode="after")
    def _mail_goes_one_way(self) -> Self:
        if self.mail_url.get_secret_value():
            if self.mail_folder is not None:
                raise ValueError("ARGUS_MAIL_URL and ARGUS_MAIL_FOLDER exclude each other")
            if not self.mail_from:
                raise ValueError("ARGUS_MAIL_URL needs ARGUS_MAIL_FROM: the address that mails come from")
        if not parse_duration("1s") <= self.mail_timeout <= parse_duration("1m"):
            raise ValueError("ARGUS_MAIL_TIMEOUT must be between 1s and 1m")
        return self
