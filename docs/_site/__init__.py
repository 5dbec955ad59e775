"""What writes those pages of the site that are made of the package itself."""
