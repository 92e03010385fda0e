"""Running the core: claims events, keeps leases, writes records."""
