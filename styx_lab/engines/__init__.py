"""Who feeds the operators: the chain (in order, in one thread), streamz (in a notebook), the runner (headless)."""
