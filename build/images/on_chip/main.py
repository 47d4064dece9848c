import esp_link.main  # the bridge of pb_link, which runs from ROM: Ctrl-C ends it
