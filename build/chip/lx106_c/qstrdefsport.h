// No names but those of the sources.
Q(/)
Q(/lib)
