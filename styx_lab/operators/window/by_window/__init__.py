"""Windows that are each kept by themselves: every kind of window, trigger and aggregate, over one input or two."""
