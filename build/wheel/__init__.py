"""The wheel: one import name, `pb_link`, with the project's packages below it."""
