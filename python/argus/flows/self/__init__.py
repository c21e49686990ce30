"""What an end user may do with its own account: the one interface behind the RPCs of `SelfService` and the pages."""
