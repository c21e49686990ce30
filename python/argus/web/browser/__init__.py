"""Browsers: cookies, what keeps other sites out, and the endpoints that single-page applications and pages use."""
