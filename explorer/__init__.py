"""The live pages of the site: `export` writes what they need, ``pages/`` is copied into the site."""
