package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"pulsegrid/backend/internal/events"
)

const (
	listenerPing    = 30 * time.Second
	listenerTimeout = 5 * time.Second
)

// Listen publishes the changes that PostgreSQL notifies of, whoever made them, until ctx is done. After each
// (re)connection it publishes a reload, because notifications are not kept for those who are away.
func (s *Store) Listen(ctx context.Context, publish func(events.Change), log *slog.Logger) {
	const first, longest = time.Second, 15 * time.Second
	pause := first
	for {
		err := s.listenOnce(ctx, func(change events.Change) {
			pause = first
			publish(change)
		})
		if ctx.Err() != nil {
			return
		}
		log.Warn("change notifications are interrupted", "reason", Reason(err), "error", err.Error(), "retry_seconds", pause.Seconds())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}

func (s *Store) listenOnce(ctx context.Context, publish func(events.Change)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenerTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, "LISTEN services"); err != nil {
		return err
	}
	publish(events.Change{Action: events.Reload})
	for {
		waiting, cancel := context.WithTimeout(ctx, listenerPing)
		notification, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			var change events.Change
			if err := json.Unmarshal([]byte(notification.Payload), &change); err != nil {
				return fmt.Errorf("notification %q: %w", notification.Payload, err)
			}
			publish(change)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded): // silence: is the connection still alive?
			pinging, cancel := context.WithTimeout(ctx, listenerTimeout)
			err := conn.Ping(pinging)
			cancel()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}
