"""Who uses Argus during a drill: honest clients that repeat what was not answered, at another server."""
