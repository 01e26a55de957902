"""Pages and texts made from Jinja templates."""
