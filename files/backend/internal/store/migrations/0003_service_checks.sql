-- What the scheduler found when it last asked a service
CREATE TABLE service_checks (
    service_id  bigint PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    ok          boolean NOT NULL,
    status_code integer NOT NULL,
    latency_ms  bigint NOT NULL,
    reason      text NOT NULL,
    checked_at  timestamptz NOT NULL DEFAULT now()
);
