"""Operations across events, tickets and sessions: revoke, deactivate, delete, expire, diagnose."""
