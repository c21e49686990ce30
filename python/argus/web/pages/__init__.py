"""The pages that people see: signing in, their devices, their security settings. They work by forms alone."""
