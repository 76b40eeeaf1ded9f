"""NTP, one exchange with one server: `packet` (48 bytes), `exchange` (what a reply is worth), `client` (the socket)."""
