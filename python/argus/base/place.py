"""Where an address is, as far as that can be known."""

from dataclasses import dataclass
from typing import Final, Literal

NetworkClass = Literal["access", "hosting", "anonymiser"]
"""What a network is used for: people's homes, offices and phones; servers; ways to hide (VPN, proxy, Tor)."""

NETWORK_CLASSES: Final[tuple[NetworkClass, ...]] = ("access", "hosting", "anonymiser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address is and what network it is in; None is unknown, and never "elsewhere".

    Attributes:
        country: ISO 3166-1 alpha-2.
        city: In English.
        radius_km: How far it may be off.
        asn: Number of the network (autonomous system).
        asn_name: Who runs it.
        network_class: What it is used for.
    """

    country: str | None = None
    city: str | None = None
    radius_km: int | None = None
    asn: int | None = None
    asn_name: str | None = None
    network_class: NetworkClass | None = None

    @property
    def is_unknown(self) -> bool:
        """Nothing at all is known."""
        return self == NOWHERE

    @property
    def text(self) -> str:
        """For people: "Boxford, GB"; "" where neither is known."""
        return ", ".join(part for part in (self.city, self.country) if part)


NOWHERE: Final = Place()
"""Nothing is known."""
