package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"pulsegrid/backend/internal/config"
	"pulsegrid/backend/internal/events"
	"pulsegrid/backend/internal/service"
)

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"authentication_failed": &pgconn.PgError{Code: "28P01"},
		"database_missing":      &pgconn.PgError{Code: "3D000"},
		"too_many_connections":  &pgconn.PgError{Code: "53300"},
		"starting_or_stopping":  &pgconn.PgError{Code: "57P03"},
		"tls_failed":            &tls.CertificateVerificationError{Err: errors.New("expired")},
		"host_not_found":        &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}},
		"connection_refused":    &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"connection_lost":       io.ErrUnexpectedEOF,
		"timeout":               context.DeadlineExceeded,
		"unknown":               errors.New("syntax error"),
	} {
		if got := Reason(fmt.Errorf("outer: %w", err)); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}

func TestWaitReadyGivesUp(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	db, err := Open(t.Context(), config.Database{Host: "127.0.0.1", Port: port, User: "app", Name: "app", Password: "hunter2", SSLMode: "require"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var log strings.Builder
	start := time.Now()
	err = db.WaitReady(t.Context(), 1200*time.Millisecond, slog.New(slog.NewJSONHandler(&log, nil)))
	if took := time.Since(start); Reason(err) != "connection_refused" || took < time.Second || took > 5*time.Second {
		t.Errorf("got %v after %s", err, took)
	}
	if tries := strings.Count(log.String(), `"reason":"connection_refused"`); tries != 2 || strings.Contains(log.String(), "hunter2") {
		t.Errorf("got %d tries in %s", tries, log.String())
	}
}

// open returns a store on a schema of its own in the database at TEST_DATABASE_URL.
func open(t *testing.T) *Store {
	t.Helper()
	address, err := url.Parse(os.Getenv("TEST_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	if address.Host == "" {
		t.Skip("TEST_DATABASE_URL is not set")
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	database := config.Database{
		Host: address.Hostname(), Port: port, User: address.User.Username(), Name: strings.TrimPrefix(address.Path, "/"),
		Password: password, SSLMode: address.Query().Get("sslmode"),
	}
	schema := fmt.Sprintf("test_%d", time.Now().UnixNano())
	t.Setenv("PGOPTIONS", "-c search_path="+schema)
	db, err := Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer db.Close()
		if _, err := db.pool.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestMigrateTogetherAppliesOnce(t *testing.T) {
	db := open(t)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var all []string
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			applied, err := db.Migrate(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			all = append(all, applied...)
		}()
	}
	wait.Wait()
	if got := strings.Join(all, " "); got != "0001_services.sql 0002_services_notify.sql 0003_service_checks.sql" {
		t.Errorf("applied %q", got)
	}
}

func TestChecks(t *testing.T) {
	db := open(t)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	yes := true
	created, err := db.Create(t.Context(), service.Input{Name: "a", URL: "https://a", Enabled: &yes})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []service.Check{{ServiceID: created.ID, Reason: "timeout"}, {ServiceID: created.ID, OK: true, StatusCode: 204, LatencyMS: 7}} {
		if err := db.SaveCheck(t.Context(), check); err != nil {
			t.Fatal(err)
		}
		list, err := db.Checks(t.Context())
		if err != nil || len(list) != 1 || list[0].CheckedAt.IsZero() {
			t.Fatalf("%+v, %v", list, err)
		}
		check.CheckedAt = list[0].CheckedAt
		if list[0] != check {
			t.Errorf("got %+v, want %+v", list[0], check)
		}
	}
	if err := db.SaveCheck(t.Context(), service.Check{ServiceID: created.ID + 1}); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("a check of no service: %v", err)
	}
	if err := db.Delete(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := db.Checks(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a removed service's check: %+v, %v", list, err)
	}
}

func TestStoreAndNotifications(t *testing.T) {
	db := open(t)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	changes := make(chan events.Change, 10)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Listen(ctx, func(change events.Change) { changes <- change }, slog.New(slog.DiscardHandler))
	}()
	defer func() { stop(); <-done }()
	expect := func(action string, id int64) {
		t.Helper()
		select {
		case got := <-changes:
			if got.Action != action || got.ID != id {
				t.Errorf("got %+v, want %s %d", got, action, id)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no notification of %s %d", action, id)
		}
	}
	expect(events.Reload, 0)

	yes, no := true, false
	created, err := db.Create(t.Context(), service.Input{Name: "b", URL: "https://b", Enabled: &yes})
	if err != nil || created.ID == 0 || !created.Enabled || created.CreatedAt.IsZero() {
		t.Fatalf("%+v, %v", created, err)
	}
	expect("created", created.ID)
	other, err := db.Create(t.Context(), service.Input{Name: "A", URL: "https://a", Enabled: &yes})
	if err != nil {
		t.Fatal(err)
	}
	expect("created", other.ID)
	if _, err := db.Create(t.Context(), service.Input{Name: "b", URL: "https://c", Enabled: &yes}); !errors.Is(err, service.ErrNameTaken) {
		t.Errorf("a taken name: %v", err)
	}
	updated, err := db.Update(t.Context(), created.ID, service.Input{Name: "c", URL: "https://c", Enabled: &no})
	if err != nil || updated.Enabled || updated.Name != "c" || !updated.UpdatedAt.After(updated.CreatedAt) {
		t.Errorf("%+v, %v", updated, err)
	}
	expect("updated", created.ID)
	if list, err := db.List(t.Context()); err != nil || len(list) != 2 || list[0] != other || list[1] != updated {
		t.Errorf("%+v, %v", list, err)
	}
	if err := db.Delete(t.Context(), created.ID); err != nil {
		t.Error(err)
	}
	expect("deleted", created.ID)
	if _, err := db.Get(t.Context(), created.ID); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, err := db.Update(t.Context(), created.ID, service.Input{Name: "x", URL: "https://x", Enabled: &no}); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("update: %v", err)
	}
	if err := db.Delete(t.Context(), created.ID); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("delete: %v", err)
	}

	// When the connection is lost, it is made again, and everybody reloads.
	if _, err := db.pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN services' AND application_name = 'pulsegrid-backend'"); err != nil {
		t.Fatal(err)
	}
	expect(events.Reload, 0)
}
