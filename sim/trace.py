"""The readable trace of a run: one line per event, with its virtual time, both ends and the wire in columns."""

WIDTH = 34
COLUMNS = {"client": 0, "wire": 1, "bridge": 2, "tcp": 3, "wifi": 3, "fault": 1, "server": 4}


def printer(file):
    """Returns a tracer for World.tracer that prints to the file."""

    def trace(seconds, column, text):
        place = COLUMNS[column]
        text = text.strip().replace("\n", " / ")
        if column == "fault":
            text = f"*** {text}"
        left = " " * (place * WIDTH)
        print(f"{seconds:13.6f}  {left}{text}".rstrip(), file=file)

    return trace


def heading():
    names = ("client", "I2C", "bridge", "TCP, Wi-Fi", "server")
    return f"{'seconds':>13}  " + "".join(f"{name:{WIDTH}}" for name in names).rstrip()
