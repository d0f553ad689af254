"""Statistics of the kit: every number with its interval and its n."""
