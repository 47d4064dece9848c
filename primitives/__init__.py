"""The asyncio tools that MicroPython lacks, one idea a file, and the platform
module. Nothing is imported here: import the module that you need."""
