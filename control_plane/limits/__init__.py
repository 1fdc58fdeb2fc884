"""Rate limits, in memory or shared through Redis."""
