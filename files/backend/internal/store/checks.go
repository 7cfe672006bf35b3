package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"pulsegrid/backend/internal/service"
)

const foreignKeyViolation = "23503"

// SaveCheck keeps a service's last check.
func (s *Store) SaveCheck(ctx context.Context, check service.Check) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO service_checks (service_id, ok, status_code, latency_ms, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (service_id) DO UPDATE SET ok = EXCLUDED.ok, status_code = EXCLUDED.status_code, latency_ms = EXCLUDED.latency_ms,
			reason = EXCLUDED.reason, checked_at = now()`, check.ServiceID, check.OK, check.StatusCode, check.LatencyMS, check.Reason)
	var fromServer *pgconn.PgError
	if errors.As(err, &fromServer) && fromServer.Code == foreignKeyViolation {
		return service.ErrNotFound
	}
	return translate(err)
}

// Checks returns the last check of every service that was checked.
func (s *Store) Checks(ctx context.Context) ([]service.Check, error) {
	rows, err := s.pool.Query(ctx, "SELECT service_id, ok, status_code, latency_ms, reason, checked_at FROM service_checks ORDER BY service_id")
	if err != nil {
		return nil, translate(err)
	}
	checks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[service.Check])
	return checks, translate(err)
}
