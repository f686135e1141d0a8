"""Pages for people: what stands on one, and how it becomes HTML, Markdown and pictures."""
