def check_info(info, size=None):
    pass
