// No names but those of the sources.
