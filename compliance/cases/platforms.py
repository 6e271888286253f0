"""Which marketplace an address belongs to, by its host alone, and which targets take complaints about it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from compliance.cases.target import Target, load_targets

# The registrable name of a host, without its country: aliexpress.ru and es.aliexpress.com are the same platform.
HOSTS = {
    "aliexpress": "aliexpress",
    "alibaba": "alibaba",
    "1688": "1688",
    "taobao": "taobao",
    "tmall": "tmall",
    "amazon": "amazon",
    "ebay": "ebay",
    "temu": "temu",
    "shopee": "shopee",
    "tiktok": "tiktok",
    "mercadolibre": "mercadolibre",
    "mercadolivre": "mercadolibre",
    "shein": "shein",
}
OTHER = "other"
_ITEM = re.compile(r"/(?:item|itm|dp|gp/product|product|p)/(?:[^/?]*/)?([A-Z0-9]{8,20})(?![A-Z0-9])", re.I)
_LAST_LABELS = 3  # name, and up to two labels of a country such as co.uk


def platform_of(url: str) -> str:
    """The platform of a listing's address, or "other"."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return OTHER
    labels = host.lower().split(".")[-_LAST_LABELS:-1]
    return next((HOSTS[label] for label in labels if label in HOSTS), OTHER)


def market_of(url: str) -> str:
    """The country of an address where its ending says one (shopee.co.th: TH), else empty."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    ending = host.rpartition(".")[2]
    return {"uk": "GB"}.get(ending, ending.upper()) if len(ending) == 2 and ending.isalpha() else ""


def item_of(url: str) -> str:
    """The item number in a listing's address (/item/4000.html, /itm/4000, /dp/B0ABCDEFGH), or empty."""
    found = _ITEM.search(url)
    return found.group(1) if found else ""


def targets_for(platform: str, kind: str) -> list[Target]:
    """Targets that take this kind of case, those of the platform first, then those of laws that any platform is under."""
    fitting = [target for target in load_targets().values() if kind in target.kinds]
    return sorted(fitting, key=lambda target: (platform not in target.platforms, OTHER not in target.platforms))
