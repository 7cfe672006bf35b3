package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pulsegrid/backend/internal/events"
	"pulsegrid/backend/internal/service"
)

// fakeStore keeps services in memory; with err set, every call fails.
type fakeStore struct {
	mu       sync.Mutex
	services []service.Service
	lastID   int64
	checks   []service.Check
	err      error
}

func (f *fakeStore) Ping(context.Context) error { return f.err }

func (f *fakeStore) List(context.Context) ([]service.Service, error) { return f.services, f.err }

func (f *fakeStore) find(id int64, name string) (int, error) {
	at := -1
	for i, s := range f.services {
		if s.ID != id && s.Name == name {
			return -1, service.ErrNameTaken
		}
		if s.ID == id {
			at = i
		}
	}
	if at < 0 && id != 0 {
		return -1, service.ErrNotFound
	}
	return at, f.err
}

func (f *fakeStore) Get(_ context.Context, id int64) (service.Service, error) {
	at, err := f.find(id, "")
	if err != nil {
		return service.Service{}, err
	}
	return f.services[at], nil
}

func (f *fakeStore) Create(_ context.Context, in service.Input) (service.Service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(0, in.Name); err != nil {
		return service.Service{}, err
	}
	f.lastID++
	f.services = append(f.services, service.Service{ID: f.lastID, Name: in.Name, URL: in.URL, Enabled: *in.Enabled})
	return f.services[len(f.services)-1], nil
}

func (f *fakeStore) Update(_ context.Context, id int64, in service.Input) (service.Service, error) {
	at, err := f.find(id, in.Name)
	if err != nil {
		return service.Service{}, err
	}
	f.services[at].Name, f.services[at].URL, f.services[at].Enabled = in.Name, in.URL, *in.Enabled
	return f.services[at], nil
}

func (f *fakeStore) Delete(_ context.Context, id int64) error {
	at, err := f.find(id, "")
	if err == nil {
		f.services = append(f.services[:at], f.services[at+1:]...)
	}
	return err
}

func (f *fakeStore) Checks(context.Context) ([]service.Check, error) { return f.checks, f.err }

func newServer(store Store, log io.Writer) *server {
	options := Options{Version: "1.2.3", Env: "test", CORSOrigin: "https://app.example.com", Log: slog.New(slog.NewJSONHandler(log, nil))}
	return &server{Options: options, store: store, hub: events.NewHub(), metrics: newMetrics(), heartbeat: time.Hour}
}

func do(handler http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

func decode[T any](t *testing.T, response *httptest.ResponseRecorder) (body T) {
	t.Helper()
	if got := response.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("the Content-Type is %q", got)
	}
	if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %s", err, response.Body)
	}
	return body
}

func TestChecks(t *testing.T) {
	store := &fakeStore{}
	handler := newServer(store, io.Discard).handler()
	if got := do(handler, "GET", "/api/v1/checks", "").Body.String(); got != "{\"checks\":[]}\n" {
		t.Errorf("without a scheduler: %s", got)
	}
	store.checks = []service.Check{{ServiceID: 3, OK: true, StatusCode: 200, LatencyMS: 12}}
	response := do(handler, "GET", "/api/v1/checks", "")
	if got := decode[map[string][]service.Check](t, response)["checks"]; len(got) != 1 || got[0] != store.checks[0] {
		t.Errorf("got %+v", got)
	}
}

func TestLifeOfAService(t *testing.T) {
	handler := newServer(&fakeStore{}, io.Discard).handler()

	if got := do(handler, "GET", "/api/v1/services", "").Body.String(); got != "{\"services\":[]}\n" {
		t.Errorf("an empty list is %s", got)
	}
	response := do(handler, "POST", "/api/v1/services", `{"name":" Billing ","url":"https://billing.example.com"}`)
	created := decode[service.Service](t, response)
	if response.Code != 201 || response.Header().Get("Location") != "/api/v1/services/1" || created.Name != "Billing" || !created.Enabled {
		t.Fatalf("POST: %d %v %+v", response.Code, response.Header(), created)
	}
	// What was read can be sent back, with the fields that the server owns.
	read := do(handler, "GET", "/api/v1/services/1", "")
	changed := strings.Replace(read.Body.String(), `"enabled":true`, `"enabled":false`, 1)
	response = do(handler, "PUT", "/api/v1/services/1", changed)
	if updated := decode[service.Service](t, response); response.Code != 200 || updated.Enabled || updated.Name != "Billing" {
		t.Fatalf("PUT: %d %+v", response.Code, updated)
	}
	if response := do(handler, "DELETE", "/api/v1/services/1", ""); response.Code != 204 || response.Body.Len() > 0 {
		t.Fatalf("DELETE: %d %s", response.Code, response.Body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if response := do(handler, method, "/api/v1/services/1", ""); response.Code != 404 {
			t.Errorf("%s of a deleted service: %d", method, response.Code)
		}
	}
}

func TestRefusals(t *testing.T) {
	handler := newServer(&fakeStore{services: []service.Service{{ID: 1, Name: "Billing", URL: "https://b"}, {ID: 2, Name: "Search", URL: "https://s"}}}, io.Discard).handler()
	const good = `{"name":"New","url":"https://new.example.com","enabled":true}`
	for name, test := range map[string]struct {
		method, path, body string
		header             []string
		code               int
		want               string
	}{
		"no fields":             {"POST", "/api/v1/services", `{}`, nil, 422, `"fields":{"name":"is required","url":"is required"}`},
		"replacement in part":   {"PUT", "/api/v1/services/1", `{"name":"a","url":"https://a"}`, nil, 422, `"fields":{"enabled":"is required"}`},
		"taken name":            {"POST", "/api/v1/services", `{"name":"Billing","url":"https://a"}`, nil, 422, `"fields":{"name":"is already taken"}`},
		"name of another":       {"PUT", "/api/v1/services/1", `{"name":"Search","url":"https://a","enabled":true}`, nil, 422, `"fields":{"name":"is already taken"}`},
		"field of a wrong type": {"POST", "/api/v1/services", `{"name":7}`, nil, 422, `"fields":{"name":"must not be a number"}`},
		"broken JSON":           {"POST", "/api/v1/services", `{"name":`, nil, 400, "malformed_json"},
		"an array":              {"POST", "/api/v1/services", `[]`, nil, 400, "malformed_json"},
		"two values":            {"POST", "/api/v1/services", good + good, nil, 400, "malformed_json"},
		"no body":               {"POST", "/api/v1/services", "", []string{"Content-Type", "application/json"}, 400, "malformed_json"},
		"huge body":             {"POST", "/api/v1/services", `{"name":"` + strings.Repeat("a", maxBody) + `"}`, nil, 413, "body_too_large"},
		"form":                  {"POST", "/api/v1/services", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		"unknown id":            {"PUT", "/api/v1/services/9", good, nil, 404, "not_found"},
		"id is a word":          {"GET", "/api/v1/services/x", "", nil, 404, "not_found"},
		"id is beyond 64 bits":  {"GET", "/api/v1/services/9999999999999999999", "", nil, 404, "not_found"},
		"unknown path":          {"GET", "/api/v1/nothing", "", nil, 404, "not_found"},
		"root":                  {"GET", "/", "", nil, 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			response := do(handler, test.method, test.path, test.body, test.header...)
			if response.Code != test.code || !strings.Contains(response.Body.String(), test.want) {
				t.Errorf("got %d %s, want %d with %s", response.Code, response.Body, test.code, test.want)
			}
			decode[map[string]any](t, response)
		})
	}
}

func TestMethodNotAllowed(t *testing.T) {
	handler := newServer(&fakeStore{}, io.Discard).handler()
	for path, allow := range map[string]string{"/api/v1/services": "GET, POST", "/api/v1/services/1": "DELETE, GET, PUT", "/api/v1/health": "GET"} {
		response := do(handler, "PATCH", path, "")
		if response.Code != 405 || response.Header().Get("Allow") != allow {
			t.Errorf("%s: got %d, Allow %q; want 405, %q", path, response.Code, response.Header().Get("Allow"), allow)
		}
	}
	if response := do(handler, "HEAD", "/api/v1/health", ""); response.Code != 200 {
		t.Errorf("HEAD: got %d", response.Code)
	}
}

func TestHealth(t *testing.T) {
	secret := errors.New("password is hunter2")
	for name, test := range map[string]struct {
		path string
		err  error
		code int
		want string
	}{
		"alive":                      {"/api/v1/health", nil, 200, `{"env":"test","status":"ok","version":"1.2.3"}`},
		"alive without a database":   {"/api/v1/health", secret, 200, `"status":"ok"`},
		"detailed":                   {"/api/v1/health/detailed", nil, 200, `"database":{"status":"ok","latency_ms":`},
		"detailed, refused":          {"/api/v1/health/detailed", syscall.ECONNREFUSED, 503, `"reason":"connection_refused"`},
		"detailed, too slow":         {"/api/v1/health/detailed", context.DeadlineExceeded, 503, `"reason":"timeout"`},
		"detailed, something secret": {"/api/v1/health/detailed", secret, 503, `"reason":"unknown"`},
	} {
		t.Run(name, func(t *testing.T) {
			response := do(newServer(&fakeStore{err: test.err}, io.Discard).handler(), "GET", test.path, "")
			if body := response.Body.String(); response.Code != test.code || !strings.Contains(body, test.want) || strings.Contains(body, "hunter2") {
				t.Errorf("got %d %s, want %d with %s", response.Code, body, test.code, test.want)
			}
		})
	}
}

func TestStoreFailures(t *testing.T) {
	for err, code := range map[error]int{
		fmt.Errorf("%w: %w", service.ErrUnavailable, syscall.ECONNREFUSED): 503,
		errors.New("password is hunter2"):                                  500,
	} {
		response := do(newServer(&fakeStore{err: err}, io.Discard).handler(), "GET", "/api/v1/services", "")
		if response.Code != code || strings.Contains(response.Body.String(), "hunter2") {
			t.Errorf("%v: got %d %s, want %d", err, response.Code, response.Body, code)
		}
	}
}

func TestCORS(t *testing.T) {
	handler := newServer(&fakeStore{}, io.Discard).handler()
	const header = "Access-Control-Allow-Origin"
	if got := do(handler, "GET", "/api/v1/health", "", "Origin", "https://app.example.com").Header().Get(header); got != "https://app.example.com" {
		t.Errorf("the configured origin gets %q", got)
	}
	if got := do(handler, "GET", "/api/v1/health", "", "Origin", "https://evil.example.com").Header().Get(header); got != "" {
		t.Errorf("another origin gets %q", got)
	}
	preflight := do(handler, "OPTIONS", "/api/v1/services/1", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT")
	if preflight.Code != 204 || !strings.Contains(preflight.Header().Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("the preflight gets %d %v", preflight.Code, preflight.Header())
	}
}

func TestLogAndMetrics(t *testing.T) {
	var log bytes.Buffer
	handler := newServer(&fakeStore{}, &log).handler()
	response := do(handler, "GET", "/api/v1/services/5?token=hunter2", "", "X-Request-Id", "abc-123")
	if got := response.Header().Get("X-Request-Id"); got != "abc-123" {
		t.Errorf("the request id is %q", got)
	}
	var line struct {
		RequestID  string  `json:"request_id"`
		Method     string  `json:"method"`
		Path       string  `json:"path"`
		Status     int     `json:"status"`
		DurationMS float64 `json:"duration_ms"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, log.String())
	}
	if line.RequestID != "abc-123" || line.Method != "GET" || line.Path != "/api/v1/services/5" || line.Status != 404 || line.DurationMS <= 0 {
		t.Errorf("logged %+v", line)
	}
	if got := do(handler, "GET", "/api/v1/health", "", "X-Request-Id", "a\"b").Header().Get("X-Request-Id"); len(got) < 20 || strings.Contains(got, `"`) {
		t.Errorf("a bad request id became %q", got)
	}
	metrics := do(handler, "GET", "/api/v1/metrics", "").Body.String()
	for _, want := range []string{"http_requests_total{code=\"404\"} 1\n", "http_requests_total{code=\"200\"} 1\n", "http_requests_in_flight 1\n", `version="1.2.3"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	s := newServer(nil, io.Discard) // no store: the handler panics
	response := do(s.handler(), "GET", "/api/v1/services", "")
	if response.Code != 500 || s.metrics.inFlight != 0 || s.metrics.requests[500] != 1 {
		t.Errorf("got %d, %d in flight, %v", response.Code, s.metrics.inFlight, s.metrics.requests)
	}
}

func TestEventStream(t *testing.T) {
	s := newServer(&fakeStore{}, io.Discard)
	s.heartbeat = 20 * time.Millisecond
	listener := httptest.NewUnstartedServer(s.handler())
	listener.Config.ReadTimeout = 50 * time.Millisecond
	listener.Config.WriteTimeout = 50 * time.Millisecond // both shorter than the stream lives
	listener.Start()
	defer listener.Close()

	response, err := http.Get(listener.URL + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the Content-Type is %q", got)
	}
	lines := bufio.NewScanner(response.Body)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the stream ended (%v) before %q", lines.Err(), want)
	}
	for range 10 {
		until(": heartbeat")
	}
	s.hub.Publish(events.Change{Action: "deleted", ID: 3})
	until("event: change")
	until(`data: {"action":"deleted","id":3}`)
	s.hub.Close()
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Errorf("the stream did not end well: %v", lines.Err())
	}
}
