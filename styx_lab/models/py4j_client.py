"""py4j's client without its ways of going on after a failure.

Law: what goes wrong on the way to the JVM is raised as it is, Ctrl-C too, and nothing is written anywhere. py4j itself
sends again, logs to the root logger, and turns Ctrl-C into an error of its own.
"""

from __future__ import annotations

from typing import Any

from py4j.java_gateway import GatewayClient, JavaGateway
from py4j.protocol import is_fatal_error

__all__ = ["QuietGateway"]


class _QuietClient(GatewayClient):  # type: ignore[misc]
    def send_command(self, command: str, retry: bool = True, binary: bool = False) -> Any:
        """See `GatewayClient.send_command`."""
        connection = self._get_connection()
        try:
            response = connection.send_command(command)
        except BaseException:
            # An answer that is still to come must not be taken for that of another command.
            connection.close()
            raise
        if binary:
            return response, self._create_connection_guard(connection)
        if is_fatal_error(response):
            connection.close()
        else:
            self._give_back_connection(connection)
        return response


class QuietGateway(JavaGateway):  # type: ignore[misc]
    """A `JavaGateway` with such a client."""

    def _create_gateway_client(self) -> GatewayClient:
        return _QuietClient(gateway_parameters=self.gateway_parameters)
