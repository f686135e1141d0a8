"""Who contributed how much: integer weights per wallet."""
