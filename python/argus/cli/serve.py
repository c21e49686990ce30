"""`argus serve`: serves, over stores that somebody else runs."""

from typing import Annotated

import typer

from argus.cli.output import ConfigOption, load_settings


def serve(
    grpc_listen: Annotated[str | None, typer.Option(help="Address of the gRPC server.")] = None,
    http_listen: Annotated[str | None, typer.Option(help="Address of the HTTP edge.")] = None,
    admin_listen: Annotated[str | None, typer.Option(help="Address of health checks and metrics.")] = None,
    config: ConfigOption = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; refuses to start on unsafe settings or unfit stores, and says what to do."""
    # Here, so that `argus --help` does without them.
    import uvloop

    from argus.server.serve import serve as run
    from argus.storage.requirements import require_stores

    settings = load_settings(config, grpc_listen=grpc_listen, http_listen=http_listen, admin_listen=admin_listen)
    settings.check_servable()
    require_stores(
        settings.redis_url.get_secret_value(),
        settings.database_url.get_secret_value(),
        redis_ca_file=settings.redis_ca_file,
    )
    uvloop.run(run(settings))
