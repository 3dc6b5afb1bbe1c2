"""One file, one wire format: bytes and headers into events, or the reason why not."""
