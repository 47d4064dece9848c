from pb_link.app_base import AppBase

class BridgeReports:
    def __init__(self, app: AppBase) -> None: ...
