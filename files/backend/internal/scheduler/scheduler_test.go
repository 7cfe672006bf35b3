package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pulsegrid/backend/internal/service"
)

type memory struct {
	services []service.Service
	err      error
	saveErr  error
	mutex    sync.Mutex
	checks   map[int64]service.Check
	rounds   int
}

func (m *memory) List(context.Context) ([]service.Service, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.rounds++
	return m.services, m.err
}

func (m *memory) SaveCheck(_ context.Context, check service.Check) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.checks == nil {
		m.checks = map[int64]service.Check{}
	}
	m.checks[check.ServiceID] = check
	return m.saveErr
}

func scheduler(store Store, log *strings.Builder) *Scheduler {
	return New(store, 10*time.Millisecond, 300*time.Millisecond, slog.New(slog.NewJSONHandler(log, nil)))
}

func TestRound(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		}
	}))
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	store := &memory{services: []service.Service{
		{ID: 1, URL: server.URL + "/", Enabled: true},
		{ID: 2, URL: server.URL + "/broken", Enabled: true},
		{ID: 3, URL: server.URL + "/slow", Enabled: true},
		{ID: 4, URL: "http://" + closed.Addr().String(), Enabled: true},
		{ID: 5, URL: "http://169.254.170.2/v2/credentials", Enabled: true},
		{ID: 6, URL: server.URL + "/", Enabled: false},
	}}
	var log strings.Builder
	if err := scheduler(store, &log).Round(t.Context()); err != nil {
		t.Fatal(err)
	}

	for id, want := range map[int64]service.Check{
		1: {OK: true, StatusCode: 200},
		2: {StatusCode: 503},
		3: {Reason: "timeout"},
		4: {Reason: "connection_refused"},
		5: {Reason: "failed"},
	} {
		got, found := store.checks[id]
		got.LatencyMS, want.ServiceID = 0, id
		if !found || got != want {
			t.Errorf("service %d: got %+v, want %+v", id, got, want)
		}
	}
	if _, found := store.checks[6]; found {
		t.Error("a service that is not enabled was checked")
	}
	for _, want := range []string{`"checked":5,"well":1`, "link-local addresses are not checked"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}

func TestRunGoesOnWithoutTheDatabase(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	store := &memory{err: errors.New("the database is away")}
	var log strings.Builder
	scheduler(store, &log).Run(ctx)
	if store.rounds < 2 || !strings.Contains(log.String(), "the database is away") {
		t.Errorf("%d rounds: %s", store.rounds, log.String())
	}
}

func TestRoundReportsWhatCouldNotBeSaved(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for message, saveErr := range map[string]error{"": service.ErrNotFound, "service 1: full": errors.New("full")} {
		store := &memory{services: []service.Service{{ID: 1, URL: server.URL, Enabled: true}}, saveErr: saveErr}
		got := ""
		if err := scheduler(store, &strings.Builder{}).Round(t.Context()); err != nil {
			got = err.Error()
		}
		if got != message {
			t.Errorf("%v: got %q, want %q", saveErr, got, message)
		}
	}
}
