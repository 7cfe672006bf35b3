// Package store keeps the services in PostgreSQL.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"pulsegrid/backend/internal/config"
	"pulsegrid/backend/internal/service"
)

const uniqueViolation = "23505"

// Store is a pool of connections to one database.
type Store struct {
	pool *pgxpool.Pool
}

// Open prepares the pool. No connection is made before one is needed.
func Open(ctx context.Context, database config.Database) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 10 // per task; db.t3.micro allows about 80
	cfg.MaxConnLifetime = 30 * time.Minute
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool}, nil
}

// Close closes all connections.
func (s *Store) Close() { s.pool.Close() }

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// WaitReady pings until the database answers, with growing pauses.
func (s *Store) WaitReady(ctx context.Context, timeout time.Duration, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 8*time.Second) {
		err := s.Ping(ctx)
		if err == nil {
			return nil
		}
		log.Warn("the database does not answer yet", "reason", Reason(err), "error", err.Error())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// List returns all services by name.
func (s *Store) List(ctx context.Context) ([]service.Service, error) {
	rows, err := s.pool.Query(ctx, "SELECT id, name, url, enabled, created_at, updated_at FROM services ORDER BY lower(name), id")
	if err != nil {
		return nil, translate(err)
	}
	services, err := pgx.CollectRows(rows, pgx.RowToStructByPos[service.Service])
	return services, translate(err)
}

// Get returns one service.
func (s *Store) Get(ctx context.Context, id int64) (service.Service, error) {
	return s.one(ctx, "SELECT id, name, url, enabled, created_at, updated_at FROM services WHERE id = $1", id)
}

// Create adds a service.
func (s *Store) Create(ctx context.Context, in service.Input) (service.Service, error) {
	return s.one(ctx, `INSERT INTO services (name, url, enabled) VALUES ($1, $2, $3)
		RETURNING id, name, url, enabled, created_at, updated_at`, in.Name, in.URL, in.Enabled)
}

// Update replaces what a client may say about a service.
func (s *Store) Update(ctx context.Context, id int64, in service.Input) (service.Service, error) {
	return s.one(ctx, `UPDATE services SET name = $2, url = $3, enabled = $4, updated_at = now() WHERE id = $1
		RETURNING id, name, url, enabled, created_at, updated_at`, id, in.Name, in.URL, in.Enabled)
}

// Delete removes a service.
func (s *Store) Delete(ctx context.Context, id int64) error {
	tag, err := s.pool.Exec(ctx, "DELETE FROM services WHERE id = $1", id)
	if err == nil && tag.RowsAffected() == 0 {
		return service.ErrNotFound
	}
	return translate(err)
}

func (s *Store) one(ctx context.Context, query string, args ...any) (service.Service, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return service.Service{}, translate(err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[service.Service])
	return found, translate(err)
}

// translate names the errors that a caller can do something about.
func translate(err error) error {
	var fromServer *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return service.ErrNotFound
	case errors.As(err, &fromServer) && fromServer.ConstraintName == "services_name_key" && fromServer.Code == uniqueViolation:
		return service.ErrNameTaken
	case Reason(err) != unknown:
		return fmt.Errorf("%w: %w", service.ErrUnavailable, err)
	default:
		return err
	}
}
