"""The pictures of README and docs/, which `make pictures` draws: SVG, of tables and of kept records of real runs."""
