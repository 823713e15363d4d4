"""Whether a text names a place on another machine, and which one it names on this."""

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

# a scheme wherever it stands: chained URLs have several (zip://a.zip::https://...)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(text: str) -> bool:
    """Say whether a text is an address, or has one in it."""
    return _SCHEME.search(text) is not None


def is_elsewhere(text: str) -> bool:
    """Say whether a text is an address, and not one of a server on this machine."""
    return is_url(text) and not is_served_here(text)


def is_served_here(text: str) -> bool:
    """Say whether a text is the address of a server on this machine."""
    try:
        url = urlsplit(text)
        host = url.hostname or ""
    except ValueError:
        return False
    plain = url.scheme in ("http", "https") and len(_SCHEME.findall(text)) == 1
    return plain and is_this_machine(host)


def is_this_machine(host: str) -> bool:
    """Say whether a host's name or address is that of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def in_full(path: str | Path) -> str:
    """Quote a path as it is written; where it is relative, with the whole one behind it."""
    whole = Path(path).absolute()
    return f"'{path}'" if str(whole) == str(path) else f"'{path}' ({whole})"
