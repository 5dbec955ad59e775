"""Pages to read: of a run, and of a recording, as HTML and PDF. Every number in them comes from files."""
