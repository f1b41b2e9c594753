//! Where log lines go: standard error, without ever panicking or blocking.
