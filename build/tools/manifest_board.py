# A board's firmware with the client frozen in, to measure what that leaves in RAM.
include("$(MPY_DIR)/extmod/asyncio")
include("../manifest_client.py")
