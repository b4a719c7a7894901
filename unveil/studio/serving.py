"""The server of the page, which speaks with its own pages only."""

import contextlib
import io
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from unveil.core.errors import ConfigError, MissingDependencyError

_OTHER_SITE = 1008  # the code of a websocket that is closed because something is not allowed
_TRIED = 100


def start_server(host: str, port: int, label: str) -> Any:
    """A `viser.ViserServer` that pages of other sites cannot talk to.

    A browser lets any page open a websocket to any machine that it reaches, so that what a site shows could otherwise use an
    editor that runs on the machine of whoever looks at it. It says truly, though, from where such a page came. What
    comes from another place than this server is let go before a word is read from it or sent to it.

    Args:
        host: address to listen at.
        port: to listen at, 0 for any that is free; the next free one is taken if it is in use.
        label: title of the page.

    Raises:
        ConfigError: nothing can listen at the address, or all ports from this one on are in use.
        MissingDependencyError: viser is not installed, or its connections cannot be looked at.
    """
    try:
        import viser
    except ImportError:
        raise MissingDependencyError(
            "The pose editor needs viser, which is not installed: pip install 'unveil[studio]'."
        ) from None
    port = free_port(host, port)
    with contextlib.redirect_stdout(io.StringIO()):  # it draws a box of addresses; who opens an editor tells its own
        server = viser.ViserServer(host=host, port=port, label=label, verbose=False)
    try:
        _guard(server, host)
    except AttributeError:
        stop_server(server)
        raise MissingDependencyError(
            f"viser {viser.__version__} does not tell from where a page comes, so that any site could use the editor; install "
            "the version that is known to: pip install -c constraints.txt -e '.[studio]'."
        ) from None
    return server


def stop_server(server: Any) -> None:
    """End it, without a word."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def free_port(host: str, port: int) -> int:
    """The first port from one on that is free at an address; 0 stays 0, for any.

    viser looks for one itself, but waits for ever where there is none.

    Raises:
        ConfigError: nothing can listen at the address, or the next hundred ports are in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        _bind(family, address)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no address"
        raise ConfigError(
            f"Nothing can listen at '{host}' on this machine: {str(why).rstrip('.')}. 127.0.0.1 lets in this machine only, "
            "0.0.0.0 all that reach it."
        ) from None
    last = min(port + _TRIED, 65536) - 1
    for tried in range(port, last + 1):
        with contextlib.suppress(OSError):
            _bind(family, (address[0], tried, *address[2:]))
            return tried
    raise ConfigError(f"All ports from {port} to {last} are in use; name another, or 0 for any that is free.")


def _bind(family: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        taken.bind(address)
        taken.listen(1)


def own_page(origin: str | None, host: str | None, *, named: bool) -> bool:
    """Whether a page that opens a websocket came from the server that it opens it to.

    Args:
        origin: from where the browser says the page came, such as http://127.0.0.1:8080; None is no browser.
        host: whom it says it speaks to, such as 127.0.0.1:8080.
        named: whether the server may go by a name. One that only this machine reaches goes by numbers or localhost: a name of
            another site can be made to lead here.
    """
    if origin is None:
        return True
    try:
        came, name = urlsplit(origin), urlsplit(origin).hostname
    except ValueError:
        return False
    if came.scheme not in ("http", "https") or not name or host is None or came.netloc.lower() != host.lower():
        return False
    return named or _is_number(name) or name == "localhost"


def _guard(server: Any, host: str) -> None:
    # viser has no hook for what a browser says when it connects, but keeps the connection, which has it.
    front = server._websock_server
    connections = front._live_connections
    named = not (_is_number(host) and ipaddress.ip_address(host).is_loopback) and host != "localhost"

    async def check(client: Any) -> None:
        connection = connections[client.client_id]  # where this fails, the connection ends too
        said = connection.request.headers
        if not own_page(said.get("Origin"), said.get("Host"), named=named):
            await connection.close(_OTHER_SITE, "This page is of another site.")
            await _drain(connection)

    front.on_client_connect(check)
    front.disconnect_all_clients()  # who was quicker comes back and is asked


async def _drain(connection: Any) -> None:
    """Throw away what was said before the connection was closed."""
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.recv()


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
