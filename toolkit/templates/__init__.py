"""Pages and texts rendered from Jinja templates."""
