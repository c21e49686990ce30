"""What everything else stands on: time, errors, events, names, settings, logs. Imports nothing else of Argus."""
